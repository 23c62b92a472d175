"""The unmodified XenAPI package from PyPI against a real server with a verified certificate."""

from __future__ import annotations

import ssl
import threading
import xmlrpc.client
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import XenAPI

from hostagent.store import Record
from tests.unit.hostagent.support import PASSWORD, USER, Agent

Client = Any
"""The package has no types."""


def connect(agent: Agent) -> Client:
    return XenAPI.Session(agent.url, transport=xmlrpc.client.SafeTransport(context=agent.tls()))


@pytest.fixture
def session(agent: Agent) -> Iterator[Client]:
    session = connect(agent)
    session.xenapi.login_with_password(USER, PASSWORD, "2.23", "tests")
    yield session
    if session._session:
        session.xenapi.session.logout()


def test_an_unknown_authority_is_refused(agent: Agent) -> None:
    session = XenAPI.Session(agent.url, transport=xmlrpc.client.SafeTransport(context=ssl.create_default_context()))
    with pytest.raises(ssl.SSLCertVerificationError):
        session.xenapi.login_with_password(USER, PASSWORD)


def test_login_tells_version_and_host(agent: Agent, session: Client) -> None:
    assert session.API_version == "2.23"
    assert session.xenapi.session.get_this_host(session._session) == agent.host
    assert session.xenapi.session.get_is_local_superuser(session._session) is True
    assert session.xenapi.session.get_originator(session._session) == "tests"
    assert agent.authenticator.origins == ["127.0.0.1"]


def test_wrong_password(agent: Agent) -> None:
    with pytest.raises(XenAPI.Failure) as caught:
        connect(agent).xenapi.login_with_password(USER, "wrong")
    assert caught.value.details[:2] == ["SESSION_AUTHENTICATION_FAILED", USER]


def test_password_change(agent: Agent, session: Client) -> None:
    session.xenapi.session.change_password(PASSWORD, "new")
    connect(agent).xenapi.login_with_password(USER, "new")
    with pytest.raises(XenAPI.Failure):
        connect(agent).xenapi.login_with_password(USER, PASSWORD)


def test_records_have_every_field_in_its_type(agent: Agent, session: Client) -> None:
    pools = session.xenapi.pool.get_all_records()
    assert pools[agent.pool]["master"] == agent.host
    assert pools[agent.pool]["ha_enabled"] is False
    host = session.xenapi.host.get_record(agent.host)
    assert host["API_version_minor"] == "23"  # an int travels as untyped text
    assert host["last_software_update"].value == "19700101T00:00:00Z"
    assert host["software_version"]["xapi"] == "26.21"
    assert len(host) == 80


def test_the_life_of_a_vm(agent: Agent, session: Client) -> None:
    api = session.xenapi
    vm = api.VM.create({"name_label": "a & b", "memory_static_max": str(1 << 30), "PV_args": "x=<1>", "domid": "99"})
    assert api.VM.get_by_name_label("a & b") == [vm]
    assert api.VM.get_domid(vm) == "-1"
    api.VM.start(vm, False, False)
    assert api.VM.get_power_state(vm) == "Running"
    assert api.host.get_resident_VMs(agent.host) == [vm]
    with pytest.raises(XenAPI.Failure) as caught:
        api.VM.start(vm, False, False)
    assert caught.value.details == ["VM_BAD_POWER_STATE", vm, "Halted", "Running"]
    api.VM.hard_shutdown(vm)
    assert api.host.get_resident_VMs(agent.host) == []
    api.VM.destroy(vm)
    with pytest.raises(XenAPI.Failure) as caught:
        api.VM.get_record(vm)
    assert caught.value.details == ["HANDLE_INVALID", "VM", vm]


def test_fields_of_maps_and_sets(agent: Agent, session: Client) -> None:
    pool = session.xenapi.pool
    pool.remove_from_other_config(agent.pool, "absent")
    pool.add_to_other_config(agent.pool, "key", "value")
    with pytest.raises(XenAPI.Failure) as caught:
        pool.add_to_other_config(agent.pool, "key", "other")
    assert caught.value.details == ["MAP_DUPLICATE_KEY", "pool", "other_config", pool.get_uuid(agent.pool), "key"]
    pool.remove_from_other_config(agent.pool, "key")
    pool.set_other_config(agent.pool, {"a": "1"})
    assert pool.get_other_config(agent.pool) == {"a": "1"}
    pool.add_tags(agent.pool, "t")
    pool.add_tags(agent.pool, "t")
    assert pool.get_tags(agent.pool) == ["t"]
    pool.remove_tags(agent.pool, "t")
    pool.remove_tags(agent.pool, "t")
    assert pool.get_tags(agent.pool) == []


@pytest.mark.parametrize(
    ("method", "params", "error"),
    [
        ("VM.fly", [], ["MESSAGE_METHOD_UNKNOWN", "VM.fly"]),
        ("vm.get_all", [], ["MESSAGE_METHOD_UNKNOWN", "vm.get_all"]),
        ("Async.VM.get_all", [], ["MESSAGE_METHOD_UNKNOWN", "Async.VM.get_all"]),
        ("VM.get_all", ["x"], ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.get_all", "0", "1"]),
        ("VM.get_record", [], ["MESSAGE_PARAMETER_COUNT_MISMATCH", "VM.get_record", "1", "0"]),
        ("VM.get_record", ["OpaqueRef:NULL"], ["HANDLE_INVALID", "VM", "OpaqueRef:NULL"]),
        ("VM.get_by_uuid", ["nonsense"], ["UUID_INVALID", "VM", "nonsense"]),
        ("VM.create", [{"memory_static_max": "much"}], ["FIELD_TYPE_ERROR", "memory_static_max"]),
        ("VM.create", [{"affinity": "OpaqueRef:x"}], ["HANDLE_INVALID", "host", "OpaqueRef:x"]),
        ("VM.get_all_records_where", ["nonsense"], None),
        ("VM.snapshot_with_quiesce", ["OpaqueRef:x", "n"], ["MESSAGE_REMOVED"]),
        ("pool.disable_redo_log", [], ["NOT_IMPLEMENTED", "pool.disable_redo_log"]),
        ("task.create", ["a", "b", "c"], ["MESSAGE_PARAMETER_COUNT_MISMATCH", "task.create", "2", "3"]),
    ],
)
def test_errors(session: Client, method: str, params: list[Any], error: list[str] | None) -> None:
    with pytest.raises(XenAPI.Failure) as caught:
        session.xenapi_request(method, tuple(params))
    if error is None:
        assert caught.value.details[:2] == ["INVALID_VALUE", "expr"]
    else:
        assert caught.value.details == error


def test_a_bug_shows_no_detail_and_hurts_nothing(session: Client) -> None:
    vm = session.xenapi.VM.create({})
    with pytest.raises(XenAPI.Failure) as caught:
        session.xenapi.VM.pause(vm)
    assert caught.value.details[0] == "INTERNAL_ERROR"
    assert "secret" not in str(caught.value.details)
    assert session.xenapi.VM.get_all() == [vm]


def test_logout_ends_the_session(agent: Agent, session: Client) -> None:
    ref = session._session
    session.xenapi.session.logout()
    raw = xmlrpc.client.ServerProxy(agent.url, context=agent.tls())
    assert raw.VM.get_all(ref) == {"Status": "Failure", "ErrorDescription": ["SESSION_INVALID", ref]}


def test_where(session: Client) -> None:
    one, two = (session.xenapi.VM.create({"name_label": name, "user_version": "1"}) for name in ("one", "two"))
    where = session.xenapi.VM.get_all_records_where
    assert list(where('field "name_label"="two"')) == [two]
    assert list(where("not (field \"name_label\" = 'two') and true")) == [one]
    assert set(where('field "user_version"="1" or false')) == {one, two}


def test_a_task_holds_its_result_as_xml(session: Client) -> None:
    api = session.xenapi
    task = api.Async.VM.create({"name_label": "from a task"})
    events = wait_for(session, f"task/{task}", lambda record: record["status"] == "success")
    assert events["progress"] == 1.0
    assert events["result"] == f"<value>{api.VM.get_by_name_label('from a task')[0]}</value>"
    assert events["name_label"] == "Async.VM.create"
    assert events["type"] == "<none/>"
    assert events["allowed_operations"] == ["destroy"]
    api.task.destroy(task)
    assert api.task.get_all() == []


def test_a_task_holds_its_error(session: Client) -> None:
    vm = session.xenapi.VM.create({})
    task = session.xenapi.Async.VM.hard_shutdown(vm)
    record = wait_for(session, "task", lambda record: record["status"] == "failure")
    assert record["error_info"] == ["VM_BAD_POWER_STATE", vm, "Running", "Halted"]
    assert session.xenapi.task.get_result(task) == ""


def test_a_task_is_cancelled(session: Client) -> None:
    vm = session.xenapi.VM.create({})
    task = session.xenapi.Async.VM.clean_shutdown(vm)
    session.xenapi.task.cancel(task)
    record = wait_for(session, "task", lambda record: record["status"] == "cancelled")
    assert record["error_info"] == ["TASK_CANCELLED", task]
    with pytest.raises(XenAPI.Failure) as caught:
        session.xenapi.task.cancel(task)
    assert caught.value.details[0] == "OPERATION_NOT_ALLOWED"


def test_a_client_keeps_its_own_task(session: Client) -> None:
    task = session.xenapi.task.create("upload", "of a disk")
    session.xenapi.task.set_progress(task, 0.25)
    assert session.xenapi.task.get_progress(task) == 0.25
    session.xenapi.task.add_to_other_config(task, "k", "v")
    session.xenapi.task.cancel(task)
    assert session.xenapi.task.get_status(task) == "cancelling"
    session.xenapi.task.set_status(task, "cancelled")
    record = session.xenapi.task.get_record(task)
    assert record["other_config"] == {"k": "v"}
    assert record["finished"].value > record["created"].value[:9]


def wait_for(session: Client, what: str, good: Callable[[Record], bool]) -> Record:
    token = ""
    for _ in range(20):
        batch = session.xenapi_request("event.from", ([what], token, 10.0))
        token = batch["token"]
        for event in batch["events"]:
            if event["operation"] != "del" and good(event["snapshot"]):
                return cast("Record", event["snapshot"])
    raise AssertionError("it did not happen")


def test_event_from_waits_and_tells_the_state(agent: Agent, session: Client) -> None:
    vm = session.xenapi.VM.create({"name_label": "watched"})
    batch = session.xenapi_request("event.from", (["*"], "", 10.0))
    assert {event["operation"] for event in batch["events"]} == {"add"}
    assert {event["class"] for event in batch["events"]} == {"vm", "vm_metrics", "host", "host_metrics", "pool"}
    assert batch["valid_ref_counts"]["task"] == 0
    assert batch["valid_ref_counts"]["vm"] == 1
    assert "session" not in batch["valid_ref_counts"]
    assert session.xenapi_request("event.from", (["VM"], batch["token"], 0.05))["events"] == []

    waiting: list[Any] = []
    other = connect(agent)
    other.xenapi.login_with_password(USER, PASSWORD)
    thread = threading.Thread(
        target=lambda: waiting.append(other.xenapi_request("event.from", (["VM"], batch["token"], 20.0)))
    )
    thread.start()
    session.xenapi.pool.set_name_label(agent.pool, "does not wake")
    session.xenapi.VM.start(vm, False, False)
    thread.join(20)
    (event,) = waiting[0]["events"]
    assert (event["class"], event["operation"], event["ref"], event["timestamp"]) == ("vm", "mod", vm, "0.0")
    assert event["snapshot"]["power_state"] == "Running"
    assert set(event["snapshot"]) == set(session.xenapi.VM.get_record(vm))

    session.xenapi.VM.destroy(vm)
    last = session.xenapi_request("event.from", (["VM/" + vm], waiting[0]["token"], 10.0))
    assert [(event["operation"], "snapshot" in event) for event in last["events"]] == [("del", False)]
    assert last["token"] > waiting[0]["token"]


def test_what_came_and_went_is_not_told(session: Client) -> None:
    token = session.xenapi_request("event.from", (["VM"], "", 0.0))["token"]
    session.xenapi.VM.destroy(session.xenapi.VM.create({}))
    assert session.xenapi_request("event.from", (["VM"], token, 0.05))["events"] == []


def test_inject(agent: Agent, session: Client) -> None:
    token = session.xenapi.event.inject("pool", agent.pool)
    batch = session.xenapi_request("event.from", (["pool"], token, 10.0))
    assert [event["operation"] for event in batch["events"]] == ["mod"]
    with pytest.raises(XenAPI.Failure) as caught:
        session.xenapi.event.inject("VM", agent.pool)
    assert caught.value.details == ["HANDLE_INVALID", "VM", agent.pool]


@pytest.mark.parametrize(
    ("classes", "token", "code"),
    [
        (["*"], "nonsense", "EVENT_FROM_TOKEN_PARSE_FAILURE"),
        (["VM/a/b"], "", "EVENT_SUBSCRIPTION_PARSE_FAILURE"),
        ([""], "", "EVENT_SUBSCRIPTION_PARSE_FAILURE"),
    ],
)
def test_event_from_errors(session: Client, classes: list[str], token: str, code: str) -> None:
    with pytest.raises(XenAPI.Failure) as caught:
        session.xenapi_request("event.from", (classes, token, 1.0))
    assert caught.value.details[0] == code


def test_an_unknown_class_never_changes(session: Client) -> None:
    assert session.xenapi_request("event.from", (["VMPP", "message"], "", 0.05))["events"] == []


def test_logout_wakes_who_waits(agent: Agent, session: Client) -> None:
    raw = xmlrpc.client.ServerProxy(agent.url, context=agent.tls())
    ref = session._session
    token = session.xenapi_request("event.from", (["task"], "", 0.0))["token"]
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(getattr(raw, "event.from")(ref, ["task"], token, 30.0)))
    thread.start()
    session.xenapi.session.logout()
    thread.join(20)
    assert answers == [{"Status": "Failure", "ErrorDescription": ["SESSION_INVALID", ref]}]


def test_the_old_way_of_events(session: Client) -> None:
    with pytest.raises(XenAPI.Failure) as caught:
        session.xenapi.event.next()
    assert caught.value.details[0] == "SESSION_NOT_REGISTERED"
    session.xenapi.event.register(["vm"])
    vm = session.xenapi.VM.create({})
    (event,) = session.xenapi.event.next()
    assert (event["operation"], event["ref"]) == ("add", vm)
    session.xenapi.event.unregister(["vm"])
    assert int(session.xenapi.event.get_current_id()) > 0


def test_list_methods_is_bare_and_lists_what_is_answered(agent: Agent) -> None:
    names = xmlrpc.client.ServerProxy(agent.url, context=agent.tls()).system.listMethods()
    assert isinstance(names, list)
    assert {"VM.start", "Async.VM.start", "task.get_all_records", "event.from"} <= set(names)
    assert "pool.disable_redo_log" not in names
    assert "session.get_all_records" not in names
    assert "Async.session.logout" not in names
