"""What can be checked only when the packages are there: modules, locales, owners, versions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from images.customisation.prepared import Customisation
from images.manifest import dpkg_status
from zeroth.spec.document import Path as Way
from zeroth.spec.errors import FileErrors
from zeroth.spec.problems import Problem, closest

__all__ = ["check_packages", "check_tree"]


def check_packages(customisation: Customisation, tree: Path) -> None:
    """Check that pinned packages have their versions in the tree of packages.

    :raises FileErrors: naming each that has not.
    """
    versions = {stanza["Package"]: stanza["Version"] for stanza in dpkg_status(tree)}
    problems = []
    for at, wish in enumerate(customisation.spec.packages):
        name, _, version = wish.partition("=")
        if version and versions.get(name) != version:
            message = f"{name} was to be {version}, and is {versions.get(name) or 'not there'}"
            way: Way = ("packages", at)
            problems.append(Problem(message, "Another package may need another version; see the build's log.",
                                    customisation.document.place(way), field="packages"))  # fmt: skip
    _raise(customisation, problems)


def check_tree(customisation: Customisation, tree: Path) -> None:
    """Check modules, locales and owners against the tree of packages.

    :raises FileErrors: naming everything that the tree has not.
    """
    spec = customisation.spec
    problems: list[Problem] = []

    def check(kind: str, wanted: Iterable[tuple[Way, str]], known: set[str]) -> None:
        for way, name in wanted:
            if name not in known:
                guess = closest(name, known)
                problems.append(
                    Problem(f"the image has no {kind} {name}", f"Did you mean {guess}?" if guess else "",
                            customisation.document.place(way), field=str(way[0]))
                )  # fmt: skip

    modules = set(_modules(tree))
    for key, names in (("initrd", spec.modules.initrd), ("block", spec.modules.block)):
        # Names mean the same with - and with _.
        wanted: list[tuple[Way, str]] = [(("modules", key, at), name) for at, name in enumerate(names)]
        check("module", [(way, name) for way, name in wanted if name.replace("-", "_") not in modules], modules)
    if spec.locales:
        check("locale", [(("locales", at), name) for at, name in enumerate(spec.locales)], set(_locales(tree)))
    owners = {"user": _names(tree / "etc/passwd"), "group": _names(tree / "etc/group")}
    for at, entry in enumerate(spec.files):
        user, _, group = entry.owner.partition(":")
        check("user", [(("files", at, "owner"), user)], owners["user"])
        check("group", [(("files", at, "owner"), group)] if group else [], owners["group"])
    _raise(customisation, problems)


def _raise(customisation: Customisation, problems: list[Problem]) -> None:
    if problems:
        raise FileErrors(customisation.name, problems, customisation.text)


def _modules(tree: Path) -> Iterator[str]:
    """The kernel's modules, built in or not, with underscores."""
    for path in (tree / "usr/lib/modules").glob("*/modules.[bdo]*"):
        if path.name in ("modules.dep", "modules.builtin"):
            for line in path.read_text().splitlines():
                name = line.split(":")[0].rsplit("/", 1)[-1]
                yield re.sub(r"\.ko(\.[a-z0-9]+)?$", "", name).replace("-", "_")


def _locales(tree: Path) -> Iterator[str]:
    path = tree / "usr/share/i18n/SUPPORTED"
    for line in path.read_text().splitlines() if path.is_file() else ():
        name, _, charset = line.partition(" ")
        if charset.strip() == "UTF-8":
            yield name


def _names(accounts: Path) -> set[str]:
    return {line.split(":")[0] for line in accounts.read_text().splitlines() if line}
