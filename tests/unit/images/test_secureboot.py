"""Programs for Secure Boot, made and signed with the real tools."""

from __future__ import annotations

import struct
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from images.pack import grub_program
from images.secureboot.make import MEDIUM_LOADER, ON_MEDIUM, SignedInputs, make_signed
from images.secureboot.openpgp import key_file, sign_file
from images.secureboot.programs import host_program, image_end
from images.secureboot.sign import Signer
from images.tools import ToolsTree
from zeroth.deploy.imagedefaults import ImageDefaults
from zeroth.deploy.verity import ROOT_TREE, RootTree, write_root_tree
from zeroth.errors import UserError
from zeroth.keys.secureboot import ProgramKey, make_secure_boot_keys, program_key
from zeroth.system.run import CommandFailed, run

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TREE = RootTree(root_hash="ab" * 32, hash_offset=8192)


def _keys(folder: Path, owner: str) -> ProgramKey:
    make_secure_boot_keys(folder, owner, None, NOW)
    return program_key(folder, lambda _: lambda: b"")


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> ProgramKey:
    return _keys(tmp_path_factory.mktemp("ours"), "Ours")


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> ProgramKey:
    return _keys(tmp_path_factory.mktemp("foreign"), "Foreign")


def _gpgv(folder: Path, content: Path, signature: bytes, key: ProgramKey) -> bool:
    """Whether gpgv, which apt checks archives with, takes a signature."""
    (folder / "key.pgp").write_bytes(key_file(key))
    (folder / "content.sig").write_bytes(signature)
    words: list[str | Path] = ["gpgv", "--keyring", folder / "key.pgp", folder / "content.sig", content]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def test_what_grub_checks_is_openpgp(tmp_path: Path, ours: ProgramKey, foreign: ProgramKey) -> None:
    content = tmp_path / "content"
    content.write_bytes(b"program" * 1000)
    signature = sign_file(content, ours)
    assert signature == sign_file(content, ours)
    assert _gpgv(tmp_path, content, signature, ours)
    assert not _gpgv(tmp_path, content, sign_file(content, foreign), ours)
    content.write_bytes(b"Program" + b"program" * 999)
    assert not _gpgv(tmp_path, content, signature, ours)


@pytest.mark.parametrize("raw", [b"", b"MZ", b"MZ" + bytes(200), b"\x7fELF" + bytes(200)])
def test_what_is_no_program(raw: bytes) -> None:
    with pytest.raises(UserError, match="EFI program"):
        image_end(raw)


def test_where_a_program_ends() -> None:
    raw = bytearray(400)
    raw[:2] = b"MZ"
    struct.pack_into("<I", raw, 0x3C, 128)
    struct.pack_into("<4s20xH22xQ24xI", raw, 128, b"PE\0\0", 0x20B, 0xFFFF82D040000000, 0xB48248)
    assert image_end(bytes(raw)) == 0xFFFF82D040B48248


@pytest.fixture
def parts(tmp_path: Path, tools: ToolsTree) -> SignedInputs:
    """What a build has made by then; one of GRUB's programs stands for Xen's and the kernel's."""
    folders = {name: tmp_path / name for name in ("tree", "root", "boot")}
    for folder in (folders["tree"] / "boot", folders["root"], folders["boot"]):
        folder.mkdir(parents=True)
    for program in (folders["tree"] / "boot" / "xen-4.20.efi", folders["boot"] / "vmlinuz"):
        grub_program(program, platform="x86_64-efi", modules=["normal"], config="", tools=tools)
    (folders["boot"] / "initrd.img").write_bytes(b"initrd" * 1001)
    (folders["root"] / "root.squashfs").write_bytes(b"image")
    write_root_tree(folders["root"] / ROOT_TREE, TREE)
    image = ImageDefaults.of({"customisation": {"product": "Other's", "boot": {"xen": ["iommu=verbose"]}}})
    return SignedInputs(folders["tree"], folders["root"], folders["boot"], "1.2.3", image, ["quiet=1"])


def _make(parts: SignedInputs, key: ProgramKey, out: Path, tools: ToolsTree) -> Path:
    for folder in (out, out / "work"):
        folder.mkdir()
    make_signed(out, parts, Signer(key, tools, 1_700_000_000), out / "work")
    return out


def _section(program: Path, name: str, tools: ToolsTree) -> bytes:
    found = program.with_suffix(".section")
    tools.run(["objcopy", "-O", "binary", f"--only-section={name}", program, found], show=[program.parent])
    return found.read_bytes()


def test_programs_are_signed_and_hold_what_they_should(
    tmp_path: Path, tools: ToolsTree, parts: SignedInputs, ours: ProgramKey, foreign: ProgramKey
) -> None:
    before = set(Path("/run").glob("zeroth-signing-*"))
    one = _make(parts, ours, tmp_path / "one", tools)
    two = _make(parts, ours, tmp_path / "two", tools)
    assert set(Path("/run").glob("zeroth-signing-*")) == before
    names = (*ON_MEDIUM, MEDIUM_LOADER)
    assert {path.name for path in one.iterdir() if path.is_file()} == set(names)
    for key, name in ((ours, "ours.pem"), (foreign, "foreign.pem")):
        (one / name).write_bytes(key.certificate_pem)
    for name in names:
        raw = (one / name).read_bytes()
        assert raw == (two / name).read_bytes(), f"{name} differs from build to build"
        assert ours.secret_pem not in raw
        if name.endswith(".sig"):
            signed = one / name.removesuffix(".sig")
            content = signed if signed.exists() else parts.boot / signed.name
            assert _gpgv(tmp_path, content, raw, ours)
        else:
            tools.run(["sbverify", "--cert", one / "ours.pem", one / name], show=[one])
            with pytest.raises(CommandFailed):
                tools.run(["sbverify", "--cert", one / "foreign.pem", one / name], show=[one])
    config = _section(one / "host.efi", ".config", tools).decode()
    assert f"zeroth.disk=own zeroth.roothash={TREE.root_hash} zeroth.hash_offset=8192" in config
    assert "dom0_mem=1536M,max:4096M ucode=scan iommu=verbose\n" in config
    assert _section(one / "host.efi", ".ramdisk", tools).rstrip(b"\0") == b"initrd" * 1001


def test_a_changed_byte_is_found(tmp_path: Path, tools: ToolsTree, parts: SignedInputs, ours: ProgramKey) -> None:
    made = _make(parts, ours, tmp_path / "out", tools)
    (made / "ours.pem").write_bytes(ours.certificate_pem)
    program = made / "host.efi"
    raw = bytearray(program.read_bytes())
    place = raw.index(b"zeroth.roothash=ab") + len(b"zeroth.roothash=")
    raw[place] ^= 1
    program.write_bytes(raw)
    with pytest.raises(CommandFailed):
        tools.run(["sbverify", "--cert", made / "ours.pem", program], show=[made])
    assert not _gpgv(tmp_path, program, (made / "host.efi.sig").read_bytes(), ours)


def test_sections_lie_apart_in_whole_blocks(tmp_path: Path, tools: ToolsTree, parts: SignedInputs) -> None:
    out = tmp_path / "host"
    xen = parts.tree / "boot" / "xen-4.20.efi"
    host_program(xen, {".config": b"x", ".kernel": parts.boot / "vmlinuz"}, out, tools=tools, epoch=1_700_000_000)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("host")] == ["host"]
    listing = run(
        [*tools.argv(["objdump", "-h", out], show=[tmp_path])], env={"PATH": "/usr/bin:/bin:/usr/sbin"}
    ).stdout
    rows = [line.split() for line in listing.splitlines() if len(line.split()) == 7]
    added = {
        row[1]: (int(row[2], 16), int(row[3], 16), int(row[5], 16)) for row in rows if row[1] in (".config", ".kernel")
    }
    assert set(added) == {".config", ".kernel"}
    for size, address, _ in added.values():
        assert size % 4096 == 0
        assert address % (16 << 20) == 0
    assert added[".kernel"][2] == added[".config"][2] + added[".config"][0]
