"""HostSpec: what a host shall be, and the languages in which people write it.

``load_answer(AnswerText) -> HostSpec`` is what the other rooms need of it; :func:`zeroth.spec.sources.find_answer`
finds the answer first. Names are imported when they are used: the kickstart reader, a process of its own, imports this
package too and shall load none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zeroth.spec.answer import AnswerText
    from zeroth.spec.errors import AnswerErrors
    from zeroth.spec.load import load_answer, read_answer
    from zeroth.spec.model import HostSpec
    from zeroth.spec.problems import Problem

__all__ = ["AnswerErrors", "AnswerText", "HostSpec", "Problem", "load_answer", "read_answer"]

_HOMES = {"AnswerErrors": "errors", "AnswerText": "answer", "HostSpec": "model", "Problem": "problems",
          "load_answer": "load", "read_answer": "load"}  # fmt: skip


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return vars(import_module(f"{__name__}.{_HOMES[name]}"))[name]
