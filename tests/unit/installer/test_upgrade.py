"""Upgrading the host on a disk from a medium."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from installer import upgrade as installer_upgrade
from installer.apply import Places
from installer.ending import Ended, Report
from installer.image import read_image
from installer.main import Session
from installer.upgrade import HostUpgrade, MediumSource, find_upgrade
from tests.unit.installer.loopdisk import LoopDisk, loop_disk
from tests.unit.installer.machines import HASH, disk, machine, spec
from tests.unit.installer.medium import TREE, write_medium
from tests.unit.installer.networks import ModelNetwork
from tests.unit.installer.test_whole import OneDisk
from zeroth.deploy.bootenv import ENVIRONMENT, BootState, read_boot_state, write_boot_state
from zeroth.deploy.esp import Esp
from zeroth.deploy.layout import Part
from zeroth.deploy.slotstate import SlotState
from zeroth.deploy.upgrade_apply import Upgrade
from zeroth.deploy.verity import ROOT_TREE, write_root_tree
from zeroth.errors import ExitCode, UserError
from zeroth.system.block import flush, mounted, partition_path
from zeroth.system.facts import AppliedFacts, DiskFacts, PartitionFacts, Signature, ZerothFacts
from zeroth.system.size import GIB, MIB

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="loop devices and mounts need root")
NAMES = ("root.squashfs", "xen.gz", "vmlinuz", "initrd.img")


def medium_of(folder: Path, version: str, root_hash: str, signed: tuple[str, ...] = ()) -> Path:
    manifest = f'{{"version": "{version}"}}'.encode()
    write_medium(folder, {name: f"{name} {version} ".encode() * 3000 for name in (*NAMES, *signed)}, version)
    write_root_tree(folder / "zeroth" / ROOT_TREE, TREE.model_copy(update={"root_hash": root_hash}))
    (folder / "zeroth/manifest.json").write_bytes(manifest)
    names = (*NAMES, *signed, ROOT_TREE, "manifest.json")
    lines = (f"{hashlib.sha256((folder / 'zeroth' / name).read_bytes()).hexdigest()}  {name}\n" for name in names)
    (folder / "zeroth/SHA256SUMS").write_text("".join(lines))
    return folder


class Installed:
    """A disk with a host of version 0.1.0, and media."""

    def __init__(self, folder: Path, disk: LoopDisk) -> None:
        self.folder, self.disk, self.said = folder, disk, io.StringIO()
        self.old = medium_of(folder / "old", "0.1.0", "aa" * 32)
        self.new = medium_of(folder / "new", "0.2.0", "bb" * 32)
        assert self.run(self.old, "disk: {wipe: true}").ended is Ended.FINISHED

    def run(self, medium: Path, *lines: str, cmdline: str = "quiet") -> Report:
        (self.folder / "cmdline").write_text(f"{cmdline}\n")
        answer = self.folder / "answer.yaml"
        answer.write_text("\n".join([f'hostname: host1\nroot: {{password_hash: "{HASH}"}}', *lines]) + "\n")
        image = read_image(medium, Path("/nonexistent"))
        return Session(
            [self.said], answer, machine=OneDisk(self.disk), image=lambda: image, links=lambda: None,
            places=Places(mounts=self.folder / "mounts", efi_loader=image.root.path), log=self.folder / "log",
            trial=ModelNetwork(), cmdline=self.folder / "cmdline",
        ).run()  # fmt: skip

    @property
    def esp(self) -> Esp:
        return Esp(partition_path(self.disk.node, Part.ESP))

    @contextmanager
    def state(self) -> Iterator[SlotState]:
        with mounted(partition_path(self.disk.node, Part.STATE), self.folder / "look") as folder:
            yield SlotState(folder)


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    (tmp_path / "image/etc").mkdir(parents=True)
    (tmp_path / "image/etc/motd").write_text("old\n")

    @contextmanager
    def slot_image(_: HostUpgrade, __: object) -> Iterator[Path]:
        # The test's root images are no squashfs.
        yield tmp_path / "image"

    monkeypatch.setattr(HostUpgrade, "_slot_image", slot_image)
    monkeypatch.setattr(installer_upgrade, "Upgrade", partial(Upgrade, verify=lambda *_: None))
    with loop_disk(tmp_path / "disk", 16 * GIB) as disk:
        yield Installed(tmp_path, disk)


def test_the_medium_goes_into_the_other_slot_and_once_only(host: Installed) -> None:
    old = {name: host.esp.sha256(f"/zeroth/a/{name}") for name in (*NAMES[1:], "entry.cfg")}
    report = host.run(host.new, "mode: upgrade")
    assert (report.ended, report.code) == (Ended.FINISHED, ExitCode.DONE), host.said.getvalue()
    assert "stays as it is" in host.said.getvalue()
    assert {name: host.esp.sha256(f"/zeroth/a/{name}") for name in old} == old
    assert read_boot_state(host.esp) == BootState("a", "b", 2)
    assert "bb" * 32 in host.esp.read_text("/zeroth/b/entry.cfg")
    with host.state() as state:
        note = state.pending("b")
        assert note is not None
        assert (note.source_version, note.version) == ("0.1.0", "0.2.0")
        assert (state.base / "motd").read_text() == "old\n"
    # The medium is still in its drive.
    again = host.run(host.new, "mode: upgrade")
    assert again.ended is Ended.NOTHING_TO_DO
    assert "waits to be tried" in again.reason
    write_boot_state(host.esp, BootState("a", "b", 0))
    assert "was tried and failed" in host.run(host.new, "mode: upgrade").reason
    assert read_boot_state(host.esp) == BootState("a", "b", 0)
    assert host.run(host.new, "mode: upgrade", "reinstall: true").ended is Ended.FINISHED
    # It has proved itself: the old one is a downgrade, and itself nothing new.
    write_boot_state(host.esp, BootState("b"))
    with host.state() as state:
        state.folder("b").mkdir()
        (state.folder("a") / "store").rename(state.folder("b") / "store")
        state.prove("b")
    assert "runs this very image already" in host.run(host.new, "mode: upgrade").reason
    refused = host.run(host.old, "mode: upgrade")
    assert refused.ended is Ended.FAILED
    assert "older version" in refused.reason


def test_a_plan_alone_writes_nothing(host: Installed) -> None:
    def head() -> bytes:
        with partition_path(host.disk.node, Part.STATE).open("rb") as device:
            return device.read(MIB)

    before = head()
    report = host.run(host.new, "mode: upgrade", cmdline="zeroth.plan")
    assert "the plan was all that was asked for" in report.line, host.said.getvalue()
    assert head() == before, "mounting a file system to write counts in its superblock"
    assert read_boot_state(host.esp) == BootState("a")


@pytest.mark.parametrize("problem", ["is damaged", "is missing"])
def test_without_a_boot_state_nobody_knows_which_slot_may_be_lost(host: Installed, problem: str) -> None:
    """GRUB then starts slot a; the host, and what it knows of its guests, may be in slot b, which would be written."""
    device = host.esp.device
    if problem == "is missing":
        host.esp.remove(ENVIRONMENT)
    else:
        with device.open("r+b") as file:
            file.seek(host.esp.extents(ENVIRONMENT)[0])
            file.write(bytes(1024))
        flush(device)
    report = host.run(host.new, "mode: upgrade")
    assert (report.ended, report.code) == (Ended.FAILED, ExitCode.MACHINE)
    assert f"the boot state ({ENVIRONMENT}) on {device} {problem}" in report.reason
    assert "zeroth installer repair" in report.hint
    with host.state() as state:
        assert not state.upgrades.exists()


@pytest.mark.parametrize(
    "selection",
    [{}, {"select": "/dev/sda"}, {"select": "/dev/sdb"}, {"layout": "mirror"},
     {"layout": "mirror", "select": "/dev/sda", "mirror_with": "/dev/sdb"}, {"sr_disks": ["/dev/sdx"]}],
)  # fmt: skip
def test_a_host_on_two_disks_is_one_host(tmp_path: Path, selection: dict[str, object]) -> None:
    """Whichever of them the answer says, as the one that it was installed by."""
    legs = _legs("ab", "/dev/sda", "/dev/sdb")
    image = read_image(medium_of(tmp_path, "0.2.0", "bb" * 32))
    found = find_upgrade(machine(*legs), spec(disk=selection), image).host
    assert (found.disks, found.array) == (tuple(legs), ":".join(["ab" * 4] * 4))
    alone = disk("/dev/sdc", zeroth=legs[0].zeroth)
    assert find_upgrade(machine(*legs, alone), spec(disk={"select": "/dev/sdc"}), image).host.disks == (alone,)
    with pytest.raises(UserError, match="exactly one must match") as caught:
        find_upgrade(machine(*legs, alone), spec(disk={}), image)
    assert "/dev/sda and /dev/sdb (0.1.0); /dev/sdc (0.1.0)" in caught.value.hint


def _legs(array: str, *paths: str, models: Sequence[str] = ()) -> list[DiskFacts]:
    """The disks of a mirror with a host."""
    applied = AppliedFacts(digest="ab" * 32, time="2026-11-01", version="0.1.0")
    return [
        disk(path, model=model, table="gpt", zeroth=ZerothFacts(state=f"{path}5", applied=applied),
             partitions=(PartitionFacts(
                 number=5, path=f"{path}5", start=0, size=1,
                 signatures=(Signature(type="linux_raid_member", offset=4096, uuid=array * 16),)
             ),))
        for path, model in zip(paths, models or ["disk"] * len(paths), strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize("models", [("new", "new", "new", "old"), ("new", "old", "old", "new")])
def test_an_answer_that_fits_disks_of_two_hosts_means_neither(tmp_path: Path, models: tuple[str, ...]) -> None:
    image = read_image(medium_of(tmp_path, "0.2.0", "bb" * 32))
    legs = [
        *_legs("ab", "/dev/sda", "/dev/sdb", models=models[:2]),
        *_legs("cd", "/dev/sdc", "/dev/sdd", models=models[2:]),
    ]
    with pytest.raises(UserError, match="model=new.*exactly one must match") as caught:
        find_upgrade(machine(*legs), spec(disk={"select": "model=new"}), image)
    assert "/dev/sda and /dev/sdb (0.1.0); /dev/sdc and /dev/sdd (0.1.0)" in caught.value.hint


def test_a_disk_that_is_passed_over_takes_no_host_out_of_the_choice(tmp_path: Path) -> None:
    image = read_image(medium_of(tmp_path, "0.2.0", "bb" * 32))
    one = _legs("ab", "/dev/sda", "/dev/sdb")
    one[1] = one[1].model_copy(update={"removable": True})
    with pytest.raises(UserError, match="exactly one must match"):
        find_upgrade(machine(*one, *_legs("cd", "/dev/sdc", "/dev/sdd")), spec(), image)


def test_a_host_is_meant_by_any_of_its_disks(tmp_path: Path) -> None:
    """A disk that was replaced and came back is a third one of the same mirror."""
    image = read_image(medium_of(tmp_path, "0.2.0", "bb" * 32))
    legs = _legs("ab", "/dev/sda", "/dev/sdb", "/dev/sdc")
    assert find_upgrade(machine(*legs), spec(disk={"select": "/dev/sdc"}), image).host.disks == tuple(legs)
    other = _legs("cd", "/dev/sdd", models=["other"])
    chosen = spec(disk={"select": "serial=none", "alternatives": ["model=other", "only"]})
    assert find_upgrade(machine(*legs, *other), chosen, image).host.disks == tuple(other)


def test_without_a_host_there_is_nothing_to_upgrade(tmp_path: Path, host: Installed) -> None:
    report = host.run(host.new, "mode: upgrade", "disk: {select: 'serial=other'}")
    assert report.ended is Ended.FAILED
    assert "serial=other" in report.reason
    assert "0.1.0" in host.said.getvalue()
    with loop_disk(tmp_path / "empty", 16 * GIB) as disk:
        host.disk = disk
        assert "no disk of this machine carries a host" in host.run(host.new, "mode: upgrade").reason


def test_a_signed_medium_upgrades_with_its_signed_program(tmp_path: Path) -> None:
    image = read_image(medium_of(tmp_path, "0.2.0", "bb" * 32, ("host.efi", "host.efi.sig", "selector.efi")))
    assert image.manifest is not None
    source = MediumSource(image, image.manifest)
    names = [payload.name for payload in source.header.payloads]
    assert names == ["manifest.json", *NAMES, "host.efi", "host.efi.sig"]
    read = {one.payload.name: b"".join(one.chunks()) for one in source.payloads()}
    assert read["host.efi"] == (tmp_path / "zeroth/host.efi").read_bytes()
    assert list(read) == names
