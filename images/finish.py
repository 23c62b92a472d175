"""The finished tree: the customised one, with our own wheel in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from images.isolate import in_root
from images.log import LOG_HINT
from zeroth.errors import ExitCode, UserError
from zeroth.system.run import CommandFailed, run

__all__ = ["INSTALL_WHEEL", "finish"]

INSTALL_WHEEL = "zeroth-host/zeroth-host-tools/install_wheel.py"
"""The program that installs wheels, below the folder of elements."""

# Nothing of the caller's environment gets into an image; the order of a set in bytecode follows the hash seed.
_CLEAN = ("env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "PYTHONHASHSEED=0")
# Run by the tree's own Python: its release decides what bytecode is. -s and -p: the names in tracebacks.
# Bytecode that is checked against nothing: the tree is read-only, and the times of its files are set later than this.
_INSTALL = """
set -eu
umask 022
python3 -B "$1" --root "$2" "$3" >"$4"
python3 -m compileall -q --invalidation-mode unchecked-hash -s "$2" -p / -i "$4"
"""


def finish(
    system: Path, result: Path, *, wheel: Path, tool: Path, epoch: int, work: Path, log: Callable[[str], None]
) -> None:
    """Make the finished tree; it shares its files with the customised one by hard links, and only adds to them.

    :param system: the customised tree; not changed.
    :param result: where the finished tree shall appear; on the file system of ``system``.
    :param tool: ``install_wheel.py``.
    :param epoch: seconds since 1970; the time of every folder.
    :param work: an empty folder for temporary files.
    :raises UserError: when the wheel cannot be installed, or its command does not start.
    """
    run(["cp", "-al", system, result])
    place = work / "root"
    place.mkdir()
    install: list[str | os.PathLike[str]] = [
        *_CLEAN,
        "sh",
        "-c",
        _INSTALL,
        "sh",
        tool,
        result,
        wheel,
        work / "modules",
    ]
    try:
        run(in_root(system, place, install, show=[tool, result, wheel, work]), on_line=log)
        run(in_root(result, place, [*_CLEAN, "zeroth", "--version"]), on_line=log)
    except CommandFailed as error:
        said = error.completed.stdout.strip().splitlines()[-1:]
        raise UserError(
            f"our own wheel does not go into the image: {' '.join(said)}", LOG_HINT, code=ExitCode.MACHINE
        ) from None
    # The time of a folder tells in which order its packages came, which the building machine's apt decides.
    for folder, _, _ in os.walk(result):
        os.utime(folder, (epoch, epoch))
