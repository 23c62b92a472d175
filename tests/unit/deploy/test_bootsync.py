"""Boot files on two disks: written to both, copied from one to the other, and whole at every cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeroth.deploy.bootenv import BootState, make_boot_state, merged, read_boot_state, write_boot_state
from zeroth.deploy.bootmenu import ENTRY, MENU, REPAIR
from zeroth.deploy.bootsync import copy_boot_files
from zeroth.deploy.esp import Esp
from zeroth.deploy.loaders import EFI_PATH
from zeroth.errors import UserError
from zeroth.progress import Stream
from zeroth.system.size import MIB

SLOT_FILES = ("xen.gz", "vmlinuz", "initrd.img", "SHA256SUMS", REPAIR, ENTRY)


class Cut(Exception):
    pass


def _esp(path: Path) -> Esp:
    with path.open("wb") as file:
        file.truncate(34 * MIB)
    made = Esp(path)
    made.make("ZEROTH-ESP", "12345678")
    return made


def _fill(esp: Esp, slot: str, version: str) -> None:
    for name in SLOT_FILES:
        esp.put_text(f"{name} {version} {'x' * 5000}", f"/zeroth/{slot}/{name}")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Esp, Esp]:
    """The second was away while slot b was upgraded and committed."""
    both = Esp(_esp(tmp_path / "one").device, _esp(tmp_path / "two").device)
    _fill(both, "a", "1.0")
    _fill(both, "b", "0.9")
    both.put_text("the menu", MENU)
    both.put_text("GRUB", EFI_PATH)
    make_boot_state(both, BootState("a", generation=1))
    one, two = both.each
    _fill(one, "b", "1.1")
    one.put_text("signed", "/zeroth/b/host.efi")
    write_boot_state(one, BootState("b"))
    two.put_text("left behind", "/zeroth/a/old.bin")
    return one, two


def _content(esp: Esp) -> dict[str, str]:
    return {path: esp.sha256(path) for path in esp.files()}


def _copy(source: Esp, target: Esp, *, loader: bool = True) -> None:
    with Stream([]).step("copy") as step:
        copy_boot_files(source, target, step, loader=loader)


def test_what_is_written_is_written_to_both(tmp_path: Path) -> None:
    both = Esp(_esp(tmp_path / "one").device, _esp(tmp_path / "two").device)
    _fill(both, "a", "1.0")
    make_boot_state(both, BootState("a", generation=1))
    write_boot_state(both, BootState("a", "b", 2))
    both.remove("/zeroth/a/vmlinuz")
    one, two = both.each
    assert _content(one) == _content(two)
    assert not two.exists("/zeroth/a/vmlinuz")
    assert read_boot_state(two) == BootState("a", "b", 2)
    assert read_boot_state(two).generation == 2


def test_the_newer_boot_state_counts_and_of_equal_ones_the_fewest_tries(tmp_path: Path) -> None:
    assert merged((BootState("a", generation=4), BootState("b", generation=5))) == BootState("b")
    # GRUB counts down on the disk that it was started from.
    counted = merged((BootState("a", "b", 2, generation=3), BootState("a", "b", 1, generation=3)))
    assert counted == BootState("a", "b", 1)
    both = Esp(_esp(tmp_path / "one").device, _esp(tmp_path / "two").device)
    make_boot_state(both, BootState("a", generation=7))
    write_boot_state(both.each[1], BootState("b"))
    assert read_boot_state(both) == BootState("b")
    write_boot_state(both, BootState("a"))
    assert {read_boot_state(one).generation for one in both.each} == {9}


def test_a_disk_that_was_away_gets_everything(pair: tuple[Esp, Esp]) -> None:
    one, two = pair
    before = _content(one)
    _copy(one, two)
    assert _content(two) == before == _content(one)
    assert read_boot_state(two).generation == read_boot_state(one).generation


def test_an_empty_one_gets_everything_but_what_its_firmware_starts(pair: tuple[Esp, Esp], tmp_path: Path) -> None:
    fresh = _esp(tmp_path / "three")
    _copy(pair[0], fresh, loader=False)
    assert {EFI_PATH: pair[0].sha256(EFI_PATH), **_content(fresh)} == _content(pair[0])
    assert not fresh.exists(EFI_PATH)
    _copy(pair[0], fresh)
    assert _content(fresh) == _content(pair[0])


@pytest.mark.parametrize("cut", [0, 1, 2, 3, 4, 7, 10, 12])
def test_no_cut_leaves_a_slot_listed_whose_files_do_not_belong_together(
    pair: tuple[Esp, Esp], cut: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = pair
    whole = {
        slot: {name: [esp.sha256(f"/zeroth/{slot}/{name}") for esp in pair] for name in SLOT_FILES} for slot in "ab"
    }
    left = cut

    def counted(done: object) -> object:
        def do(self: Esp, *words: object) -> object:
            nonlocal left
            if self.device == two.device:
                if not left:
                    raise Cut
                left -= 1
            assert callable(done)
            return done(self, *words)

        return do

    with monkeypatch.context() as patch:
        for name in ("put", "remove"):
            patch.setattr(Esp, name, counted(getattr(Esp, name)))
        try:
            _copy(one, two)
        except Cut:
            assert read_boot_state(two).generation == 1, "the boot state comes last"
    for slot in "ab":
        if two.exists(f"/zeroth/{slot}/{ENTRY}"):
            digests = [two.sha256(f"/zeroth/{slot}/{name}") for name in SLOT_FILES]
            assert digests in ([whole[slot][name][at] for name in SLOT_FILES] for at in (0, 1))
    _copy(one, two)
    assert _content(two) == _content(one)


def test_nothing_is_copied_from_a_disk_that_cannot_be_read(pair: tuple[Esp, Esp], tmp_path: Path) -> None:
    before = _content(pair[1])
    with pytest.raises(UserError, match="no boot menu"):
        _copy(_esp(tmp_path / "empty"), pair[1])
    assert _content(pair[1]) == before
