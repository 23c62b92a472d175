"""What building costs, beside the least that any builder must do: bare mmdebstrap and mksquashfs of the same set."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from images.config import BuildConfig, Profile, checkout
from images.pack import BLOCK_SIZE
from images.packages import read_list
from tests.bench.figures import Figures
from tests.lab.tools import tools
from zeroth.system.run import run

__all__ = ["WHOLE", "build_figures", "build_seconds"]


def build_figures(say: Callable[[str], None]) -> list[Figures]:
    """Build a clean clone in the dev profile as a developer does, first and after changes; and the bare floor."""
    root = checkout()
    with TemporaryDirectory(prefix="bench-", dir=root / ".cache") as name:
        work = Path(name)
        clone = work / "clone"
        run(["git", "clone", "-q", "--local", root, clone])
        columns: dict[str, dict[str, float]] = {}
        for title, prepare in _TURNS.items():
            say(f"building with {title}")
            prepare(clone)
            columns[title] = build_seconds(clone)
        say("bare mmdebstrap and mksquashfs of the same packages")
        floor = _floor(clone, work)
    names = dict.fromkeys(name for column in columns.values() for name in column if name != WHOLE)
    rows = [(name, *(column.get(name) for column in columns.values())) for name in (*names, WHOLE)]
    bare = sum(floor.values())
    return [
        Figures("build", "Build, dev profile, seconds per step", ("step", *columns), tuple(rows),
                "Steps run beside each other where they can: they add up to more than the whole."),
        Figures(
            "build-floor", "Build beside bare mmdebstrap and mksquashfs of the same packages",
            ("what", "s", "ratio"),
            (*((name, seconds, None) for name, seconds in floor.items()),
             ("bare, together", bare, 1.0),
             *((f"zeroth, {title}", column[WHOLE], column[WHOLE] / bare) for title, column in columns.items())),
            "The bare floor downloads its packages each time; zeroth's whole has the tools tree and the ISO in it.",
        ),
    ]  # fmt: skip


def _nothing(_: Path) -> None:
    """Leave the clone as it is."""


def _forget(clone: Path) -> None:
    """Everything was built anew; what was fetched is still here."""
    shutil.rmtree(clone / ".cache" / "zeroth" / "objects")


def _change_python(clone: Path) -> None:
    with (clone / "zeroth" / "errors.py").open("a") as file:
        file.write("\n\nCHANGED = True\n")


def _change_element(clone: Path) -> None:
    with (clone / "images/elements/zeroth-host/zeroth-host-files/etc/hosts").open("a") as file:
        file.write("# changed\n")


_TURNS = {
    "nothing here": _nothing,
    "packages here": _forget,
    "nothing changed": _nothing,
    "Python changed": _change_python,
    "an element changed": _change_element,
}
WHOLE = "all"
"""The name of the whole build beside those of its steps."""


def build_seconds(clone: Path, profile: Profile = Profile.DEV) -> dict[str, float]:
    """Seconds of each step of one build of a clone, and of the whole."""
    started = time.monotonic()
    done = run(
        [sys.executable, "-m", "zeroth", "image", "build", "--profile", profile, "--json"],
        cwd=clone, env={"PYTHONPATH": os.fspath(clone), "ZEROTH_CACHE": os.fspath(clone / ".cache" / "zeroth")},
    )  # fmt: skip
    found: dict[str, float] = {}
    for line in done.stdout.splitlines():
        event = json.loads(line)
        if event.get("kind") == "done" and len(event["path"]) == 2:
            found[event["path"][1]] = event["seconds"]
    found[WHOLE] = time.monotonic() - started
    return found


def _floor(clone: Path, work: Path) -> dict[str, float]:
    """Seconds of the bare tools, from the mirrors that the build used, at the image's own compression."""
    config = BuildConfig(clone, profile=Profile.DEV)
    packages = read_list(config.packages / "base.list").names
    index = clone / ".cache" / "zeroth" / "index"
    tree, image = work / "bare", work / "bare.squashfs"
    started = time.monotonic()
    run([
        "mmdebstrap", "--mode=root", "--variant=apt", f"--include={','.join(packages)}",
        '--aptopt=APT::Install-Recommends "false"', '--aptopt=Acquire::Languages "none"',
        "--dpkgopt=force-unsafe-io", "trixie", tree, index / "sources.list",
    ])  # fmt: skip
    packed = time.monotonic()
    tools().run(
        "mksquashfs", tree, image, "-noappend", "-quiet", "-no-progress", "-comp", "zstd", "-Xcompression-level",
        str(config.profile.zstd_level), "-b", BLOCK_SIZE, show=[work],
    )  # fmt: skip
    return {"mmdebstrap": packed - started, "mksquashfs": time.monotonic() - packed}
