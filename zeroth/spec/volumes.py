"""The machine's own file systems: found with blkid, mounted so that not a byte on them changes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from zeroth.errors import ExitCode, UserError
from zeroth.spec.sources import Volume
from zeroth.system.run import run

__all__ = ["LiveVolumes", "volumes_in"]

_SAFE = "ro,nosuid,nodev,noexec"
# A read-only mount of ext3 and ext4 would still replay the journal: noload keeps it from writing.
_KINDS = {
    "vfat": _SAFE,
    "iso9660": _SAFE,
    "udf": _SAFE,
    "ext2": _SAFE,
    "ext3": f"{_SAFE},noload",
    "ext4": f"{_SAFE},noload",
}


class LiveVolumes:
    """:class:`zeroth.spec.sources.Volumes` of this machine."""

    def labelled(self, label: str) -> Sequence[Volume]:
        """Ask blkid, which looks at every device itself, not at its cache or udev's. Status 2: it found nothing."""
        listing = run(["blkid", "-c", "/dev/null", "-o", "export"], ok=(0, 2)).stdout
        return [volume for volume in volumes_in(listing) if volume.label.lower() == label.lower()]

    @contextmanager
    def mounted(self, volume: Volume) -> Iterator[Path]:
        """Mount at a new folder, unmount in any case."""
        if volume.kind not in _KINDS:
            raise UserError(
                f"the volume {volume.label} ({volume.device}) holds {volume.kind or 'no known file system'}",
                "Make it FAT, ext4 or ISO 9660.",
                code=ExitCode.MACHINE,
            )
        with tempfile.TemporaryDirectory(prefix="zeroth-answer-") as name:
            run(["mount", "-t", volume.kind, "-o", _KINDS[volume.kind], volume.device, name])
            try:
                yield Path(name)
            finally:
                run(["umount", name])


def volumes_in(listing: str) -> list[Volume]:
    """The labelled file systems in what ``blkid -o export`` printed.

    A stick with an ISO on it may show the same file system as the disk and as its first partition: it counts once.
    """
    found: dict[tuple[str, str], Volume] = {}
    for block in listing.split("\n\n"):
        fields = dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        label = fields.get("LABEL", "").replace("\\", "")
        if not label or not fields.get("DEVNAME"):
            continue
        volume = Volume(fields["DEVNAME"], label, fields.get("TYPE", ""))
        identity = (label, fields.get("UUID") or volume.device)
        found.setdefault(identity, volume)
    return list(found.values())
