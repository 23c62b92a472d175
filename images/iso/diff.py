"""What differs between two ISO images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["difference"]

_TOLD = ("version", "profile", "debian", "firmware", "security_updates", "size")


def difference(
    one: Mapping[str, Any], two: Mapping[str, Any], packages: tuple[Mapping[str, Any], Mapping[str, Any]]
) -> dict[str, Any]:
    """Compare two images.

    :param one: the facts of the first (:func:`images.iso.facts.iso_facts`); ``two`` those of the second.
    :param packages: their packages, as in their manifests.
    """
    versions = [{name: str(it["version"]) for name, it in found.items()} for found in packages]
    files = [{it["path"]: it for it in found["files"]} for found in (one, two)]
    return {
        "same": one["sha256"] == two["sha256"],
        "facts": {key: [one[key], two[key]] for key in _TOLD if one[key] != two[key]},
        "packages": _changes(versions[0], versions[1]),
        "files": _changes(
            {name: {"size": it["size"], "sha256": it["sha256"]} for name, it in files[0].items()},
            {name: {"size": it["size"], "sha256": it["sha256"]} for name, it in files[1].items()},
        ),
        "embedded": sorted(key for key in one["embedded"] if one["embedded"][key] != two["embedded"][key]),
    }


def _changes(one: Mapping[str, Any], two: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "added": {name: two[name] for name in sorted(two.keys() - one.keys())},
        "removed": {name: one[name] for name in sorted(one.keys() - two.keys())},
        "changed": {
            name: [one[name], two[name]] for name in sorted(one.keys() & two.keys()) if one[name] != two[name]
        },
    }
