"""Calls the reader."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import Any

from zeroth.spec.document import Document
from zeroth.spec.problems import FILE, Problem, Severity, Span
from zeroth.system.run import run

__all__ = ["document_from", "read_kickstart"]

_MODULE = "zeroth.spec.kickstart"
_TIMEOUT = 120


def read_kickstart(text: str) -> Document:
    """Read a kickstart text.

    :raises CommandFailed: the reader itself failed, which is a bug or a lack of resources.
    """
    # -P: the current directory is not searched for modules.
    done = run([sys.executable, "-P", "-m", _MODULE], input=text, timeout=_TIMEOUT)
    return document_from(done.stdout)


def document_from(output: str) -> Document:
    """What the reader printed, as a document."""
    found = json.loads(output)
    return Document(
        data=found["data"],
        marks={tuple(path): Span(*place) for path, place in found["marks"]},
        problems=_problems(found["problems"]),
        unsure=frozenset(found["unsure"]),
    )


def _problems(rows: Iterable[Any]) -> list[Problem]:
    """Problems as ``Draft.as_json`` wrote them."""
    return [Problem(message, hint, Span(*where) if where[0] else FILE, Severity(severity))
            for message, hint, where, severity in rows]  # fmt: skip
