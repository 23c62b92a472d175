"""A small medium for tests."""

from __future__ import annotations

import json
from pathlib import Path

from images.media import make_iso
from images.tools import ToolsTree

__all__ = ["EPOCH", "MANIFEST", "make_medium"]

EPOCH = 1_700_000_000
MANIFEST = {
    "version": "1.2.3", "profile": "dev", "architecture": "amd64", "debian": "trixie", "firmware": [],
    "security_updates": True, "source_date_epoch": EPOCH,
}  # fmt: skip


def make_medium(
    tmp_path: Path, name: str, tools: ToolsTree, answer: str = "", version: str = "257", *, signed: bool = False
) -> Path:
    """A small ISO image with all that a real one has, but for what boots.

    :param version: of the only package that its manifest names.
    :param signed: it is for Secure Boot, as far as its files tell.
    """
    folder = tmp_path / name
    (folder / "work").mkdir(parents=True)
    files = {}
    contents = {file: file for file in ("vmlinuz", "initrd.img", "root.squashfs")}
    if signed:
        contents["host.efi"] = "host.efi"
    contents["manifest.json"] = json.dumps({**MANIFEST, "packages": {"systemd": {"version": version}}})
    for file, content in contents.items():
        path = folder / file
        path.write_text(content)
        files[f"zeroth/{file}"] = path
    if answer:
        files["zeroth/answer.ks"] = folder / "mine.ks"
        files["zeroth/answer.ks"].write_text(answer)
    image = folder / "zeroth.iso"
    make_iso(image, files, version="1.2.3", epoch=EPOCH, work=folder / "work", tools=tools)
    return image
