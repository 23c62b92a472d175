"""The local storage repository: made, grown, taken over, told apart from others; a power cut after every command.

Against a model of LVM, and against LVM itself where it is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.drivers.lvm_model import Lvm, device_nodes
from tests.unit.drivers.model_machine import PowerCut
from zeroth.deploy.localsr import LocalSrRecord, read_record, write_record
from zeroth.drivers.storage.localsr import (
    Runner,
    apply_local_sr,
    found_record,
    observe_local_sr,
    plan_local_sr,
)
from zeroth.errors import UserError
from zeroth.system.run import CommandFailed, Completed, run
from zeroth.system.size import GIB

UUID = "11111111-2222-4333-8444-555555555555"
OTHER = "99999999-2222-4333-8444-555555555555"


def _record(count: int, *, kept: bool = False, group_uuid: str = "") -> LocalSrRecord:
    devices = tuple(f"PARTUUID=uuid-{number}" for number in range(count))
    return LocalSrRecord(uuid=UUID, devices=devices, kept=kept, group_uuid=group_uuid)


def _reconcile(record: LocalSrRecord, runner: Runner, devices: Path) -> LocalSrRecord:
    for action in plan_local_sr(record, observe_local_sr(record, runner, devices)):
        apply_local_sr(action, runner)
    return found_record(record, observe_local_sr(record, runner, devices))


@given(count=st.integers(1, 4), begun=st.integers(0, 4), cut=st.integers(1, 12))
def test_it_is_made_whatever_was_begun_and_cut_off(count: int, begun: int, cut: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        nodes = device_nodes(Path(name), count)
        # LVM labels its physical volumes before there is a group.
        lvm = Lvm(volumes=dict.fromkeys(nodes[:begun], ""), cut_at=cut)
        with suppress(PowerCut):
            _reconcile(_record(count), lvm.run, Path(name))
        lvm.cut_at = 0
        found = _reconcile(_record(count), lvm.run, Path(name))
        assert (found.uuid, found.group, found.group_uuid) == (UUID, "zeroth-sr", "uuid-of-zeroth-sr")
        assert lvm.volumes == dict.fromkeys(nodes, "zeroth-sr")
        assert lvm.used == set(nodes)
        lvm.calls.clear()
        assert _reconcile(found, lvm.run, Path(name)) == found
        assert {call[0] for call in lvm.calls} == {"pvs", "lvm"}


def test_it_grows_by_a_disk_that_was_not_in_it_yet(tmp_path: Path) -> None:
    nodes = device_nodes(tmp_path, 2)
    lvm = Lvm({nodes[0]: "zeroth-sr"}, {"zeroth-sr": [f"zeroth-sr={UUID}"]})
    _reconcile(_record(2), lvm.run, tmp_path)
    assert lvm.volumes == dict.fromkeys(nodes, "zeroth-sr")


def test_one_that_was_kept_is_taken_over(tmp_path: Path) -> None:
    nodes = device_nodes(tmp_path, 2)
    lvm = Lvm(dict.fromkeys(nodes, "guests"), {"guests": ["mine", f"zeroth-sr={OTHER}"]})
    found = _reconcile(_record(2, kept=True, group_uuid="uuid-of-guests"), lvm.run, tmp_path)
    assert (found.uuid, found.group) == (OTHER, "guests")
    assert lvm.active == {"guests"}
    assert lvm.used == set(nodes)
    assert not [call for call in lvm.calls if call[0] in ("vgcreate", "vgextend") or "--addtag" in call]


def test_one_that_was_kept_without_a_uuid_gets_one(tmp_path: Path) -> None:
    [node] = device_nodes(tmp_path, 1)
    lvm = Lvm({node: "guests"}, {"guests": []})
    found = _reconcile(_record(1, kept=True), lvm.run, tmp_path)
    assert found.uuid == UUID
    assert lvm.groups == {"guests": [f"zeroth-sr={UUID}"]}


@pytest.mark.parametrize(
    ("lvm", "record", "why"),
    [
        (Lvm(), _record(1, kept=True), "cannot be found on"),
        (Lvm({"sd0": ""}), _record(1, kept=True), "cannot be found on"),
        (Lvm({"sd0": "a"}, {"a": []}), _record(1, kept=True, group_uuid="uuid-of-b"), "cannot be found on"),
        (Lvm({"sd0": "a"}, {"a": []}, gone=1), _record(1, kept=True), "short of 1 physical volumes"),
        (Lvm({"sd0": "a"}, {"a": []}), _record(1), "volume group a lies where"),
        (Lvm({"sd0": "a"}, {"a": [f"zeroth-sr={OTHER}"]}), _record(1), "volume group a lies where"),
        (
            Lvm({"sd0": "a", "sd1": "b"}, {"a": [f"zeroth-sr={UUID}"], "b": []}),
            _record(2),
            "group a and b lies",
        ),
        (Lvm(), _record(3), "PARTUUID=uuid-2 of the local storage repository cannot be found"),
    ],
)
def test_nothing_is_changed_where_something_else_is(
    lvm: Lvm, record: LocalSrRecord, why: str, tmp_path: Path
) -> None:  # fmt: skip
    nodes = device_nodes(tmp_path, 2)
    found = {nodes[int(name[-1])]: group for name, group in lvm.volumes.items()}
    model = Lvm(found, dict(lvm.groups), lvm.gone)
    with pytest.raises(UserError, match=why):
        _reconcile(record, model.run, tmp_path)
    assert {call[0] for call in model.calls} == {"pvs"}


def test_a_report_that_cannot_be_understood(tmp_path: Path) -> None:
    device_nodes(tmp_path, 1)
    with pytest.raises(UserError, match="report cannot be understood"):
        observe_local_sr(_record(1), lambda argv: Completed((), 0, "{}", ""), tmp_path)


def test_the_record(tmp_path: Path) -> None:
    path = tmp_path / "local-sr.json"
    assert read_record(path) is None
    write_record(path, _record(2, kept=True))
    assert read_record(path) == _record(2, kept=True)
    path.write_text("{}")
    with pytest.raises(UserError, match="cannot be understood"):
        read_record(path)


# LVM itself

REAL = pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("vgcreate"), reason="needs root and LVM")
_CONFIG = """\
devices {{ use_devicesfile=1 obtain_device_list_from_udev=0 external_device_info_source="none" }}
devices {{ dir="{0}" scan=["{0}"] }}
global {{ locking_dir="{1}" }}
activation {{ udev_sync=0 udev_rules=0 }}
backup {{ backup=0 archive=0 }}
"""


@pytest.fixture
def devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two disks of loop devices, and an LVM that has no other."""
    folder, home = tmp_path / "dev", tmp_path / "lvm"
    (home / "devices").mkdir(parents=True)
    (home / "devices/system.devices").write_text("# None yet.\n")
    (home / "lvm.conf").write_text(_CONFIG.format(folder, tmp_path / "lock"))
    monkeypatch.setenv("LVM_SYSTEM_DIR", str(home))
    monkeypatch.setenv("LVM_SUPPRESS_FD_WARNINGS", "1")
    device_nodes(folder, 2)
    with ExitStack() as stack:
        for number in range(2):
            image = tmp_path / f"{number}.img"
            with image.open("wb") as file:
                file.truncate(GIB)
            loop = subprocess.run(
                ["losetup", "--find", "--show", image], check=True, capture_output=True, text=True
            ).stdout.strip()  # fmt: skip
            stack.callback(subprocess.run, ["losetup", "--detach", loop], check=True)
            (folder / f"sd{number}").unlink()
            os.mknod(folder / f"sd{number}", 0o600 | 0o060000, Path(loop).stat().st_rdev)
        yield folder


def _real(argv: Sequence[str | os.PathLike[str]]) -> Completed:
    if "--activate" in argv:
        # There may be no device mapper here.
        return Completed((), 0, "", "")
    return run(argv, timeout=60)


def _devices_file(tmp_path: Path) -> str:
    return (tmp_path / "lvm/devices/system.devices").read_text()


@REAL
def test_with_lvm_itself(devices: Path, tmp_path: Path) -> None:
    made = _reconcile(_record(2), _real, devices)
    assert (made.uuid, made.group) == (UUID, "zeroth-sr")
    assert [name in _devices_file(tmp_path) for name in ("sd0", "sd1")] == [True, True]
    assert _reconcile(_record(2), _real, devices) == made
    assert run(["vgs", "--noheadings", "-o", "pv_count"]).stdout.split() == ["2"]
    # A host that is installed anew knows of no device, and of the group only what the installer saw.
    (tmp_path / "lvm/devices/system.devices").write_text("# None yet.\n")
    later = LocalSrRecord(uuid=OTHER, devices=made.devices, kept=True, group_uuid=made.group_uuid)
    adopted = _reconcile(later, _real, devices)
    assert (adopted.uuid, adopted.group, adopted.group_uuid) == (UUID, "zeroth-sr", made.group_uuid)
    assert [name in _devices_file(tmp_path) for name in ("sd0", "sd1")] == [True, True]
    with pytest.raises(UserError, match="lies where"):
        _reconcile(LocalSrRecord(uuid=OTHER, devices=made.devices), _real, devices)


@REAL
def test_with_lvm_itself_begun_and_grown(devices: Path) -> None:
    run(["pvcreate", devices / "sd1"])
    assert _reconcile(_record(1), _real, devices).group == "zeroth-sr"
    _reconcile(_record(2), _real, devices)
    assert run(["vgs", "--noheadings", "-o", "pv_count"]).stdout.split() == ["2"]


@REAL
def test_lvm_itself_erases_nothing_that_it_is_not_told_to(devices: Path) -> None:
    run(["mkfs.ext4", "-q", "-F", devices / "sd0"])
    with pytest.raises(CommandFailed, match="ext4"):
        _reconcile(_record(1), _real, devices)
    assert "ext4" in run(["wipefs", "--no-act", devices / "sd0"]).stdout
