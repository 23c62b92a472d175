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

from images.config import BuildConfig, checkout
from images.pack import BLOCK_SIZE
from images.packages import read_list
from tests.bench.figures import Figures
from tests.lab.tools import tools
from zeroth.system.run import run

__all__ = ["build_figures"]


def build_figures(say: Callable[[str], None]) -> list[Figures]:
    """Build a clean clone three times (nothing here, packages here, nothing changed) and the bare floor twice."""
    root = checkout()
    with TemporaryDirectory(prefix="bench-", dir=root / ".cache") as name:
        work = Path(name)
        clone = work / "clone"
        run(["git", "clone", "-q", "--local", root, clone])
        say("building with nothing here")
        cold = _build(clone)
        say("building again with the packages here")
        shutil.rmtree(clone / ".cache" / "zeroth" / "objects")
        warm = _build(clone)
        say("building again with nothing changed")
        same = _build(clone)
        say("bare mmdebstrap and mksquashfs of the same packages")
        floor = _floor(clone, work)
    names = [name for name in cold if name != _WHOLE] + [name for name in warm if name not in cold]
    rows = [(name, cold.get(name), warm.get(name), same.get(name)) for name in [*names, _WHOLE]]
    bare = sum(floor.values())
    return [
        Figures("build", "Build, per step", ("step", "nothing here s", "packages here s", "unchanged s"), tuple(rows),
                "Steps run beside each other where they can: they add up to more than the whole."),
        Figures(
            "build-floor", "Build beside bare mmdebstrap and mksquashfs of the same packages",
            ("what", "s", "ratio"),
            (*((name, seconds, None) for name, seconds in floor.items()),
             ("bare, together", bare, 1.0),
             ("zeroth, nothing here", cold[_WHOLE], cold[_WHOLE] / bare),
             ("zeroth, packages here", warm[_WHOLE], warm[_WHOLE] / bare)),
            "The bare floor downloads its packages each time; zeroth's whole has the tools tree and the ISO in it.",
        ),
    ]  # fmt: skip


_WHOLE = "all"


def _build(clone: Path) -> dict[str, float]:
    """Seconds of each step of one build of the clone, and of the whole."""
    started = time.monotonic()
    done = run(
        [sys.executable, "-m", "zeroth", "image", "build", "--json"], cwd=clone, env={"PYTHONPATH": os.fspath(clone)}
    )
    found: dict[str, float] = {}
    for line in done.stdout.splitlines():
        event = json.loads(line)
        if event.get("kind") == "done" and len(event["path"]) == 2:
            found[event["path"][1]] = event["seconds"]
    found[_WHOLE] = time.monotonic() - started
    return found


def _floor(clone: Path, work: Path) -> dict[str, float]:
    """Seconds of the bare tools, from the mirrors that the build used, at the image's own compression."""
    config = BuildConfig(clone, firmware=True)
    packages = (read_list(config.packages / "base.list") + read_list(config.packages / "firmware-server.list")).names
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
