"""Calls the reader."""

from __future__ import annotations

import json
import sys

from zeroth.spec.document import Document
from zeroth.spec.kickstart.draft import problems_from
from zeroth.spec.problems import Span
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
        problems=problems_from(found["problems"]),
        unsure=frozenset(found["unsure"]),
    )
