"""A later version of this checkout, as an upgrade file: with a system user more, another schema of the store, and
files in /etc that differ.

It is built as any image is, from a copy of the checkout in which a few lines are changed.
"""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from images.config import BuildConfig, checkout
from images.upgrade import upgrade_name
from tests.lab.paths import CACHE, ISO, ROOT
from zeroth import __version__
from zeroth.keys.keyring import KeyFiles, key_files, make_key
from zeroth.system.run import run

__all__ = ["NEWER", "SCHEMA", "USER", "Newer", "newer"]

NEWER = "0.9.0"
USER = "labd"
"""A system user that only the later version has."""
SCHEMA = "CREATE TABLE lab_newer (key TEXT PRIMARY KEY);"
_IDS = "images/elements/zeroth-host/zeroth-host-files/usr/lib/sysusers.d/00-zeroth-ids.conf"
_ETC = "images/elements/zeroth-host/zeroth-host-files/etc"
# File, what is replaced, by what. The first occurrence only.
_CHANGES = (
    ("zeroth/__init__.py", f'__version__ = "{__version__}"', f'__version__ = "{NEWER}"'),
    ("hostagent/store/database.py", "\n)\n\nSCHEMA_VERSION", f'\n    "{SCHEMA}",\n)\n\nSCHEMA_VERSION'),
)
_APPENDED = (
    (_IDS, f'u {USER} 849 "Lab"\n'),
    ("hostagent/units/zeroth-agent.sysusers.conf", f"u {USER} -\n"),
    (f"{_ETC}/mdadm/mdadm.conf", "# Of the later image.\n"),
    (f"{_ETC}/issue", "later image\n"),
)


@dataclass(frozen=True)
class Newer:
    """The upgrade file, the public key of who signed it, the medium, and the netboot tree."""

    file: Path
    key: Path
    medium: Path
    netboot: Path


def newer() -> Newer:
    """Build it; quick when nothing changed since the last time."""
    folder = CACHE / "newer"
    folder.mkdir(parents=True, exist_ok=True)
    key = _key(folder)
    source = folder / "checkout"
    shutil.rmtree(source, ignore_errors=True)
    for name in run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT).stdout.splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, source / name, follow_symlinks=False)
    for name, old, new in _CHANGES:
        text = (source / name).read_text()
        assert old in text, f"{name} does not hold {old!r}"
        (source / name).write_text(text.replace(old, new, 1))
    for name, more in _APPENDED:
        with (source / name).open("a") as file:
            file.write(more)
    words = ["image", "build", "--profile", "dev", "--upgrade", "--no-customise", "--into", str(folder / "dist"),
             "--sign-key", str(key.secret_path)]  # fmt: skip
    run(
        [sys.executable, "-m", "zeroth", *words],
        # Imported from where it is started.
        cwd=source,
        env={"ZEROTH_CACHE": str(BuildConfig(checkout()).cache), "PYTHONPATH": str(source)},
    )
    made = folder / "dist"
    return Newer(made / upgrade_name(NEWER), key.public_path, made / ISO.name, made / "netboot")


def _key(folder: Path) -> KeyFiles:
    found = [key for key in key_files(folder) if key.name == "lab"]
    return found[0] if found else make_key(folder, "lab", None)
