"""Pinned versions against what the mirror offers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

from images.customisation.prepared import Customisation
from zeroth.spec.errors import FileErrors
from zeroth.spec.problems import Problem

__all__ = ["check_pins"]


def check_pins(customisation: Customisation, archives: Iterable[str]) -> None:
    """Check that the mirror has every pinned version.

    :param archives: names of all package files, as apt's download cache has them: ``name_version_architecture.deb``.
    :raises FileErrors: naming each that it has not, and the versions that it has.
    """
    offered: defaultdict[str, set[str]] = defaultdict(set)
    for archive in archives:
        name, version, _ = archive.split("_", 2)
        offered[name].add(version.replace("%3a", ":"))
    problems = []
    for at, wish in enumerate(customisation.spec.packages):
        name, _, version = wish.partition("=")
        if version and version not in offered[name]:
            has = ", ".join(sorted(offered[name])) or "none"
            where = customisation.document.place(("packages", at))
            message = f"{name} is not offered in version {version}"
            problems.append(Problem(message, f"Offered: {has}.", where, field="packages"))
    if problems:
        raise FileErrors(customisation.name, problems, customisation.text)
