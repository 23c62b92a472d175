"""HostSpec: what must hold between its parts, and where its secrets are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, SecretStr, ValidationError

from zeroth.spec import AnswerText, HostSpec, load_answer, read_answer
from zeroth.spec.fields import PasswordHash
from zeroth.spec.gaps import gaps
from zeroth.spec.model import HIDDEN, REVEALED, SECRET_NAMES, STORED, without_secrets
from zeroth.spec.plain import plain_data
from zeroth.spec.secrets import redacted
from zeroth.spec.selector import Key, Pick, parse_selector
from zeroth.system.size import Size

EVERYTHING = Path(__file__).parents[2] / "answers" / "good" / "everything.yaml"
SECRETS = ("proxy-secret", "chap-secret", "drbd-secret", "bmc-secret", "join-secret", "sign-secret", "bearer-secret")


def _everything() -> HostSpec:
    return load_answer(AnswerText.from_file(EVERYTHING))


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        inner = [model for field in annotation.model_fields.values() for model in _models(field.annotation)]
        return [annotation, *inner]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _holds_a_secret(annotation: object) -> bool:
    return annotation is SecretStr or annotation == PasswordHash or any(map(_holds_a_secret, get_args(annotation)))


def test_secrets_are_known_by_their_names() -> None:
    found = {}
    for model in _models(HostSpec):
        for name, field in model.model_fields.items():
            if _holds_a_secret(field.annotation) or PasswordHash in get_args(field.annotation):
                found[model.__name__, name] = field
            else:
                assert name not in SECRET_NAMES, f"{model.__name__}.{name} has the name of a secret"
    assert {name for _, name in found} <= SECRET_NAMES
    assert len(found) >= 11


def test_every_top_level_part_is_in_the_answer_that_has_everything() -> None:
    spec = _everything()
    fields = {name: field for name, field in HostSpec.model_fields.items()
              if name not in ("schema_version", "mode", "allow_downgrade")}  # fmt: skip
    assert [name for name, field in fields.items() if getattr(spec, name) == field.default] == []


def test_secrets_are_written_only_where_they_are_asked_for() -> None:
    spec = _everything()
    for shown in (repr(spec), spec.model_dump_json(), json.dumps(redacted(spec)), str(spec)):
        assert not [secret for secret in SECRETS if secret in shown]
    revealed = spec.model_dump_json(context=REVEALED)
    assert not [secret for secret in SECRETS if secret not in revealed]
    assert HostSpec.model_validate_json(revealed) == spec
    assert load_answer(AnswerText(json.dumps(plain_data(spec)), "a.json")) == spec


def test_a_stored_answer_is_valid_without_its_secrets() -> None:
    data = json.loads(_everything().model_dump_json(context=REVEALED))
    clean = without_secrets(data)
    assert not [secret for secret in SECRETS if secret in json.dumps(clean)]
    assert "$y$" not in json.dumps(clean)
    HostSpec.model_validate(clean, context=STORED)
    with pytest.raises(ValidationError):
        HostSpec.model_validate(clean)


def test_what_was_hidden_is_no_secret() -> None:
    text = json.dumps(json.loads(_everything().model_dump_json()))
    reading = read_answer(AnswerText(text, "a.json"))
    messages = [problem.message for problem in reading.errors]
    assert len([message for message in messages if message.startswith(HIDDEN)]) >= len(SECRETS)


def test_everything_that_is_not_done_is_told() -> None:
    spec = _everything()
    found = {gap.path[0] for gap in gaps(spec)}
    reading = read_answer(AnswerText.from_file(EVERYTHING))
    assert {problem.field.partition(".")[0] for problem in reading.problems} == found
    assert all(str(gap).endswith("is not supported by this version") for gap in gaps(spec))
    plain = load_answer(AnswerText("hostname: a\nroot: {password: x}\n", "a.yaml"))
    assert not gaps(plain)


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        ({"users": [{"name": "a", "password": "x"}, {"name": "a", "password": "y"}]}, "users.1", "two users are"),
        (
            {"networks": [{"name": "a", "purposes": ["guests"], "vlan": 1, "bridge": "xenbr0"}]},
            "networks.0.bridge", "two networks have the bridge",
        ),
        (
            {"networks": [{"name": name, "purposes": ["guests"], "vlan": 7} for name in "ab"]},
            "networks.1.vlan", "VLAN 7 of the management NIC belongs to two networks",
        ),
        (
            {"management": {"nic": "eth0"}, "networks": [{"name": "a", "purposes": ["guests"], "nic": "eth0"}]},
            "networks.0.vlan", "the untagged traffic of eth0",
        ),
        (
            {"management": {"bond": {"nics": ["eth0", "eth1"]}},
             "networks": [{"name": "a", "purposes": ["guests"], "bond": {"name": "bond1", "nics": ["eth1", "eth2"]}}]},
            "networks.0.bond", "the NIC eth1 is in two bonds, bond0 and bond1",
        ),
        (
            {"management": {"bond": {"nics": ["eth0", "eth1"]}},
             "networks": [{"name": "a", "purposes": ["guests"], "nic": "eth1"}]},
            "networks.0.nic", "the NIC eth1 is in the bond bond0",
        ),
        (
            {"storage": [{"type": "nfs", "name": n, "server": "s", "path": "/a", "default": True} for n in "ab"]},
            "storage.1.default", "a is the default storage repository already",
        ),
        ({"mode": "upgrade", "disk": {"wipe": True}}, "disk", "an upgrade keeps"),
        ({"allow_downgrade": True}, "allow_downgrade", "is for the mode upgrade"),
    ],
)  # fmt: skip
def test_parts_that_do_not_go_together(change: dict[str, Any], place: str, message: str) -> None:
    data = {"hostname": "a", "root": {"password": "x"}, **change}
    text = json.dumps(data, indent=1)
    reading = read_answer(AnswerText(text, "a.json"))
    assert [message in problem.message for problem in reading.errors] == [True], reading.errors
    assert reading.errors[0].where.line > 1
    assert reading.errors[0].field == ".".join(part for part in place.split(".") if not part.isdigit())


def test_conflicts_are_told_beside_other_mistakes() -> None:
    networks = [{"name": name, "purposes": ["guests"], "nic": "eth1"} for name in ("a", "b")]
    nodes = [{"name": "n1", "address": "192.0.2.1"}, {"name": "n2", "address": "192.0.2.2"}]
    storage = [{"type": "ocfs2", "name": "a", "disk": "hdd", "cluster": "c", "nodes": nodes}]
    data = {"hostname": "a b", "root": {"password": "x"}, "networks": networks, "allow_downgrade": True,
            "storage": storage}  # fmt: skip
    said = [it.message for it in read_answer(AnswerText(json.dumps(data, indent=1), "a.json")).errors]
    assert sorted(said) == [
        "allow_downgrade is for the mode upgrade", "hostname: 'a b' is not a host name",
        "the untagged traffic of eth1 belongs to two networks",
    ]  # fmt: skip


def test_what_hangs_on_a_part_that_is_wrong_is_no_conflict() -> None:
    untagged = {"name": "a", "purposes": ["guests"], "nic": "eth0"}
    data = {"hostname": "a", "root": {"password": "x"}, "management": {"nic": "eth1", "vlan": 5000}, "mode": "updrade",
            "networks": [{**untagged, "bridge": "xenbr0"}], "allow_downgrade": True}  # fmt: skip
    errors = read_answer(AnswerText(json.dumps(data, indent=1), "a.json")).errors
    assert {it.field for it in errors} == {"management.vlan", "mode"}
    misspelt = {"hostname": "a", "root": {"password": "x"}, "mdoe": "upgrade", "allow_downgrade": True}
    errors = read_answer(AnswerText(json.dumps(misspelt, indent=1), "a.json")).errors
    assert [it.field for it in errors] == ["mdoe"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"disk": {"wipe": True, "wipe_disks": ["serial=1"]}}, "give one of the two"),
        ({"disk": {"mirror_with": "serial=1"}}, "the layout is not mirror"),
        ({"disk": {"layout": "mirror", "select": "serial=1", "mirror_with": "serial=1"}}, "the same disk"),
        ({"disk": {"select": "missing"}}, "'missing' does not select a disk"),
        ({"disk": {"keep_sr": True, "local_sr": "none"}}, "none can be kept"),
        ({"management": {"nic": "eth0", "bond": {"nics": ["eth1", "eth2"]}}}, "either nic or bond"),
        ({"management": {"bond": {"nics": ["eth1"]}}}, "at least 2 must be given"),
        ({"management": {"bond": {"nics": ["eth1", "eth1"]}}}, "named twice"),
        ({"management": {"bond": {"nics": ["a", "b"], "lacp_rate": "fast"}}}, "lacp_rate is for the mode lacp"),
        ({"management": {"address": {"method": "none"}}}, "needs an address"),
        ({"management": {"address6": {"method": "static", "address": "2001:db8::1"}}}, "prefix length, as in 2001"),
        ({"management": {"address6": {"method": "static", "address": "fe80::1/64"}}}, "cannot be the fixed address"),
        (
            {"management": {"address6": {"method": "static", "address": "2001:db8::1/64", "gateway": "2001:db9::1"}}},
            "is not in the host's network",
        ),
        ({"management": {"address6": {"method": "magic"}}}, "method 'magic' is not"),
        ({"networks": [{"name": "a", "purposes": ["storage"], "vlan": 3}]}, "migration needs an address"),
        ({"networks": [{"name": "a", "purposes": ["guests"]}]}, "give nic, bond or vlan"),
        ({"ntp": {"enabled": False, "servers": ["a"]}}, "shall not be set"),
        ({"proxy": {"url": "http://u:hunter2@proxy"}}, "holds a user name or password"),
        ({"proxy": {"url": "http://proxy", "username": "a"}}, "go together"),
        ({"sriov": [{"nic": "eth0", "functions": "all"}]}, "neither max nor a number"),
        ({"sriov": [{"nic": "eth0", "functions": 2, "settings": [{"first": 2}]}]}, "function 2 is set up, but"),
        ({"sriov": [{"nic": "eth0", "functions": 4, "settings": [{"first": 0, "last": 2}, {"first": 2}]}]}, "twice"),
        ({"storage": [{"type": "iscsi", "name": "a", "portals": ["a"], "target": "disk1"}]}, "name of an iSCSI"),
        ({"storage": [{"type": "tape", "name": "a"}]}, "type 'tape' is not"),
        ({"storage": [{"name": "a"}]}, "type is missing"),
        ({"storage": [{"type": "drbd", "name": "a", "peer": {"name": "b", "address": "c"}, "disk": "a"}]}, "disk"),
        ({"storage": [{"type": "drbd", "name": "a", "peer": {"name": "b", "address": "c"}, "disk": "hdd"}]}, "secret"),
        ({"power": {"bmc": {"address": "a", "username": "a"}}}, "the BMC needs a password"),
        ({"pool": {"action": "join", "address": ["a"], "token": "t", "certificate": "12"}}, "SHA-256 fingerprint"),
        ({"services": {"enable": ["a"], "disable": ["a.service"]}}, "both enabled and disabled"),
        ({"services": {"disable": ["zeroth-agent"]}}, "belongs to the host itself"),
        ({"hooks": [{"stage": "pre"}]}, "either a script or the url"),
        ({"hooks": [{"stage": "pre", "url": "https://a/b"}]}, "go together"),
        ({"hooks": [{"stage": "pre", "script": "a\n%end\n"}]}, "line 2 of a script begins with %end"),
        ({"hooks": [{"stage": "pre", "script": "a", "nochroot": True}]}, "is for the stage post"),
        ({"notify": {"webhooks": [{"url": "http://a", "token": "t"}]}}, "needs an address with https"),
        ({"users": [{"name": "root", "password": "x"}]}, "an account of the system itself"),
        ({"users": [{"name": "ops"}]}, "no way for ops to log in"),
    ],
)  # fmt: skip
def test_nonsense_is_refused_in_plain_words(change: dict[str, Any], message: str) -> None:
    data = {"hostname": "a", "root": {"password": "x"}, **change}
    reading = read_answer(AnswerText(json.dumps(data, indent=1), "a.json"))
    assert any(message in problem.message for problem in reading.errors), reading.errors
    assert all("hunter2" not in problem.message for problem in reading.errors)


def test_selectors_are_read() -> None:
    found = parse_selector("  ssd&size >= 400G & model=A B* & smallest ")
    assert found.pick is Pick.SMALLEST
    assert [term.key for term in found.terms] == [Key.SSD, Key.SIZE, Key.MODEL]
    assert (found.terms[1].operator, found.terms[1].size) == (">=", Size.parse("400G"))
    assert str(found) == "ssd & size>=400GiB & model=A B* & smallest"
    assert parse_selector(str(found)) == found


@pytest.mark.parametrize(
    "text", ["", "a", "serial=", "size>=", "size>=4X", "ssd &", "only & largest", "/dev/../x", "/dev/", "serial>=3",
             " & ".join(["ssd"] * 17), "model=a\x07"],
)  # fmt: skip
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"disk|size"):
        parse_selector(text)
