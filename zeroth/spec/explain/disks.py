"""In words: the disks that are installed on, and what is destroyed."""

from __future__ import annotations

from zeroth.spec.explain.words import Rows, listed, sentences
from zeroth.spec.model import MISSING, DiskSpec, Layout, LocalSr
from zeroth.spec.selector import Key, Pick, Selector, Term, parse_selector
from zeroth.system.size import Size

__all__ = ["disk_rows", "disk_words"]

_SR = {
    LocalSr.LVM: "an LVM volume group",
    LocalSr.EXT4: "a file system (ext4) for disk images",
    LocalSr.NONE: "none, the rest of the disk stays free",
}
_SIZES = {"=": "of", ">=": "of at least", "<=": "of at most", ">": "larger than", "<": "smaller than"}


def disk_rows(disk: DiskSpec) -> Rows:
    """The disk, what becomes of what is on it, and of its rest."""
    return [("Disk", _disk(disk)), ("Destroyed", _destroyed(disk)), ("Local storage", _rest(disk))]


def disk_words(text: str) -> str:
    """A selector in words."""
    selector = parse_selector(text)
    if not selector.terms and selector.pick in (None, Pick.ONLY):
        return "the only disk of the machine; with more than one, nothing is done"
    if len(selector.terms) == 1 and selector.terms[0].key is Key.PATH and not selector.pick:
        return selector.terms[0].value
    return _found(selector)


def _found(selector: Selector) -> str:
    which = str(selector.pick) if selector.pick in (Pick.SMALLEST, Pick.LARGEST) else "one"
    kinds = "".join(f"{term.key.upper()} " for term in selector.terms if term.key in (Key.SSD, Key.HDD))
    sizes = [f"{_SIZES[term.operator]} {_size(term.size)}" for term in selector.terms if term.size is not None]
    rest = [_term(term) for term in selector.terms if term.key not in (Key.SSD, Key.HDD, Key.SIZE)]
    whose = f"whose {listed(rest)}" if rest else ""
    return " ".join(filter(None, [f"the {which} {kinds}disk", listed(sizes), whose])) + (
        " of the machine" if not sizes and not whose else ""
    )


def _size(size: Size) -> str:
    """Of terabytes nobody wants to know how many KiB they are."""
    exact = str(size)
    return exact if exact.endswith(("GB", "GiB", "TB", "TiB")) else f"about {size.approx()}"


def _term(term: Term) -> str:
    return f"{term.key} is {term.value}"


def _disk(disk: DiskSpec) -> str:
    first = disk_words(disk.select)
    others = "".join(f"; if there is none, {disk_words(other)}" for other in disk.alternatives)
    spared = f"never touched: {listed(map(disk_words, disk.ignore))}" if disk.ignore else ""
    return sentences(first + others, _mirror(disk), spared)


def _mirror(disk: DiskSpec) -> str:
    if disk.layout is not Layout.MIRROR:
        return ""
    match disk.mirror_with:
        case None:
            return "the same selects two disks, which are mirrored: either boots alone"
        case "missing":
            return f"mirrored, but the second disk is {MISSING} and comes later"
    return f"mirrored on a second disk: {disk_words(disk.mirror_with)}; either boots alone"


def _destroyed(disk: DiskSpec) -> str:
    kept = ", but for the local storage repository" if disk.keep_sr else ""
    if disk.wipe:
        several = disk.layout is Layout.MIRROR or disk.sr_disks
        those = "those disks, whatever they carry" if several else "that disk, whatever it carries"
        storage = ", those of the local storage too" if disk.sr_disks else ""
        return f"EVERYTHING on {those}{storage}{kept}. The installer touches no other disk."
    if disk.wipe_disks:
        named = " and on ".join(map(disk_words, disk.wipe_disks))
        return f"EVERYTHING on {named}, whatever is there{kept}. The installer touches no other disk."
    if disk.keep_sr:
        return "nothing: there is no consent to erase, and so nothing is installed over the earlier installation"
    return "nothing: there is no consent to erase, so only an empty disk is taken"


def _rest(disk: DiskSpec) -> str:
    if disk.keep_sr:
        return "that of an earlier installation stays as it is; without one, nothing is installed"
    more = f"also on {listed(map(disk_words, disk.sr_disks))}, whole" if disk.sr_disks else ""
    return sentences(_SR[disk.local_sr], more)
