"""Other installers' names of keyboards, as layouts of the console and of X (xkeyboard-config)."""

from __future__ import annotations

__all__ = ["PROXMOX", "layout_of"]

# The console's keymaps (kbd) whose layout has another name; True where a variant of the layout is meant.
_CONSOLE: dict[str, tuple[str, bool]] = {
    "uk": ("gb", False), "sg": ("ch", False), "sf": ("ch", True), "slovene": ("si", False), "croat": ("hr", False),
    "cf": ("ca", False), "jp106": ("jp", False), "br-abnt2": ("br", False), "br-abnt": ("br", False),
    "la-latin1": ("latam", False), "sv-latin1": ("se", False), "hu101": ("hu", True), "trq": ("tr", False),
    "trf": ("tr", True), "us-acentos": ("us", True), "dvorak": ("us", True), "pt-latin9": ("pt", False),
    "be-latin1": ("be", False), "de-latin1": ("de", False), "dk-latin1": ("dk", False), "es-latin1": ("es", False),
    "fi-latin1": ("fi", False), "fr-latin1": ("fr", False), "fr-latin9": ("fr", False), "is-latin1": ("is", False),
    "no-latin1": ("no", False), "pt-latin1": ("pt", False), "de-latin1-nodeadkeys": ("de", True),
    "de_CH-latin1": ("ch", False), "fr_CH-latin1": ("ch", True), "sg-latin1": ("ch", False),
}  # fmt: skip

PROXMOX: dict[str, tuple[str, bool]] = {
    "de": ("de", False), "de-ch": ("ch", False), "dk": ("dk", False), "en-gb": ("gb", False), "en-us": ("us", False),
    "es": ("es", False), "fi": ("fi", False), "fr": ("fr", False), "fr-be": ("be", False), "fr-ca": ("ca", False),
    "fr-ch": ("ch", True), "hu": ("hu", False), "is": ("is", False), "it": ("it", False), "jp": ("jp", False),
    "lt": ("lt", False), "mk": ("mk", False), "nl": ("nl", False), "no": ("no", False), "pl": ("pl", False),
    "pt": ("pt", False), "pt-br": ("br", False), "se": ("se", False), "si": ("si", False), "tr": ("tr", False),
}  # fmt: skip
"""Proxmox VE's keyboards: the layout, and whether a variant of it is meant."""


def layout_of(keymap: str) -> tuple[str, bool]:
    """The layout of a console keymap, and whether a variant of it is lost; an unknown name stays as it is."""
    return _CONSOLE.get(keymap, (keymap, False))
