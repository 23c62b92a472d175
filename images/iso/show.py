"""Facts of ISO images, and what differs between two, for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from zeroth.system.size import Size

__all__ = ["show_difference", "show_facts"]


def show_facts(facts: Mapping[str, Any], console: Console) -> None:
    """Print what :func:`images.iso.facts.iso_facts` found."""

    def line(text: str) -> None:
        console.print(text, highlight=False, markup=False, soft_wrap=True)

    line(f"zeroth {facts['version']} for {facts['architecture']}, profile {facts['profile']}, {_size(facts['size'])}")
    line(f"SHA-256 {facts['sha256']}")
    if facts["sha256"] != facts["pristine_sha256"]:
        line(f"        {facts['pristine_sha256']} without what is embedded")
    packages = facts["packages"]
    line(f"{packages['count']} packages of Debian {facts['debian']}, among them:")
    for name, version in packages["telling"].items():
        line(f"  {name} {version}")
    table = Table("file", "size", "SHA-256", box=None, pad_edge=False)
    table.columns[1].justify = "right"
    for file in facts["files"]:
        table.add_row(file["path"], _size(file["size"]), file["sha256"][:16])
    console.print(table)
    boot = facts["boot"]
    ways = ", ".join(str(image.get("platform", "?")) for image in boot["el_torito"])
    line(f"boots as CD ({ways}) and as disk ({len(boot['gpt'])} GPT partitions)")
    for problem in boot["problems"]:
        line(f"problem: {problem}")
    content = {name: value for name, value in facts["embedded"].items() if value}
    line("embedded: " + (json.dumps(content, indent=1) if content else "nothing"))


def show_difference(found: Mapping[str, Any], console: Console) -> None:
    """Print what :func:`images.iso.diff.difference` found."""
    if found["same"]:
        console.print("the images are the same, byte for byte", highlight=False)
        return
    table = Table("what", "", "in A", "in B", box=None, pad_edge=False)
    for name, (one, two) in found["facts"].items():
        table.add_row("image", name, *(_size(it) if name == "size" else str(it) for it in (one, two)))
    for name, version in found["packages"]["removed"].items():
        table.add_row("package", name, str(version), "-")
    for name, version in found["packages"]["added"].items():
        table.add_row("package", name, "-", str(version))
    for name, (one, two) in found["packages"]["changed"].items():
        table.add_row("package", name, str(one), str(two))
    for name, file in found["files"]["removed"].items():
        table.add_row("file", name, _size(file["size"]), "-")
    for name, file in found["files"]["added"].items():
        table.add_row("file", name, "-", _size(file["size"]))
    for name, (one, two) in found["files"]["changed"].items():
        table.add_row("file", name, _size(one["size"]), _size(two["size"]))
    for name in found["embedded"]:
        table.add_row("embedded", name, "differs", "")
    console.print(table)


def _size(size: int) -> str:
    return Size(size).approx()
