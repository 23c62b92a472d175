"""Where the installer's answer comes from.

In this order: what the kernel command line names, what is embedded in the medium, a volume labelled ``ZEROTH-CFG``.
What is named must be there; what merely may be there is passed over.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zeroth.errors import UserError
from zeroth.spec.answer import AnswerText
from zeroth.spec.embedded import Embedded
from zeroth.spec.fetch import fetch_answer

__all__ = ["ANSWER_LABEL", "MEDIUM", "Volume", "Volumes", "find_answer"]

ANSWER_LABEL = "ZEROTH-CFG"
MEDIUM = Path("/run/zeroth/medium")
_ARGUMENT = "zeroth.answer"
_NAMES = ("answer.ks", "answer.cfg", "answer.yaml", "answer.yml", "answer.json", "answer.xml", "answer.toml")
_HINT = "Give zeroth.answer=label:NAME/path, =medium:/path or =https://..."
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


def find_answer(
    volumes: Volumes,
    *,
    cmdline: str | None = None,
    medium: Path = MEDIUM,
    embedded: Embedded = _NOTHING,
    fetch: Callable[[str], AnswerText] = fetch_answer,
    sleep: Callable[[float], None] = time.sleep,
) -> AnswerText | None:
    """Look for the answer.

    :param cmdline: the kernel command line; the running kernel's when not given.
    :param medium: where the medium that was booted from is mounted.
    :param embedded: what is embedded in the medium.
    :returns: the answer's text, not read yet; None when there is none and the screen must ask.
    :raises UserError: what was asked for is not there, or it is not clear which file is meant.
    """
    place = _argument(
        Path("/proc/cmdline").read_text(encoding="utf-8", errors="replace") if cmdline is None else cmdline
    )
    if place is not None:
        return _named(place, volumes, medium, fetch, sleep)
    answer = embedded.answer_text()
    if answer is not None:
        return answer
    beside = _answers_in(medium / "zeroth")
    if beside:
        return _one_of(beside, f"the medium ({medium}/zeroth)", "on the medium")
    found = _awaited(ANSWER_LABEL, volumes, _SHORT_PATIENCE, sleep)
    return _from_volume(_only(found, ANSWER_LABEL), None, volumes) if found else None


def _argument(cmdline: str) -> str | None:
    """The value of zeroth.answer=; quotes as the kernel knows them."""
    words = [word.replace('"', "") for word in re.findall(r'(?:[^\s"]|"[^"]*"?)+', cmdline)]
    values = [word.partition("=")[2] for word in words if word.partition("=")[0] == _ARGUMENT]
    if len(set(values)) > 1:
        raise UserError(f"{_ARGUMENT}= is given {len(values)} times on the kernel command line", "Give it once.")
    if values and not values[0]:
        raise UserError(f"{_ARGUMENT}= is empty on the kernel command line", _HINT)
    return values[0] if values else None


def _named(
    place: str,
    volumes: Volumes,
    medium: Path,
    fetch: Callable[[str], AnswerText],
    sleep: Callable[[float], None],
) -> AnswerText:
    kind, _, rest = place.partition(":")
    match kind:
        case "label":
            label, _, path = rest.partition("/")
            if not label or not path:
                raise UserError(
                    f"{_ARGUMENT}={place} does not name a volume and a path", "As in label:ZEROTH-CFG/host1.ks"
                )
            found = _awaited(label, volumes, _PATIENCE, sleep)
            return _from_volume(_only(found, label), path, volumes)
        case "medium":
            if not rest.strip("/"):
                raise UserError(f"{_ARGUMENT}={place} does not name a file", "As in medium:/zeroth/host1.ks")
            return _file_in(medium, rest, f"on the medium, {rest}")
        case "http" | "https":
            return fetch(place)
        case "dhcp" | "dns" | "ftp" | "tftp" | "nfs":
            raise UserError(f"an answer by {kind} is not supported yet ({_ARGUMENT}={place})", _HINT)
    raise UserError(f"{_ARGUMENT}={place} is not a place that is understood", _HINT)


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
            f"Plug it in, or check its label (blkid shows it) against {_ARGUMENT}= on the kernel command line.",
        )
    if len(found) > 1:
        devices = ", ".join(volume.device for volume in found)
        raise UserError(
            f"{len(found)} file systems have the label {label}: {devices}", "Leave one of them plugged in."
        )
    return found[0]


def _from_volume(volume: Volume, path: str | None, volumes: Volumes) -> AnswerText:
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


def _one_of(answers: Sequence[Path], place: str, origin: str) -> AnswerText:
    if len(answers) > 1:
        names = ", ".join(path.name for path in answers)
        raise UserError(f"{place} holds {len(answers)} answer files: {names}", "Leave only the one that is meant.")
    return _file_in(answers[0].parent, answers[0].name, origin)


def _file_in(folder: Path, path: str, origin: str) -> AnswerText:
    """Read a file below a folder; a link that leads out of it is not followed."""
    target = folder / path.lstrip("/")
    try:
        inside = target.resolve(strict=True).is_relative_to(folder.resolve())
        if not inside or not target.is_file():
            raise UserError(f"{path} is not a file there ({origin})", "Check the path.")
        with target.open("rb") as stream:
            return AnswerText.from_stream(stream, target.name, origin)
    except FileNotFoundError:
        raise UserError(f"there is no {path} ({origin})", "Check the path, upper and lower case too.") from None
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise _unreadable(target, error) from None


def _unreadable(path: Path, error: Exception) -> UserError:
    return UserError(f"cannot read {path}: {getattr(error, 'strerror', None) or type(error).__name__}")
