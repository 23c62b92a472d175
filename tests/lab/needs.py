"""Programs of the build machine that the lab needs besides the tools tree: an ssh client, Node for one API client."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import click

from tests.lab.paths import CACHE, LAB
from zeroth.errors import ExitCode, UserError
from zeroth.system.files import sha256_file
from zeroth.system.run import run

__all__ = ["LOCK_WAIT", "node_modules", "prepare"]

_PACKAGES = {"ssh": "openssh-client", "node": "nodejs", "npm": "npm", "setpriv": "util-linux"}
"""Program, or path of a file, to the Debian package that has it; one that is there from elsewhere serves as well."""

LOCK_WAIT = "DPkg::Lock::Timeout=300"
"""An option of apt's: seconds to wait while something else installs."""


def prepare(packages: Mapping[str, str] = _PACKAGES) -> None:
    """Install what is missing.

    :param packages: program or path to package; without it what every scenario needs.
    :raises UserError: when something is missing and this is not root; it names the command to run.
    """
    missing = [package for need, package in packages.items() if not _is_here(need)]
    if not missing:
        return
    command = ["apt-get", "-o", LOCK_WAIT, "install", "-y", "--no-install-recommends", *missing]
    if os.geteuid() != 0:
        raise UserError(
            f"not installed: {', '.join(missing)}", f"Run: sudo {' '.join(command)}", code=ExitCode.MACHINE
        )
    click.echo(f"Installing with apt: {' '.join(missing)}")
    run(["apt-get", "update"])
    run(command, env={"DEBIAN_FRONTEND": "noninteractive"})


def _is_here(need: str) -> bool:
    return Path(need).exists() if Path(need).is_absolute() else shutil.which(need) is not None


def node_modules() -> str:
    """The folder with the npm packages of ``clients/package-lock.json``, installed now if they are not there yet."""
    source = LAB / "clients"
    folder = CACHE / f"npm-{sha256_file(source / 'package-lock.json')[:16]}"
    if not (folder / "node_modules" / ".package-lock.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy2(source / name, folder)
        run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, timeout=600)
    return str(folder / "node_modules")
