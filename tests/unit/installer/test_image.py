"""Reading and checking the image on a medium."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.image import read_image, verify_image
from tests.unit.installer.medium import TREE, write_medium
from zeroth.errors import UserError
from zeroth.system.files import sha256_file

FILES = {"root.squashfs": b"root" * 1000, "xen.gz": b"xen", "vmlinuz": b"linux", "initrd.img": b"initrd"}
NOWHERE = Path("/nonexistent")


def make_medium(medium: Path, prefix: str = "") -> Path:
    return write_medium(medium, FILES, "1.2.3", prefix)


@pytest.mark.parametrize("prefix", ["", "./", "zeroth/"])
def test_a_whole_medium(tmp_path: Path, prefix: str) -> None:
    image = read_image(make_medium(tmp_path, prefix), NOWHERE)
    assert image.version == "1.2.3"
    assert image.root.size == 4000
    assert image.tree == TREE
    assert [file.name for file in image.boot] == ["xen.gz", "vmlinuz", "initrd.img"]
    verify_image(image)


PROGRAMS = {"host.efi": b"program" * 100, "host.efi.sig": b"signature", "selector.efi": b"menu"}


def test_a_medium_for_secure_boot(tmp_path: Path) -> None:
    plain = read_image(make_medium(tmp_path / "plain"), NOWHERE)
    assert plain.signed is None
    medium = write_medium(tmp_path / "signed", {**FILES, **PROGRAMS}, "1.2.3")
    image = read_image(medium, NOWHERE)
    assert image.signed
    assert [file.name for file in image.slot_files] == ["xen.gz", "vmlinuz", "initrd.img", "host.efi", "host.efi.sig"]
    assert image.boot_size == plain.boot_size + 700 + 9
    verify_image(image)
    for name in PROGRAMS:
        content = (medium / "zeroth" / name).read_bytes()
        (medium / "zeroth" / name).write_bytes(content[:-1] + b"?")
        with pytest.raises(UserError, match=f"{name} is damaged"):
            verify_image(image)
        (medium / "zeroth" / name).unlink()
        with pytest.raises(UserError, match=f"{name} is missing"):
            read_image(medium, NOWHERE)
        (medium / "zeroth" / name).write_bytes(content)


def test_the_copy_in_memory_is_preferred_and_checked(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(b"other")
    image = read_image(make_medium(tmp_path), copy)
    assert image.root.path == copy
    with pytest.raises(UserError, match=r"root.squashfs is damaged"):
        verify_image(image)


@pytest.mark.parametrize("name", list(FILES))
def test_damage_and_absence(tmp_path: Path, name: str) -> None:
    medium = make_medium(tmp_path)
    image = read_image(medium, NOWHERE)
    (medium / "zeroth" / name).write_bytes(b"bad")
    with pytest.raises(UserError, match=f"{name} is damaged"):
        verify_image(image)
    (medium / "zeroth" / name).unlink()
    with pytest.raises(UserError, match=f"{name} cannot be read"):
        verify_image(image)
    with pytest.raises(UserError, match=f"{name} is missing"):
        read_image(medium, NOWHERE)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot be read"),
        ("", "tells no tree"),
        ("{}", "root_hash"),
        ('{"root_hash": "xy", "hash_offset": 8192}', "root_hash"),
        ('{"root_hash": "%s", "hash_offset": 8193}' % ("ab" * 32), "hash_offset"),
        ('{"root_hash": "%s", "hash_offset": 4096}' % ("ab" * 32), "damaged"),
    ],
)
def test_what_the_boot_entry_will_trust_is_checked(tmp_path: Path, text: str | None, said: str) -> None:
    medium = make_medium(tmp_path)
    path = medium / "zeroth" / "root.verity"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(UserError, match=said):
        read_image(medium, NOWHERE)


def test_no_checksums(tmp_path: Path) -> None:
    medium = make_medium(tmp_path)
    (medium / "zeroth" / "SHA256SUMS").write_text("garbage\n" + "0" * 63 + "  xen.gz\n")
    with pytest.raises(UserError, match="has no checksum"):
        read_image(medium, NOWHERE)
    with pytest.raises(UserError, match="holds no checksums"):
        read_image(tmp_path / "none", NOWHERE)


@pytest.mark.parametrize("manifest", ["", "[]", "{}", None])
def test_the_version_is_only_a_name(tmp_path: Path, manifest: str | None) -> None:
    medium = make_medium(tmp_path)
    path = medium / "zeroth" / "manifest.json"
    path.unlink() if manifest is None else path.write_text(manifest)
    assert read_image(medium, NOWHERE).version == "unknown"


def test_a_manifest_that_has_a_checksum_is_checked(tmp_path: Path) -> None:
    medium = make_medium(tmp_path)
    manifest, sums = medium / "zeroth" / "manifest.json", medium / "zeroth" / "SHA256SUMS"
    manifest.write_text('{"version": "2", "customisation": {"product": "Example", "boot": {"xen": ["loglvl=all"]}}}')
    sums.write_text(sums.read_text() + f"{sha256_file(manifest)}  manifest.json\n")
    image = read_image(medium, NOWHERE)
    assert (image.version, image.defaults.product, image.defaults.boot.xen) == ("2", "Example", ("loglvl=all",))
    manifest.write_text("{}")
    with pytest.raises(UserError, match=r"manifest\.json is damaged"):
        read_image(medium, NOWHERE)
    manifest.unlink()
    with pytest.raises(UserError, match=r"manifest\.json is missing"):
        read_image(medium, NOWHERE)
