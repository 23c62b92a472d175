"""``host.capabilities`` from libvirt's capabilities XML."""

from __future__ import annotations

from typing import Final

from defusedxml.ElementTree import fromstring

__all__ = ["host_capabilities"]

# libvirt's guest kinds by Xen's own words for them, which clients look for (those of HVM start with "hvm").
_WORDS: Final = {
    "xen": "xen-3.0-{arch}",
    "linux": "xen-3.0-{arch}",
    "hvm": "hvm-3.0-{arch}",
    "xenpvh": "pvh-3.0-{arch}",
}
_ARCHES: Final = {"x86_64": "x86_64", "i686": "x86_32p"}


def host_capabilities(xml: str) -> tuple[str, ...]:
    """The kinds of guest that this host runs, as Xen names them, sorted."""
    found = set()
    for guest in fromstring(xml).iterfind("guest"):
        word = _WORDS.get(guest.findtext("os_type") or "")
        arch = guest.find("arch")
        name = _ARCHES.get(arch.get("name", "")) if arch is not None else None
        if word and name:
            found.add(word.format(arch=name))
    return tuple(sorted(found))
