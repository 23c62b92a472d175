"""Key files and trusted folders."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from zeroth.errors import UserError
from zeroth.keys.keyring import (
    check_file,
    key_files,
    make_key,
    public_key,
    rotate_key,
    secret_key,
    sign_file,
    trusted_keys,
)
from zeroth.keys.signing import Purpose, SignatureRefused


def _no_word() -> bytes:
    raise AssertionError("nobody has to be asked for a passphrase")


def test_a_new_key_signs_and_its_public_half_checks(tmp_path: Path) -> None:
    files = make_key(tmp_path / "keys", "release", None)
    assert files.secret_path.stat().st_mode & 0o777 == 0o600
    content = tmp_path / "manifest.json"
    content.write_text("{}")
    beside = sign_file(content, [secret_key(files.secret_path, _no_word)], Purpose.IMAGE)
    assert beside == tmp_path / "manifest.json.minisig"
    assert check_file(content, [public_key(files.public_path)], Purpose.IMAGE) == files.public
    content.write_text("{ }")
    with pytest.raises(SignatureRefused, match="does not match"):
        check_file(content, [files.public], Purpose.IMAGE)


def test_keys_are_never_overwritten(tmp_path: Path) -> None:
    before = make_key(tmp_path, "release", None).secret_path.read_bytes()
    with pytest.raises(UserError, match="exists already"):
        make_key(tmp_path, "release", None)
    assert (tmp_path / "release.key").read_bytes() == before


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 65])
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="not a key's name"):
        make_key(tmp_path, name, None)
    assert not list(tmp_path.iterdir())


def test_a_secret_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    files = make_key(tmp_path, "release", None)
    files.secret_path.chmod(0o640)
    with pytest.raises(UserError, match="others can read"):
        secret_key(files.secret_path, _no_word)


def test_a_public_key_is_no_secret_one(tmp_path: Path) -> None:
    files = make_key(tmp_path, "release", None)
    with pytest.raises(UserError, match="this is a public key"):
        secret_key(files.public_path, _no_word)


def test_an_encrypted_key_asks_for_its_passphrase(tmp_path: Path) -> None:
    files = make_key(tmp_path, "release", b"word")
    assert secret_key(files.secret_path, lambda: b"word").public == files.public
    with pytest.raises(UserError, match="passphrase"):
        secret_key(files.secret_path, lambda: b"wrong")


def test_rotation_hands_over(tmp_path: Path) -> None:
    first = make_key(tmp_path, "2026", None)
    old = secret_key(first.secret_path, _no_word)
    second = rotate_key(old, tmp_path, "2027", None)
    assert check_file(second.public_path, [first.public], Purpose.KEY) == first.public
    assert [(it.name, it.successor_of) for it in key_files(tmp_path)] == [("2026", ""), ("2027", first.public.name)]
    # A foreign key put in its place is noticed.
    second.public_path.write_text(make_key(tmp_path / "other", "2027", None).public.text)
    with pytest.raises(SignatureRefused, match="does not match"):
        check_file(second.public_path, [first.public], Purpose.KEY)


def test_etc_adds_to_the_images_keys_and_takes_away_from_them(tmp_path: Path) -> None:
    image, etc = tmp_path / "usr", tmp_path / "etc"
    vendor, bad = make_key(image, "vendor", None), make_key(image, "bad", None)
    own = make_key(etc, "own", None)
    assert set(trusted_keys([image, etc])) == {vendor.public, bad.public, own.public}
    (etc / "bad.pub").symlink_to(os.devnull)
    assert set(trusted_keys([image, etc])) == {vendor.public, own.public}
    (etc / "vendor.pub").write_text("")
    assert trusted_keys([image, etc]) == (own.public,)
    assert trusted_keys([tmp_path / "missing"]) == ()


def test_a_broken_trusted_key_is_not_overlooked(tmp_path: Path) -> None:
    (tmp_path / "broken.pub").write_text("something else\n")
    with pytest.raises(UserError, match="not a public key"):
        trusted_keys([tmp_path])
    (tmp_path / "broken.pub").unlink()
    (tmp_path / "gone.pub").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="cannot read"):
        trusted_keys([tmp_path])


def test_a_missing_signature_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="no signature beside it"):
        check_file(tmp_path / "file", [], Purpose.IMAGE)
