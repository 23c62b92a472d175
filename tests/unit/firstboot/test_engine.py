"""The transaction: whole, interrupted anywhere, failed and tried again, and what later boots do."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from firstboot import engine
from firstboot.journal import StepState, read
from firstboot.steps import STEPS
from hostagent.store import Store
from tests.unit.drivers.model_machine import PowerCut
from tests.unit.firstboot.host import HASH, KEY, NIC, SPEC, Host
from zeroth.errors import UserError
from zeroth.progress import Stream
from zeroth.system import certificate as certificates

pytestmark = pytest.mark.usefixtures("quick")

FINISHED = "zeroth: first boot finished: https://192.0.2.77/"


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory, for the tests that boot a hundred times."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        yield Path(folder)


def test_an_installed_image_becomes_the_host_of_its_answer(host: Host) -> None:
    assert host.boot()
    root = host.paths.root
    assert (root / "etc/hostname").read_text() == "alpha.example.org\n"
    assert "127.0.1.1 alpha.example.org alpha\n" in (root / "etc/hosts").read_text()
    assert host.programs.hostname == "alpha.example.org"
    assert str((root / "etc/localtime").readlink()) == "/usr/share/zoneinfo/Europe/Vienna"
    assert (root / "etc/vconsole.conf").read_text() == "KEYMAP=de\nXKBLAYOUT=de\n"
    assert (root / "etc/shadow").read_text().startswith(f"root:{HASH}:")
    assert (root / "root/.ssh/authorized_keys").read_text() == KEY + "\n"
    assert (root / "root/.ssh").stat().st_mode & 0o777 == 0o700
    assert host.network.bridges["xenbr0"].hwaddr == NIC.mac
    assert host.paths.key.stat().st_mode & 0o777 == 0o640
    assert host.lines[:-1] == [f"zeroth: first boot: {step.title}\n" for step in STEPS]
    assert FINISHED in host.lines[-1].splitlines()
    assert "zeroth host alpha.example.org is ready: https://192.0.2.77/" in host.lines[-1].splitlines()
    record = read(host.paths.journal)
    assert record.finished
    assert {entry.state for entry in record.steps} == {StepState.DONE}


def test_the_store_is_seeded(host: Host) -> None:
    host.boot()
    identity = json.loads(host.paths.identity.read_text())
    assert host.programs.given == ["store.db", "store.db.lock"]
    with Store(host.paths.store) as store:
        pool = store.get("pool", store.only("pool"))
        this = store.get("host", store.only("host"))
        pif = store.get("PIF", store.only("PIF"))
        dom0 = store.get("VM", store.only("VM"))
        network = store.get("network", store.only("network"))
    assert this["uuid"] == identity["host"]
    assert dom0["uuid"] == identity["control_domain"]
    assert (this["hostname"], this["address"]) == ("alpha.example.org", "192.0.2.77")
    assert (pif["device"], pif["IP"], pif["netmask"]) == ("eth0", "192.0.2.77", "255.255.255.0")
    assert pif["management"] is True
    assert (dom0["is_control_domain"], dom0["domid"], dom0["power_state"]) == (True, 0, "Running")
    assert network["bridge"] == "xenbr0"
    assert this["resident_VMs"] == [this["control_domain"]]
    assert pool["master"] == dom0["resident_on"] == pif["host"]


def test_a_bond_on_a_tagged_network(tmp_path: Path) -> None:
    other = replace(NIC, name="eth1", mac="52:54:00:00:00:02", permanent_mac="52:54:00:00:00:02")
    bond = {"mode": "lacp", "nics": [other.mac, NIC.mac]}
    host = Host(tmp_path, {**SPEC, "management": {"bond": bond, "vlan": 7, "mtu": 9000}}, (NIC, other))
    host.network.lease_vlan = 7
    assert host.boot()
    assert {entry.state for entry in read(host.paths.journal).steps} == {StepState.DONE}
    with Store(host.paths.store) as store:
        pifs = {(pif["device"], pif["VLAN"]): (ref, pif) for ref, pif in store.all("PIF").items()}
        made = store.get("Bond", store.only("Bond"))
        tagged = store.get("network", pifs["bond0", 7][1]["network"])
        alone = store.get("network", pifs["eth0", -1][1]["network"])
    assert set(pifs) == {("bond0", -1), ("bond0", 7), ("eth0", -1), ("eth1", -1)}
    assert made["master"] == pifs["bond0", -1][0]
    assert set(made["slaves"]) == {pifs["eth0", -1][0], pifs["eth1", -1][0]}
    assert made["primary_slave"] == pifs["eth1", -1][0]
    assert made["mode"] == "lacp"
    assert made["properties"] == {
        "hashing_algorithm": "tcpudp_ports", "lacp-time": "slow", "lacp-fallback-ab": "true",
    }  # fmt: skip
    assert pifs["bond0", 7][1]["management"]
    assert {pif["MAC"] for (device, _), (_, pif) in pifs.items() if device == "bond0"} == {other.mac}
    assert [pifs[key][1]["physical"] for key in (("bond0", -1), ("eth0", -1))] == [False, True]
    assert (tagged["bridge"], tagged["MTU"], alone["bridge"]) == ("mgmt0", 9000, "")
    host.boot()
    with Store(host.paths.store) as store:
        assert len(store.all("PIF")) == 4
        assert len(store.all("Bond")) == 1


def test_an_mtu_that_a_card_does_not_take_is_a_reservation(tmp_path: Path) -> None:
    host = Host(tmp_path, {**SPEC, "management": {"mtu": 9000}})
    host.network.most_mtu = 4078
    assert host.boot()
    assert [entry.note for entry in read(host.paths.journal).steps if entry.name == "network"] == [
        "xenbr0 has an MTU of 4078, not 9000: does every card take as much?"
    ]


def test_no_secret_is_left_or_shown(host: Host) -> None:
    host.boot()
    assert json.loads(host.paths.hostspec.read_text())["root"] == {"password_hash": None, "ssh_keys": [KEY]}
    assert host.paths.hostspec.stat().st_mode & 0o777 == 0o600
    for argv, _ in host.programs.calls:
        assert HASH not in " ".join(argv)
    for name, content in host.files().items():
        assert HASH.encode() not in content or name == "etc/shadow"
    assert HASH not in host.paths.journal.read_text()


def test_a_failing_password_program_does_not_show_the_hash(host: Host) -> None:
    host.programs.refuses = {"chpasswd": f"chpasswd: line 1: {HASH} refused"}
    with pytest.raises(UserError) as caught:
        host.boot()
    assert HASH not in str(caught.value)
    assert HASH not in host.paths.journal.read_text()
    assert HASH not in "".join(host.lines)


def test_later_boots_change_nothing(host: Host) -> None:
    host.boot()
    before = host.files()
    stamps = {path: path.stat().st_mtime_ns for path in host.paths.root.rglob("*") if path.is_file()}
    host.boot()
    assert host.files() == before
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    assert host.programs.calls == []
    assert host.lines[-1] == "zeroth host alpha.example.org is ready: https://192.0.2.77/\n"


def _operations() -> int:
    with tempfile.TemporaryDirectory() as folder:
        host = Host(Path(folder))
        assert host.boot()
        return host.programs.count


@pytest.mark.thorough
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_a_power_cut_at_any_operation_is_recovered_from(memory: Path, after: bool) -> None:
    operations = _operations()
    assert operations > 15
    for number in range(1, operations + 1):
        host = Host(memory / str(number))
        assert not host.boot(cut_at=number, after=after), number
        assert host.boot(), number
        _is_whole(host)


def test_power_cuts_at_every_second_operation_still_end_in_a_whole_host(host: Host) -> None:
    boots = 0
    while not host.boot(cut_at=2 + boots % 3, after=bool(boots % 2)):
        boots += 1
        assert boots < 200
        # Each try must get further, or the next larger budget must.
        if boots > 20:
            assert host.boot()
            break
    _is_whole(host)


def test_a_power_cut_in_the_driver_is_recovered_from(memory: Path) -> None:
    for cut in range(6):
        host = Host(memory / str(cut))
        host.network.cut_after = cut
        context = host.context()
        try:
            engine.start(context, Stream(), host.lines.append)
        except PowerCut:
            assert not read(host.paths.journal).finished
        assert host.boot()
        _is_whole(host)


def _is_whole(host: Host) -> None:
    record = read(host.paths.journal)
    assert record.finished
    assert [entry.name for entry in record.steps if entry.state is not StepState.DONE] == []
    assert any(FINISHED in line.splitlines() for line in host.lines)
    root = host.paths.root
    assert (root / "etc/shadow").read_text().startswith(f"root:{HASH}:")
    assert json.loads(host.paths.hostspec.read_text())["root"]["password_hash"] is None
    assert certificates.certificate_names(host.paths.certificate.read_bytes(), host.paths.key.read_bytes())
    assert not host.paths.network_undo.exists()
    with Store(host.paths.store) as store:
        for cls in ("pool", "host", "host_metrics", "VM", "VM_metrics", "network", "PIF", "PIF_metrics"):
            assert len(store.all(cls)) == 1, cls
    assert [path for path in root.rglob(".*") if path.is_file() and "ssh" not in str(path)] == []


def test_a_failed_step_says_why_and_is_tried_again(host: Host) -> None:
    host.network.lease = None
    with pytest.raises(UserError, match="no DHCP server answered"):
        host.boot()
    assert host.lines[-1].startswith("zeroth: first boot failed: network: no management address on xenbr0")
    assert host.lines[-1].count("\n") == 1
    assert "first boot FAILED at network" in host.paths.issue.read_text()
    failed = next(entry for entry in read(host.paths.journal).steps if entry.name == "network")
    assert (failed.state, failed.tries) == (StepState.FAILED, 1)
    assert "DHCP" in failed.error
    assert failed.hint
    # The way in by the console was made before.
    assert (host.paths.root / "etc/shadow").read_text().startswith(f"root:{HASH}:")
    host.network.lease = "192.0.2.77/24"
    assert host.boot()
    _is_whole(host)
    assert "is ready" in host.lines[-1]
    assert "FAILED" not in host.paths.issue.read_text()


def test_a_full_disk_is_told_and_recovered_from(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: str | bytes, *, mode: int = 0o644) -> None:
        raise OSError(28, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr("firstboot.system.atomic_write", full)
        with pytest.raises(UserError, match="No space left on device"):
            host.boot()
    assert "first boot failed: identity" in host.lines[-1]
    assert host.boot()


def test_a_bug_is_journaled_and_told_too(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("firstboot.steps.seed.seed", broken)
    with pytest.raises(ZeroDivisionError):
        host.boot()
    assert host.lines[-1] == "zeroth: first boot failed: seed: division by zero\n"
    assert next(entry for entry in read(host.paths.journal).steps if entry.name == "seed").state is StepState.FAILED


def test_a_changed_answer_is_applied_before_the_end_only(host: Host) -> None:
    host.network.lease = None
    with pytest.raises(UserError):
        host.boot()
    host.paths.hostspec.write_text(json.dumps({**SPEC, "hostname": "beta"}))
    host.network.lease = "192.0.2.77/24"
    assert host.boot()
    assert (host.paths.root / "etc/hostname").read_text() == "beta\n"
    host.paths.hostspec.write_text(json.dumps({**SPEC, "hostname": "gamma"}))
    assert host.boot()
    assert (host.paths.root / "etc/hostname").read_text() == "beta\n"


def test_keys_that_a_power_cut_damaged_are_made_anew(host: Host) -> None:
    for name in ("ssh_host_ed25519_key", "ssh_host_ed25519_key.pub"):
        (host.paths.root / "etc/ssh" / name).write_bytes(b"")
    assert host.boot()
    assert b"OPENSSH PRIVATE KEY" in (host.paths.root / "etc/ssh/ssh_host_ed25519_key").read_bytes()


def test_an_unknown_keymap_is_a_reservation(tmp_path: Path) -> None:
    host = Host(tmp_path, {**SPEC, "keyboard": "dvorak-zz"})
    assert host.boot()
    entry = next(entry for entry in read(host.paths.journal).steps if entry.name == "keyboard")
    assert entry.state is StepState.DONE
    assert "dvorak-zz" in entry.note


def test_an_unknown_time_zone_is_an_error(tmp_path: Path) -> None:
    host = Host(tmp_path, {**SPEC, "timezone": "Mars/Olympus"})
    with pytest.raises(UserError, match="no time zone 'Mars/Olympus'"):
        host.boot()


def test_time_servers_of_dhcp_reach_chrony(host: Host) -> None:
    links = host.network.links

    def with_ntp() -> tuple[object, ...]:
        return tuple(replace(link, ntp=("192.0.2.5",)) for link in links())

    host.network.links = with_ntp  # type: ignore[method-assign,assignment]
    host.boot()
    assert host.paths.of("run/chrony-dhcp/xenbr0.sources").read_text() == "server 192.0.2.5 iburst\n"
    assert (("chronyc", "reload", "sources"), None) in host.programs.calls


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no JSON"),
        ("[]", "no HostSpec"),
        (json.dumps({**SPEC, "hostname": "-"}), "wrong at hostname"),
        (json.dumps({**SPEC, "root": {"password": "open"}}), "plain password"),
    ],
)
def test_a_damaged_answer_is_told(host: Host, text: str, says: str) -> None:
    host.paths.hostspec.write_text(text)
    with pytest.raises(UserError, match=says):
        host.boot()


def test_a_damaged_journal_is_told(host: Host) -> None:
    host.paths.journal.write_text("{")
    with pytest.raises(UserError, match="journal of the first boot"):
        host.boot()


def test_services_are_enabled_only_where_the_image_did_not(host: Host) -> None:
    host.programs.units = {"ssh.service": "disabled"}
    host.boot()
    calls = [argv for argv, _ in host.programs.calls if argv[0] == "systemctl"]
    assert ("systemctl", "enable", "--quiet", "ssh.service") in calls
    start = ("systemctl", "start", "--no-block", "ssh.service", "chrony.service", "zeroth-auth.socket")
    assert (*start, "zeroth-agent.service") == calls[-1]


def test_an_image_without_the_agent_is_told(host: Host) -> None:
    host.programs.units = {"zeroth-agent.service": "not-found"}
    with pytest.raises(UserError, match="this image lacks zeroth-agent.service"):
        host.boot()
