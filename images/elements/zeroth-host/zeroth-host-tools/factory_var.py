"""Moves the content of /var to /usr/share/factory/var and writes the tmpfiles.d file that makes it again.

`/var` of an installed host is a folder of its state partition, empty at first; systemd-tmpfiles fills it from the
image at every start, without touching what is there. Run in the tree, with Debian's own Python and nothing else.
"""

from __future__ import annotations

import grp
import pwd
import shutil
import stat
import sys
from pathlib import Path

DROPPED = (
    "backups",
    "cache/apt",
    "cache/debconf",
    "cache/ldconfig",
    "lib/apt",
    "lib/initramfs-tools",
    "lib/pam",
    "lib/python",
    "lib/sgml-base",
    "lib/shells.state",
    "lib/systemd/deb-systemd-helper-enabled",
    "lib/systemd/deb-systemd-helper-masked",
    "lib/systemd/deb-systemd-user-helper-enabled",
    "lib/systemd/random-seed",
    "lib/ucf",
    "lib/vim",
    "lib/xml-core",
    "log/apt",
    "log/journal",
    "log/runit",
    "tmp",
)
"""What only package maintenance at build time needs, or what systemd makes itself."""


def declared(texts: list[str]) -> set[str]:
    """The paths that lines of other tmpfiles.d files make; a second line for one of them would only give a warning."""
    paths = set()
    for text in texts:
        for line in text.splitlines():
            words = line.split()
            if len(words) >= 2 and words[0][0] in "dDqQfFLCv":
                paths.add(words[1].rstrip("/"))
    return paths


def line_for(path: Path, shown: str) -> str:
    """The tmpfiles.d line that makes ``path`` (a folder, link or file) at ``shown`` (its place on a host).

    :raises ValueError: it is of another kind, or its name cannot stand in a tmpfiles.d file.
    """
    if any(letter.isspace() or letter in "%\\\"'" for letter in shown):
        raise ValueError(f"{shown}: a name that tmpfiles.d would misread")
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return f"L {shown} - - - - {path.readlink()}"
    owner = f"{stat.S_IMODE(found.st_mode):04o} {_user(found.st_uid)} {_group(found.st_gid)} -"
    if stat.S_ISDIR(found.st_mode):
        return f"d {shown} {owner}"
    if stat.S_ISREG(found.st_mode):
        return f"C {shown} {owner}" if found.st_size else f"f {shown} {owner}"
    raise ValueError(f"{shown}: neither folder nor file nor link")


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def main(root: Path = Path("/")) -> None:
    """Empty /var of the tree at ``root`` into its factory folder; prints how many lines were written."""
    var, factory, rules = root / "var", root / "usr/share/factory/var", root / "usr/lib/tmpfiles.d"
    for name in DROPPED:
        path = var / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    for path in (var / "log").rglob("*"):
        # Of the logs only the folders are kept: some daemons do not start without theirs.
        if not path.is_dir() or path.is_symlink():
            path.unlink()
    taken = declared([path.read_text() for path in sorted(rules.glob("*.conf"))])
    lines = ["# Made at image build from what the packages put into /var; the files are in /usr/share/factory/var."]
    for path in sorted(var.rglob("*")):
        shown = f"/var/{path.relative_to(var)}"
        if shown not in taken:
            lines.append(line_for(path, shown))
    (rules / "zeroth-var.conf").write_text("\n".join(lines) + "\n")
    if factory.exists():
        shutil.rmtree(factory)
    factory.mkdir(parents=True)
    for entry in sorted(var.iterdir()):
        shutil.move(entry, factory / entry.name)
    print(f"/var: {len(lines) - 1} entries")


if __name__ == "__main__":
    try:
        main()
    except ValueError as error:
        sys.exit(f"factory_var: {error}")
