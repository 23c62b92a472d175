"""What mmdebstrap prints: how far it is, and what went wrong."""

from __future__ import annotations

import re
from collections.abc import Callable

from images.log import LOG_HINT
from zeroth.errors import ExitCode, UserError
from zeroth.system.run import CommandFailed

__all__ = ["Meter", "explained"]

_TROUBLE = re.compile(r"E: |Err:|dpkg: error|dpkg-deb: error|.*No space left|.*unmet dependencies| [\w.+-]+ : Depends")
_COUNT = re.compile(r"(\d+) newly installed")
_ACTS = ("Get:", "Unpacking ", "Setting up ")
# What mmdebstrap says, and which part of the whole begins with that (measured).
_PHASES = (
    ("", 0.0, 0.05),
    ("I: extracting archives", 0.05, 0.1),
    ("I: installing essential packages", 0.1, 0.2),
    ("I: installing remaining packages", 0.2, 0.99),
)


class Meter:
    """Reads how far mmdebstrap is from what it and apt print. What it tells only grows."""

    def __init__(self, progress: Callable[[float], None]) -> None:
        self._progress = progress
        _, self._floor, self._ceiling = _PHASES[0]
        self._total = 0
        self._done = dict.fromkeys(_ACTS, 0)
        self._told = 0.0

    def read(self, line: str) -> None:
        """Take one line of output."""
        count = _COUNT.search(line)
        act = next((act for act in _ACTS if line.startswith(act)), None)
        for start, floor, ceiling in _PHASES[1:]:
            if line.startswith(start):
                self._floor, self._ceiling = floor, ceiling
                self._done = dict.fromkeys(_ACTS, 0)
        if count:
            self._total = int(count[1])
        if act:
            self._done[act] += 1
        # A package that needs no download counts as downloaded once it is unpacked.
        got = max(self._done["Get:"], self._done["Unpacking "])
        done = got + self._done["Unpacking "] + self._done["Setting up "]
        within = min(1.0, done / (len(_ACTS) * self._total)) if self._total else 0.0
        fraction = self._floor + (self._ceiling - self._floor) * within
        if fraction > self._told:
            self._told = fraction
            self._progress(fraction)


def explained(error: CommandFailed) -> UserError:
    """What went wrong, out of all that apt, dpkg and mmdebstrap printed."""
    lines = error.completed.stdout.splitlines()
    said = [line for line in lines if _TROUBLE.match(line)] or lines[-6:]
    if any("Failed to fetch" in line for line in said):
        hint = "The mirror changed or failed meanwhile: try again, or name another mirror with --mirror URL."
    elif any("No space left" in line for line in lines):
        hint = "The disk is full: free some space, or run `zeroth image clean`."
    else:
        hint = LOG_HINT
    why = "" if error.completed.status > 0 else " (it was killed)"
    shown = "".join(f"\n  {line}" for line in dict.fromkeys(said[-8:]))
    return UserError(f"mmdebstrap could not install the packages{why}:{shown}", hint, code=ExitCode.MACHINE)
