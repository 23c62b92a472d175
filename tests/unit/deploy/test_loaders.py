"""Boot entries and the ESP."""

from __future__ import annotations

from pathlib import Path

import pytest

from zeroth.deploy.esp import Esp
from zeroth.deploy.journal import Journal, read_journal
from zeroth.deploy.loaders import stale_entries
from zeroth.errors import UserError
from zeroth.system.files import sha256_file

GONE, HERE = "4ab00001-0000-4000-8000-000000000000", "4ab00002-0000-4000-8000-000000000000"
LISTING = f"""BootCurrent: 0001
Timeout: 0 seconds
BootOrder: 0004,0000,0001
Boot0000* UiApp\tFvVol(7cb8bdc9)/FvFile(462caa21)
Boot0001* UEFI QEMU DVD-ROM\tPciRoot(0x0)/Pci(0x1f,0x2)/Sata(0,65535,0)
Boot0004* zeroth\tHD(2,GPT,{GONE},0x1000,0x200000)/File(\\EFI\\BOOT\\BOOTX64.EFI)
Boot0005* zeroth\tHD(2,GPT,{HERE.upper()},0x1000,0x200000)/File(\\EFI\\BOOT\\BOOTX64.EFI)
Boot000A  zeroth\tHD(2,GPT,{GONE},0x1000,0x200000)/File(\\EFI\\BOOT\\BOOTX64.EFI)
Boot000B* debian\tHD(1,GPT,{GONE},0x1000,0x200000)/File(\\EFI\\debian\\shimx64.efi)
"""


def test_only_our_entries_of_disks_that_are_gone() -> None:
    assert stale_entries(LISTING, {HERE}) == ["0004", "000A"]
    assert stale_entries(LISTING, {HERE, GONE}) == []
    assert stale_entries("", set()) == []


@pytest.fixture
def esp(tmp_path: Path) -> Esp:
    image = tmp_path / "esp"
    with image.open("wb") as file:
        file.truncate(64 << 20)
    made = Esp(image)
    made.make("ZEROTH-ESP", "12345678")
    return made


def test_put_replaces_whole_files(esp: Esp, tmp_path: Path) -> None:
    source = tmp_path / "xen.gz"
    for data in (b"old" * 1000, b"new"):
        source.write_bytes(data)
        esp.put(source, "/zeroth/a/xen.gz", sha256_file(source))
        assert esp.read_text("/zeroth/a/xen.gz") == data.decode()
    assert not esp.exists("/zeroth/a/xen.new")
    esp.put_text("set timeout=3\n", "/boot/grub/grub.cfg")
    assert esp.read_text("/boot/grub/grub.cfg") == "set timeout=3\n"
    assert esp.exists("/zeroth/a")
    assert not esp.exists("/zeroth/b")


def test_what_arrives_wrong_does_not_get_its_name(esp: Esp, tmp_path: Path) -> None:
    source = tmp_path / "vmlinuz"
    source.write_bytes(b"linux")
    with pytest.raises(UserError, match="reads back"):
        esp.put(source, "/zeroth/a/vmlinuz", "00" * 32)
    assert not esp.exists("/zeroth/a/vmlinuz")


def test_a_journal_waits_for_its_place_and_survives_a_cut(tmp_path: Path) -> None:
    journal = Journal()
    journal.add("table", "done")
    path = tmp_path / "install" / "journal.jsonl"
    journal.keep_in(path)
    journal.add("image", "begin", size=3)
    journal.let_go()
    journal.add("commit", "done")
    with path.open("a") as file:
        file.write('{"what": "cut o')
    assert [entry["what"] for entry in read_journal(path)] == ["table", "image"]
    assert read_journal(path)[1]["size"] == 3
    assert path.stat().st_mode & 0o777 == 0o600
