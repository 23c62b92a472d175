"""The customised tree: diskimage-builder runs our elements over a copy of the tree of packages."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from images.isolate import isolated
from images.log import LOG_HINT
from zeroth.errors import ExitCode, UserError
from zeroth.system.run import CommandFailed, run

__all__ = ["CUSTOMISE_ELEMENT", "ELEMENTS", "customise", "element_hooks"]

ELEMENTS = ("zeroth-os", "zeroth-host")
CUSTOMISE_ELEMENT = "zeroth-customise"
"""Used when the user changes something about the tree."""
_HOOK_NAME = re.compile(r"[0-9A-Za-z_-]+")
_NOISE = re.compile(r"dib-run-parts |\+|Unmount |INFO |umount: ")
_RUNNING = re.compile(r"dib-run-parts Running \S*/(?P<phase>[a-z-]+)\.d/(?P<hook>\S+)$")


def element_hooks(elements: Path, names: Iterable[str] = ELEMENTS) -> list[str]:
    """The hooks that a run will execute, as ``phase/name``.

    :raises UserError: for what diskimage-builder would pass over in silence: a hook that cannot be executed, or a name
        that it does not take.
    """
    found = []
    for element in names:
        for folder in sorted((elements / element).glob("*.d")):
            if folder.name == "environment.d":
                continue
            for hook in sorted(path for path in folder.iterdir() if path.is_file()):
                if not _HOOK_NAME.fullmatch(hook.name):
                    raise UserError("a hook's name has letters, digits, _ and - only", where=str(hook))
                if not os.access(hook, os.X_OK):
                    raise UserError("this hook cannot be executed", f"Run: chmod +x {hook}", where=str(hook))
                found.append(f"{folder.name.removesuffix('.d')}/{hook.name}")
    return found


def customise(
    base: Path,
    result: Path,
    *,
    stage: Path,
    elements: Sequence[Path],
    names: Sequence[str] = ELEMENTS,
    shims: Path,
    epoch: int,
    work: Path,
    log: Callable[[str], None],
    progress: Callable[[float, str], None],
) -> None:
    """Make the finished tree from the tree of packages.

    :param base: the tree of packages; not changed.
    :param result: where the finished tree shall appear; on the file system of ``work``.
    :param stage: wheels, units and boot programs; see the element zeroth-os.
    :param elements: folders of elements.
    :param names: the elements that run.
    :param shims: folder put first on PATH.
    :param work: a folder for temporary files.
    :param log: gets every line that is printed.
    :param progress: gets the fraction done and the hook that runs.
    """
    total = sum(len(element_hooks(folder, names)) for folder in elements)
    folders = {name: work / name for name in ("tmp", "image-cache", "locks", "home")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    binaries = Path(sys.executable).parent
    environment = {
        # Everything is listed: nothing of the caller's environment gets into an image.
        "PATH": f"{shims}:{binaries}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": os.fspath(folders["home"]), "USER": "root", "LC_ALL": "C.UTF-8", "ARCH": "amd64",
        "TMPDIR": os.fspath(folders["tmp"]), "DIB_NO_TMPFS": "1",
        "DIB_IMAGE_CACHE": os.fspath(folders["image-cache"]), "DIB_LOCKFILES": os.fspath(folders["locks"]),
        "DIB_PYTHON_EXEC": sys.executable, "DIB_NO_TIMESTAMP": "1", "DIB_IMAGE_SIZE": "1",
        "ELEMENTS_PATH": os.pathsep.join(map(os.fspath, elements)),
        "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1",
        "SOURCE_DATE_EPOCH": str(epoch), "DEBIAN_FRONTEND": "noninteractive",
        "ZEROTH_BASE_TREE": os.fspath(base), "ZEROTH_STAGE": os.fspath(stage), "ZEROTH_RESULT": os.fspath(result),
    }  # fmt: skip
    argv = [
        "env", "-i", *(f"{name}={value}" for name, value in environment.items()),
        os.fspath(binaries / "disk-image-create"), "-n", "-a", "amd64", "-t", "raw", "-o", os.fspath(work / "image"),
        *names, "no-final-image",
    ]  # fmt: skip
    started, hook = 0, ""

    def on_line(line: str) -> None:
        nonlocal started, hook
        log(line)
        match = _RUNNING.search(line)
        if match:
            hook = f"{match['phase']}.d/{match['hook']}"
            progress(min(0.99, started / max(1, total)), hook)
            started += 1

    try:
        run(isolated(argv), on_line=on_line)
    except CommandFailed as error:
        said = [line for line in error.completed.stdout.splitlines() if line.strip() and not _NOISE.match(line)]
        tail = "\n  ".join(said[-8:])
        raise UserError(
            f"diskimage-builder failed in {hook or 'its own preparations'}:\n  {tail}",
            LOG_HINT,
            code=ExitCode.MACHINE,
        ) from None
    placeholder = result / "var" / "log" / ".placeholder"
    if placeholder.exists():
        shutil.rmtree(placeholder.parent)
    if not (result / "usr").is_dir():
        raise UserError("diskimage-builder ended without a tree", LOG_HINT, code=ExitCode.MACHINE)
