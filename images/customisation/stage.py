"""What a customisation hands to diskimage-builder: files with their places, and the user's elements after ours."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from images.customisation.prepared import OwnElement, PlacedFile

__all__ = ["hook_name", "stage_elements", "stage_files"]

# After our hooks of the same phase; of post-install, before those that close the tree (80 and up).
_AFTER = {"extra-data.d": 70, "pre-install.d": 70, "install.d": 70, "post-install.d": 40}
_NUMBERED = re.compile(r"([0-9]+)(.*)")


def stage_files(files: Iterable[PlacedFile], folder: Path) -> None:
    """Write contents and ``plan.json`` into ``folder``, as the element's put_files.py reads them."""
    folder.mkdir(parents=True)
    rows = []
    for number, file in enumerate(files):
        name = str(number)
        if isinstance(file.content, Path):
            shutil.copyfile(file.content, folder / name)
        else:
            (folder / name).write_bytes(file.content)
        rows.append({"target": file.target, "mode": file.mode, "owner": file.owner, "content": name})
    (folder / "plan.json").write_text(json.dumps(rows, indent=1))


def stage_elements(elements: Sequence[OwnElement], folder: Path) -> None:
    """Copy elements into ``folder``, their hooks renamed so that they run after ours, in the order of the elements."""
    # diskimage-builder wants every folder of elements to be there.
    folder.mkdir(parents=True)
    for place, element in enumerate(elements):
        target = folder / element.name
        shutil.copytree(element.folder, target, symlinks=True)
        for phase, number in _AFTER.items():
            hooks = [path for path in target.glob(f"{phase}/*") if path.is_file()]
            for hook in hooks:
                hook.rename(hook.with_name(hook_name(number, place, element.name, hook.name)))


def hook_name(number: int, place: int, element: str, hook: str) -> str:
    """What a hook of an own element is called.

    :param number: where in the phase it runs.
    :param place: of its element among the own ones.
    """
    match = _NUMBERED.fullmatch(hook)
    # diskimage-builder sorts by the first number, then by letters.
    own = f"{int(match[1]):03d}{match[2]}" if match else f"999-{hook}"
    return f"{number}-{place:02d}-{element}-{own}"
