"""``zeroth upgrade inspect`` on a file that the builder made."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from images.config import BuildConfig, checkout
from images.upgrade import make_upgrade, upgrade_name
from zeroth.deploy.cli import upgrade
from zeroth.deploy.verity import ROOT_TREE, RootTree, write_root_tree
from zeroth.errors import UserError
from zeroth.keys.keyring import KeyFiles, make_key, secret_key
from zeroth.keys.signing import SignatureRefused


@pytest.fixture
def made(tmp_path: Path) -> tuple[Path, KeyFiles]:
    files = {}
    for name in ("vmlinuz", "manifest.json", "xen.gz", "root.squashfs", "initrd.img"):
        files[name] = tmp_path / name
        files[name].write_text(name)
    files["root.squashfs"].write_bytes(b"hsqs" * 4096)
    files[ROOT_TREE] = tmp_path / ROOT_TREE
    write_root_tree(files[ROOT_TREE], RootTree(root_hash="ab" * 32, hash_offset=8192))
    key = make_key(tmp_path, "release", None)
    out = tmp_path / upgrade_name("0.1.0")
    make_upgrade(out, files, BuildConfig(checkout()), [secret_key(key.secret_path, lambda: b"")], lambda _: None)
    return out, key


def _inspect(*words: str, data: bytes | None = None) -> Result:
    return CliRunner().invoke(upgrade, ["inspect", *words], input=data, catch_exceptions=False)


def test_inspect_shows_what_it_holds(made: tuple[Path, KeyFiles]) -> None:
    path, key = made
    facts = json.loads(_inspect(str(path), "--key", str(key.public_path), "--json").stdout)
    assert facts["signer"] == key.public.name
    order = [it["name"] for it in facts["payloads"]]
    assert order == ["manifest.json", "root.squashfs", "initrd.img", "vmlinuz", "xen.gz"]
    shown = _inspect("-", "--unsigned", data=path.read_bytes()).stdout
    assert "root.squashfs" in shown
    assert "nobody's signature" in shown
    assert "ab" * 32 in shown


def test_inspect_refuses_a_foreign_signature_and_a_changed_byte(made: tuple[Path, KeyFiles], tmp_path: Path) -> None:
    path, key = made
    other = make_key(tmp_path, "other", None)
    with pytest.raises(SignatureRefused, match="not trusted"):
        _inspect(str(path), "--key", str(other.public_path))
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(UserError, match="xen.gz is damaged"):
        _inspect(str(path), "--key", str(key.public_path))
    with pytest.raises(UserError, match="cannot read it"):
        _inspect(str(tmp_path / "missing.zup"), "--unsigned")
