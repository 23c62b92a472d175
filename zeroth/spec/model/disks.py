"""Which disks are installed on, how, and the consent to destroy what is on them."""

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator

from zeroth.spec.fields import DiskSelector, SecondDisk
from zeroth.spec.model.base import Model, Switch

__all__ = ["MISSING", "DiskSpec", "Layout", "LocalSr"]

MISSING = "missing"
"""As second disk of a mirror: it is not there yet, the mirror is made with one leg."""


class Layout(StrEnum):
    """How domain 0 lies on its disks."""

    SINGLE = "single"
    MIRROR = "mirror"
    """On two disks, either of which boots alone."""


class LocalSr(StrEnum):
    """What is made of the rest of the disk."""

    LVM = "lvm"
    """An LVM volume group."""
    EXT4 = "ext4"
    """A file system for disk images."""
    NONE = "none"
    """Nothing: the rest stays free."""


_Selectors = Annotated[tuple[DiskSelector, ...], Field(max_length=64)]


class DiskSpec(Model):
    """Which disk to install on, and the consent to destroy what is on it.

    :ivar select: which disk; see :mod:`zeroth.spec.selector`. Exactly one disk must match (of a mirror without
        ``mirror_with``: exactly two, or the two smallest or largest).
    :ivar alternatives: selectors that are tried in this order when ``select`` matches no disk. One that matches
        several is an error as ever: only what matches none is passed over.
    :ivar ignore: disks that are left out of consideration and never touched.
    :ivar wipe: the consent to erase the disks that are installed on, and those of ``sr_disks``, when they carry
        anything at all.
    :ivar wipe_disks: the consent to erase exactly these and no others, each of them one disk; instead of ``wipe``.
    :ivar mirror_with: the second disk of a mirror, or ``missing``.
    :ivar keep_sr: the local storage repository of an earlier installation on the disk stays as it is, byte for byte;
        the consent to erase is then for the rest of the disk.
    :ivar sr_disks: further disks, whole, for the local storage repository; each of them one disk.
    """

    select: DiskSelector = "only"
    alternatives: _Selectors = ()
    ignore: _Selectors = ()
    wipe: Switch = False
    wipe_disks: _Selectors = ()
    layout: Layout = Layout.SINGLE
    mirror_with: SecondDisk | None = None
    local_sr: LocalSr = LocalSr.LVM
    keep_sr: Switch = False
    sr_disks: _Selectors = ()

    @property
    def choices(self) -> tuple[str, ...]:
        """The selectors of the disk in the order in which they are tried."""
        return (self.select, *self.alternatives)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.wipe and self.wipe_disks:
            raise ValueError("wipe allows every disk that is installed on, wipe_disks only some: give one of the two")
        if self.mirror_with and self.layout is not Layout.MIRROR:
            raise ValueError("mirror_with names a second disk, but the layout is not mirror")
        if self.mirror_with in self.choices:
            raise ValueError("both legs of the mirror are the same disk")
        if self.local_sr is LocalSr.NONE and (self.keep_sr or self.sr_disks):
            raise ValueError("there shall be no local storage repository, so none can be kept or get disks")
        if self.keep_sr and self.sr_disks:
            raise ValueError("a storage repository that is kept gets no further disks")
        return self
