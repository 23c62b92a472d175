"""The boot menu."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zeroth.deploy.bootmenu import BootEntry, boot_entry, grub_quote, render_boot_menu, render_entries, render_selector
from zeroth.deploy.imagedefaults import ImageDefaults
from zeroth.deploy.layout import InstallId, Part
from zeroth.deploy.verity import RootTree
from zeroth.errors import UserError
from zeroth.spec.model import Dom0Spec
from zeroth.system.size import GIB, Size

IDENTITY = InstallId(UUID("11111111-2222-4333-8444-555555555555"))
TREE = RootTree(root_hash="ef" * 32, hash_offset=8192)


def _menu(dom0: Dom0Spec) -> str:
    entries = render_entries(boot_entry("a", "0.1.0", IDENTITY, dom0, TREE))
    assert list(entries) == ["repair.cfg", "entry.cfg"]
    return render_boot_menu(dom0.serial) + entries["repair.cfg"] + entries["entry.cfg"]


def test_goes_by_partuuid_and_has_the_console_on_both() -> None:
    menu = _menu(Dom0Spec())
    assert f"zeroth.root=PARTUUID={IDENTITY.partition_uuid(Part.SLOT_A)} " in menu
    assert f"zeroth.state=PARTUUID={IDENTITY.partition_uuid(Part.STATE)} " in menu
    assert f"zeroth.log=PARTUUID={IDENTITY.partition_uuid(Part.LOG)} " in menu
    assert "dom0_mem=1536M,max:1536M com1=115200,8n1 console=com1,vga ucode=scan\n" in menu
    assert "console=hvc0 console=tty0 $words\n" in menu
    assert f" zeroth.roothash={TREE.root_hash} zeroth.hash_offset=8192 " in menu
    assert "label" not in menu.lower()


def test_settings_of_domain_0() -> None:
    menu = _menu(Dom0Spec(memory=Size(2 * GIB), vcpus=4, serial=None, xen_append=("sched=credit",)))
    assert "dom0_mem=2048M,max:2048M dom0_max_vcpus=4 console=vga ucode=scan sched=credit\n" in menu
    assert "terminal_input" not in menu
    assert "ttyS0" not in menu


def test_a_slot_of_its_own() -> None:
    entry = boot_entry("b", "", IDENTITY, Dom0Spec(), TREE)
    assert f"zeroth.root=PARTUUID={IDENTITY.partition_uuid(Part.SLOT_B)}" in entry.linux
    assert "zeroth.slot=b" in entry.linux


def test_the_image_s_own_words_come_before_the_answer_s() -> None:
    image = ImageDefaults.of({
        "version": "1", "customisation": {"product": "Example Cloud Host", "files": [],
        "boot": {"xen": ["sched=credit"], "dom0": ["debug"], "medium": ["x=1"]}},
    })  # fmt: skip
    dom0 = Dom0Spec(xen_append=("sched=credit2",), linux_append=("quiet",))
    entry = boot_entry("a", "7", IDENTITY, dom0, TREE, image)
    assert entry.title == "Example Cloud Host 7"
    assert entry.xen[-2:] == ("sched=credit", "sched=credit2")
    assert entry.linux[-2:] == entry.bare_linux[-2:] == ("debug", "quiet")
    assert ImageDefaults.of([]) == ImageDefaults.of({}) == ImageDefaults()


@pytest.mark.parametrize("words", [["zeroth.mode=rescue"], ["a b"], ["x\ny"], "word", [1]])
def test_a_manifest_with_words_that_no_entry_can_have(words: object) -> None:
    with pytest.raises(UserError, match=r"customisation\.boot\.dom0"):
        ImageDefaults.of({"customisation": {"boot": {"dom0": words}}})


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_quoting_is_that_of_a_shell(word: str) -> None:
    # Inside single quotes GRUB's shell and the POSIX one agree.
    assert shlex.split(grub_quote(word)) == [word]


@pytest.mark.parametrize("word", ["a\nb", "a\0", "\x1b[2J", "\x7f"])
def test_no_control_characters(word: str) -> None:
    with pytest.raises(ValueError, match="control character"):
        grub_quote(word)


@pytest.mark.parametrize("words", [(), ("it's", "a b", "a;b{", "${x}", "#", "}", '"')])
def test_grub_itself_accepts_it(tmp_path: Path, words: tuple[str, ...]) -> None:
    path = tmp_path / "grub.cfg"
    plain = boot_entry("a", "0.1", IDENTITY, Dom0Spec(), TREE)
    odd = BootEntry("b", "it's { 1", (*plain.xen, *words), (*plain.linux, *words), (*plain.bare_linux, *words))
    for text in (render_boot_menu(115200), *render_entries(plain).values(), *render_entries(odd).values()):
        path.write_text(text)
        _check_script(path)


@pytest.mark.parametrize("product", ["zeroth", "it's { 1", "$(x) ${y}"])
def test_grub_accepts_the_signed_selector(tmp_path: Path, product: str) -> None:
    path = tmp_path / "grub.cfg"
    path.write_text(render_selector(product, "host.efi"))
    _check_script(path)


def test_the_signed_selector_believes_nothing_that_is_not_signed() -> None:
    signed, plain = render_selector("zeroth", "host.efi").splitlines(), render_boot_menu(115200).splitlines()
    # Files of the disk are read with Secure Boot off alone; the environment block tells names of slots, and no more.
    locked = signed[signed.index("fi") :]
    assert not [line for line in locked if line.split()[:1] in (["source"], ["configfile"], ["linux"], ["multiboot2"])]
    assert [line.strip() for line in locked if "load_env" in line] == [
        "load_env --skip-sig committed trial tries",
        "load_env --skip-sig tries",
    ]
    assert [line for line in locked if "menuentry" in line and "--unrestricted" not in line] == []
    # Both menus count tries by the same words.
    begin, end = "set committed=a", 'if [ "$choice" = a ]; then set other=b; else set other=a; fi'
    counting = [line.replace(" --skip-sig", "") for line in signed[signed.index(begin) : signed.index(end)]]
    assert counting == plain[plain.index(begin) : plain.index(end)]


def _check_script(path: Path) -> None:
    done = subprocess.run(["grub-script-check", path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
