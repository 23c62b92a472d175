"""Whether an ISO image is whole, by the checksums on it, and whose it is, by a signature beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from images.iso.content import Digests, embedded, file_digests, image_digests, sums
from images.iso.layout import Iso
from zeroth.keys.keyring import check_file
from zeroth.keys.signing import SIGNATURE_SUFFIX, PublicKey, Purpose
from zeroth.progress import Step
from zeroth.spec.embedded import Embedded

__all__ = ["Signed", "Verified", "signature_of", "verify"]

_SUMS = "SHA256SUMS"
_SUMS_LIMIT = 1 << 20


@dataclass(frozen=True)
class Signed:
    """A signature that covers the image.

    :ivar path: of what was signed: the image itself, or the sums of its build.
    :ivar key: whose it is.
    """

    path: Path
    key: PublicKey


@dataclass(frozen=True)
class Verified:
    """What was found.

    :ivar files: how many the checksums name.
    :ivar damaged: those whose content is another, or that are missing; paths from the top.
    :ivar content: what is embedded, which no checksum of the build covers.
    """

    files: int
    damaged: tuple[str, ...]
    digests: Digests
    content: Embedded


def verify(iso: Iso, step: Step) -> Verified:
    """Read the image, and compare each file with the checksum on it.

    :raises UserError: when the checksums are missing, or the image is cut short.
    """
    wanted = sums(iso)
    total = iso.size + sum(file.size for file in iso.files.values())
    done = 0

    def progress(count: int) -> None:
        nonlocal done
        done += count
        step.update(done, of=total)

    found = file_digests(iso, progress)
    damaged = tuple(name for name, digest in wanted.items() if found.get(name) != digest)
    return Verified(len(wanted), damaged, image_digests(iso, progress), embedded(iso))


def signature_of(iso: Iso, digests: Digests, trusted: Sequence[PublicKey]) -> Signed | None:
    """The signature beside the image that covers it: its own, or that of the SHA256SUMS of its build.

    What is embedded is left out: the signer signed the image without it.

    :returns: None when nothing beside it is signed.
    :raises UserError: when what is signed is not this image, or no trusted key signed it.
    """
    path = iso.path.resolve()
    if path.with_name(path.name + SIGNATURE_SUFFIX).is_file():
        if digests.actual != digests.pristine:
            raise iso.wrong(
                "it was signed as it was published, and something is embedded in it",
                f"Check a copy that `zeroth iso embed --remove` made, or keep {_SUMS} of the build beside it.",
            )
        return Signed(path, check_file(path, trusted, Purpose.IMAGE))
    listed = path.with_name(_SUMS)
    if not listed.with_name(listed.name + SIGNATURE_SUFFIX).is_file():
        return None
    key = check_file(listed, trusted, Purpose.IMAGE)
    names = {digest for digest, _ in _lines(listed)}
    if digests.pristine not in names:
        raise iso.wrong(
            f"{listed.name} beside it, which is signed, does not name this image", "Is it another build's?"
        )
    return Signed(listed, key)


def _lines(path: Path) -> list[tuple[str, str]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        text = file.read(_SUMS_LIMIT)
    return [(line.partition("  ")[0], line.partition("  ")[2]) for line in text.splitlines()]
