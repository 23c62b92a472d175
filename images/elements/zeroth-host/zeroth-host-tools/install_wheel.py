"""Installs pure-Python wheels into Debian's own folders, with their console commands.

Debian's installer package cannot do it: it is a module named ``installer``, as one of our rooms is. Run in the tree,
with Debian's own Python and nothing else::

    install_wheel.py [--root FOLDER] a.whl b.whl

Prints the Python files that it wrote, a line each.
"""

from __future__ import annotations

import configparser
import sys
import zipfile
from email.parser import Parser
from pathlib import Path, PurePosixPath

SITE = "usr/lib/python3/dist-packages"
SCRIPT = """#!/usr/bin/python3
import sys

from {module} import {name}

sys.exit({name}())
"""


def console_scripts(entry_points: str) -> dict[str, tuple[str, str]]:
    """Command name to (module, function), from the text of an ``entry_points.txt``.

    :raises ValueError: an entry is not of the form ``module:function``.
    """
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign] # names keep their case
    parser.read_string(entry_points)
    scripts = {}
    for command, target in parser.items("console_scripts") if parser.has_section("console_scripts") else []:
        module, _, name = target.partition(":")
        if not all(part.isidentifier() for part in [*module.split("."), name]) or "/" in command:
            raise ValueError(f"not a console command that can be installed: {command} = {target}")
        scripts[command] = (module, name)
    return scripts


def place(name: str) -> PurePosixPath | None:
    """Where a module's file of a wheel goes, relative to the root; None for manual pages and old-style scripts.

    :raises ValueError: it would go somewhere else.
    """
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name}: leads out of its folder")
    return None if path.parts[0].endswith(".data") else PurePosixPath(SITE) / path


def install(wheel: Path, root: Path = Path("/")) -> list[Path]:
    """Unpack one wheel under ``root``; returns the Python files.

    :raises ValueError: it is not a pure wheel, would write elsewhere, or would replace another package's file.
    """
    with zipfile.ZipFile(wheel) as archive:
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        info = next(name.split("/")[0] for name in names if name.endswith(".dist-info/WHEEL"))
        if Parser().parsestr(archive.read(f"{info}/WHEEL").decode()).get("Root-Is-Purelib") != "true":
            raise ValueError("not a pure-Python wheel")
        written = []
        for name in sorted(names):
            placed = place(name)
            if placed is None:
                continue
            target = root / placed
            if target.exists():
                raise ValueError(f"{name}: belongs to another package already")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(archive.read(name))
            written.append(target)
        points = f"{info}/entry_points.txt"
        scripts = console_scripts(archive.read(points).decode()) if points in names else {}
    for command, (module, name) in scripts.items():
        script = root / "usr/bin" / command
        if script.exists():
            raise ValueError(f"{command}: belongs to another package already")
        script.write_text(SCRIPT.format(module=module, name=name))
        script.chmod(0o755)
    return [path for path in written if path.suffix == ".py"]


def main(arguments: list[str]) -> None:
    """The command."""
    root = Path("/")
    if arguments[:1] == ["--root"]:
        root, arguments = Path(arguments[1]), arguments[2:]
    for argument in arguments:
        try:
            for path in install(Path(argument), root):
                print(path)
        except (ValueError, StopIteration, zipfile.BadZipFile) as error:
            sys.exit(f"install_wheel: {argument}: {error or 'not a wheel'}")


if __name__ == "__main__":
    main(sys.argv[1:])
