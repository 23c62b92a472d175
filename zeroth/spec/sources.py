"""Where the installer's answer comes from.

In this order: what the kernel command line names, what is embedded in the medium, a volume labelled ``ZEROTH-CFG``.
What is named must be there; what merely may be there is passed over. Wherever it comes from, its signature is checked
before it is read (:mod:`zeroth.spec.signed`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zeroth.errors import UserError
from zeroth.keys.signing import SIGNATURE_LIMIT, SIGNATURE_SUFFIX, PublicKey
from zeroth.spec.answer import SIZE_LIMIT, AnswerText
from zeroth.spec.arguments import ANSWER, HINT, Wanted, wanted_by
from zeroth.spec.embedded import Embedded
from zeroth.spec.fetch.found import Found, is_address
from zeroth.spec.signed import SigningRule

__all__ = ["ANSWER_LABEL", "MEDIUM", "Fetch", "Volume", "Volumes", "find_answer"]

ANSWER_LABEL = "ZEROTH-CFG"
MEDIUM = Path("/run/zeroth/medium")
_NAMES = ("answer.ks", "answer.cfg", "answer.yaml", "answer.yml", "answer.json", "answer.xml", "answer.toml")
# Seconds: a USB stick may need a moment to appear, and one that is named is waited for longer.
_PATIENCE = 15.0
_SHORT_PATIENCE = 5.0
_PAUSE = 0.5
_NOTHING = Embedded()


@dataclass(frozen=True)
class Volume:
    """A file system.

    :param device: its device node.
    :param label: as it is written on it.
    :param kind: its type, as ``mount -t`` takes it.
    """

    device: str
    label: str
    kind: str


class Volumes(Protocol):
    """The machine's file systems. :class:`zeroth.spec.volumes.LiveVolumes` is the machine's own."""

    def labelled(self, label: str) -> Sequence[Volume]:
        """The file systems with a label, upper or lower case alike (FAT knows but one)."""

    def mounted(self, volume: Volume) -> AbstractContextManager[Path]:
        """The folder at which a file system is mounted, for the time of the block, without a byte being written to it.

        :raises UserError: it cannot be mounted.
        """


Fetch = Callable[[Wanted, bool], Found]
"""Fetches what is wanted from the network, and its signature when the second argument says so."""


def find_answer(
    volumes: Volumes,
    *,
    fetch: Fetch,
    cmdline: str | None = None,
    medium: Path = MEDIUM,
    embedded: Embedded = _NOTHING,
    keys: Sequence[PublicKey] = (),
    sleep: Callable[[float], None] = time.sleep,
) -> AnswerText | None:
    """Look for the answer.

    :param cmdline: the kernel command line; the running kernel's when not given.
    :param medium: where the medium that was booted from is mounted.
    :param embedded: what is embedded in the medium.
    :param keys: those of the image, by which an answer may be signed.
    :returns: the answer's text, not read yet; None when there is none and the screen must ask.
    :raises UserError: what was asked for is not there, it is not clear which file is meant, or its signature does not
        let it through.
    """
    wanted = wanted_by(
        Path("/proc/cmdline").read_text(encoding="utf-8", errors="replace") if cmdline is None else cmdline
    )
    rule = SigningRule((*keys, *embedded.answer_keys()), required=wanted.signed or embedded.require_signed)
    found = _find(wanted, volumes, medium, embedded, lambda: fetch(wanted, rule.looks), sleep)
    if found is None:
        return None
    signer = rule.check(found)
    origin = ", ".join(filter(None, [found.origin, signer]))
    return AnswerText.from_bytes(found.data, found.name, origin)


def _find(
    wanted: Wanted,
    volumes: Volumes,
    medium: Path,
    embedded: Embedded,
    fetch: Callable[[], Found],
    sleep: Callable[[float], None],
) -> Found | None:
    if wanted.places:
        return _named(wanted.places[0], volumes, medium, fetch, sleep)
    if embedded.answer:
        answer = embedded.answer
        return Found(answer.text.encode(), answer.name, "embedded in the medium", answer.signature)
    beside = _answers_in(medium / "zeroth")
    if beside:
        return _one_of(beside, f"the medium ({medium}/zeroth)", "on the medium")
    found = _awaited(ANSWER_LABEL, volumes, _SHORT_PATIENCE, sleep)
    return _from_volume(_only(found, ANSWER_LABEL), None, volumes) if found else None


def _named(
    place: str,
    volumes: Volumes,
    medium: Path,
    fetch: Callable[[], Found],
    sleep: Callable[[float], None],
) -> Found:
    kind, _, rest = place.partition(":")
    match kind:
        case "label":
            label, _, path = rest.partition("/")
            if not label or not path:
                raise UserError(
                    f"{ANSWER}={place} does not name a volume and a path", "As in label:ZEROTH-CFG/host1.ks"
                )
            found = _awaited(label, volumes, _PATIENCE, sleep)
            return _from_volume(_only(found, label), path, volumes)
        case "medium":
            if not rest.strip("/"):
                raise UserError(f"{ANSWER}={place} does not name a file", "As in medium:/zeroth/host1.ks")
            return _file_in(medium, rest, f"on the medium, {rest}")
        case "dhcp" | "dns" if not rest:
            return fetch()
        case _ if is_address(place):
            return fetch()
    raise UserError(f"{ANSWER}={place} is not a place that is understood", HINT)


def _awaited(label: str, volumes: Volumes, patience: float, sleep: Callable[[float], None]) -> Sequence[Volume]:
    """The file systems with a label, as soon as there are any."""
    waited = 0.0
    while not (found := volumes.labelled(label)) and waited < patience:
        sleep(_PAUSE)
        waited += _PAUSE
    return found


def _only(found: Sequence[Volume], label: str) -> Volume:
    if not found:
        raise UserError(
            f"no file system with the label {label} appeared within {_PATIENCE:g} s",
            f"Plug it in, or check its label (blkid shows it) against {ANSWER}= on the kernel command line.",
        )
    if len(found) > 1:
        devices = ", ".join(volume.device for volume in found)
        raise UserError(
            f"{len(found)} file systems have the label {label}: {devices}", "Leave one of them plugged in."
        )
    return found[0]


def _from_volume(volume: Volume, path: str | None, volumes: Volumes) -> Found:
    where = f"volume {volume.label} ({volume.device})"
    with volumes.mounted(volume) as folder:
        if path is not None:
            return _file_in(folder, path, f"{where}, {path}")
        answers = _answers_in(folder)
        if not answers:
            raise UserError(
                f"the {where} holds no answer file", "Put answer.ks, answer.yaml or answer.json in its top folder."
            )
        return _one_of(answers, f"the {where}", where)


def _answers_in(folder: Path) -> list[Path]:
    """The files with the name of an answer, upper or lower case alike."""
    try:
        return sorted(path for path in folder.iterdir() if path.name.lower() in _NAMES and path.is_file())
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise _unreadable(folder, error) from None


def _one_of(answers: Sequence[Path], place: str, origin: str) -> Found:
    if len(answers) > 1:
        names = ", ".join(path.name for path in answers)
        raise UserError(f"{place} holds {len(answers)} answer files: {names}", "Leave only the one that is meant.")
    return _file_in(answers[0].parent, answers[0].name, origin)


def _file_in(folder: Path, path: str, origin: str) -> Found:
    """Read a file below a folder; a link that leads out of it is not followed."""
    target = folder / path.lstrip("/")
    try:
        target.resolve(strict=True)
        if not _inside(target, folder):
            raise UserError(f"{path} is not a file there ({origin})", "Check the path.")
        beside = target.with_name(target.name + SIGNATURE_SUFFIX)
        signature = _head(beside, SIGNATURE_LIMIT).decode(errors="replace") if _inside(beside, folder) else ""
        return Found(_head(target, SIZE_LIMIT), target.name, origin, signature)
    except FileNotFoundError:
        raise UserError(f"there is no {path} ({origin})", "Check the path, upper and lower case too.") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise _unreadable(target, error) from None


def _inside(path: Path, folder: Path) -> bool:
    return path.is_file() and path.resolve().is_relative_to(folder.resolve())


def _head(path: Path, limit: int) -> bytes:
    """A file, or a little more than the limit of it: what reads it then says that it is too large."""
    with path.open("rb") as stream:
        return stream.read(limit + 1)


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or type(error).__name__}")
