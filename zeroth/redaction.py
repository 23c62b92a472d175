"""Keeping known secrets out of what is told: whoever repeats one by accident is corrected on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from zeroth.progress import Event, Sink

__all__ = ["RedactedSink", "Redactor"]

_SHORTEST = 4  # characters: a shorter one is part of many a word, and would make the text unreadable
_INSTEAD = "***"


class Redactor:
    """Replaces every secret that it has learned by ``***``."""

    def __init__(self) -> None:
        self._secrets: tuple[str, ...] = ()

    def learn(self, secrets: Iterable[str]) -> None:
        """Know these as well; those of less than four characters are passed over."""
        known = {*self._secrets, *(secret for secret in secrets if len(secret) >= _SHORTEST)}
        # The longest first: one may be a part of another.
        self._secrets = tuple(sorted(known, key=lambda secret: (-len(secret), secret)))

    def __call__(self, text: str) -> str:
        """The text without them."""
        for secret in self._secrets:
            text = text.replace(secret, _INSTEAD)
        return text


class RedactedSink:
    """Passes events on without secrets."""

    def __init__(self, sink: Sink, redact: Redactor) -> None:
        self._sink, self._redact = sink, redact

    def handle(self, event: Event) -> None:
        """Pass one on."""
        path = tuple(map(self._redact, event.path))
        self._sink.handle(replace(event, path=path, message=self._redact(event.message)))
