"""Wheels for the image: the rooms that live in it, and what Debian lacks, pinned by hash."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from images.inputs import files_below
from zeroth.errors import ExitCode, UserError
from zeroth.system.run import CommandFailed, run

__all__ = ["NOT_IN_DEBIAN", "ROOMS", "locked", "room_sources", "room_wheel", "third_party_wheels"]

ROOMS = ("zeroth", "installer", "firstboot", "hostagent")
"""What an image holds of us. The builder stays out, so that changing it does not change images."""
NOT_IN_DEBIAN = ("pykickstart",)
_PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")


def room_sources(root: Path) -> Iterator[Path]:
    """The files that go into our wheel."""
    yield root / "pyproject.toml"
    yield from (path for name in ("README.md", "LICENSE") if (path := root / name).is_file())
    for room in ROOMS:
        yield from (path for path in files_below(root / room) if "units" not in path.relative_to(root).parts)


def room_wheel(root: Path, out: Path, *, work: Path, epoch: int) -> None:
    """Build our wheel into ``out``; the same bytes for the same sources. The checkout is left as it is."""
    copy = work / "source"
    for path in room_sources(root):
        target = copy / path.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        target.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    _wheel([str(copy)], out, epoch)


def third_party_wheels(root: Path, out: Path, *, work: Path, epoch: int, pool: Path, offline: bool = False) -> None:
    """Make the wheels that Debian has no package of, at the locked versions and hashes, in ``out``.

    :param pool: folder that keeps what was fetched.
    :param offline: take it from there alone.
    """
    requirements = work / "requirements.txt"
    requirements.write_text("\n".join(locked(root, name) for name in NOT_IN_DEBIAN) + "\n")
    pool.mkdir(parents=True, exist_ok=True)
    names = ", ".join(NOT_IN_DEBIAN)
    wanted = ["--require-hashes", "--find-links", str(pool), "-r", str(requirements)]
    download = [*_PIP, "download", "--quiet", "--no-deps", "--no-build-isolation", *wanted]
    # First what is here: the network is asked only for what is not.
    try:
        run([*download, "--no-index", "--dest", work / "here"])
    except CommandFailed:
        if offline:
            raise UserError(
                f"--offline, and no earlier build fetched {names} at the locked version",
                "Build once without --offline.",
                code=ExitCode.MACHINE,
            ) from None
        try:
            run([*download, "--dest", pool])
        except CommandFailed as error:
            raise UserError(
                f"cannot get {names} from the Python package index: {_last_error(error)}",
                "Check the network and pip's settings.",
                code=ExitCode.MACHINE,
            ) from None
    _wheel(["--no-index", *wanted], out, epoch)


def locked(root: Path, name: str) -> str:
    """The entry of a package in the lock file: its version and hashes, as pip reads them.

    :raises UserError: when the lock file has none.
    """
    lock = root / "requirements" / "dev.lock"
    match = re.search(rf"(?m)^{re.escape(name)}==\S+ \\\n(?:    --hash=\S+(?: \\)?\n)+", lock.read_text())
    if match is None:
        raise UserError(f"{name} is not locked", "Add it to requirements/dev.in and run `make lock`.", where=str(lock))
    return match[0].rstrip()


def _wheel(words: list[str], out: Path, epoch: int) -> None:
    run(
        [*_PIP, "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", out, *words],
        env={"SOURCE_DATE_EPOCH": str(epoch), "PYTHONHASHSEED": "0"},
    )


def _last_error(error: CommandFailed) -> str:
    lines = [line for line in error.completed.stderr.splitlines() if line.startswith("ERROR:")]
    return lines[-1].removeprefix("ERROR:").strip() if lines else error.message
