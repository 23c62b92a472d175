"""From an answer's text to a HostSpec: the one way, whatever the language."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from zeroth.errors import UserError
from zeroth.spec.answer import SIZE_LIMIT, AnswerText, Language
from zeroth.spec.checks import Known, checked, known_here
from zeroth.spec.document import Document
from zeroth.spec.errors import AnswerErrors
from zeroth.spec.gaps import gaps
from zeroth.spec.importers.proxmox import read_proxmox
from zeroth.spec.importers.xenserver import read_xenserver
from zeroth.spec.json_text import read_json
from zeroth.spec.kickstart.client import read_kickstart
from zeroth.spec.model import HostSpec
from zeroth.spec.problems import Problem, Severity, in_order
from zeroth.spec.secrets import without_plain_password
from zeroth.spec.validate import validated
from zeroth.spec.yaml_text import read_yaml

__all__ = ["Reading", "load_answer", "read_answer"]

_READERS: dict[Language, Callable[[str], Document]] = {
    Language.KICKSTART: read_kickstart, Language.YAML: read_yaml, Language.JSON: read_json,
    Language.XENSERVER: read_xenserver, Language.PROXMOX: read_proxmox,
}  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """What became of an answer.

    :param spec: None when there are errors. It holds no plain password: what the answer had is hashed.
    :param problems: errors and warnings, in the order of the file.
    :param hashed: the answer holds a plain password, of which ``spec`` has the hash.
    """

    answer: AnswerText
    spec: HostSpec | None
    problems: tuple[Problem, ...]
    hashed: bool = False

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that refuse the answer."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)

    def accepted(self) -> HostSpec:
        """The host.

        :raises AnswerErrors: there are errors; it carries all of them, and the warnings too.
        """
        if self.spec is None:
            raise AnswerErrors(self.answer.name, self.problems, self.answer.text)
        return self.spec

    @property
    def left_out(self) -> tuple[Problem, ...]:
        """What an answer of another installer says that has no counterpart."""
        return tuple(problem for problem in self.problems if problem.severity is Severity.LEFT_OUT)


def read_answer(answer: AnswerText, known: Known | None = None) -> Reading:
    """Read an answer and gather everything that is wrong with it.

    :param known: time zones and keyboards; those of this machine when not given.
    """
    plain = None
    try:
        document = _document(answer)
        spec, problems = validated(document)
        wrong = {problem.field for problem in problems}
        problems.extend(it for it in checked(document, known or known_here()) if it.field not in wrong)
        if spec is not None and not _any_error(problems):
            plain, spec = spec, _hashed(spec, document, problems)
            problems.extend(_not_done(spec, document))
    except AnswerErrors as error:
        return Reading(answer, None, tuple(error.problems))
    refused = _any_error(problems)
    return Reading(answer, None if refused else spec, in_order(problems), hashed=not refused and spec != plain)


def load_answer(answer: AnswerText, known: Known | None = None) -> HostSpec:
    """Read an answer.

    :param known: time zones and keyboards; those of this machine when not given.
    :raises AnswerErrors: there are errors; it carries all of them, and the warnings too.
    """
    return read_answer(answer, known).accepted()


def _any_error(problems: list[Problem]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)


def _document(answer: AnswerText) -> Document:
    try:
        size = len(answer.text.encode())
    except UnicodeEncodeError:
        raise AnswerErrors(answer.name, [Problem("the text holds half a character (a lone surrogate)")]) from None
    if size > SIZE_LIMIT:
        raise AnswerErrors(answer.name, [Problem("the file is larger than 1 MiB", "This is not an answer file.")])
    if "\0" in answer.text:
        raise AnswerErrors(answer.name, [Problem("this is a binary file, not text", "Is it the right file?")])
    return _READERS[answer.language](answer.text)


def _not_done(spec: HostSpec, document: Document) -> list[Problem]:
    return [
        Problem(
            str(gap),
            "The installer refuses the answer." if gap.refused else "The host is made without it.",
            document.place(gap.path),
            Severity.WARNING,
            ".".join(part for part in gap.path if isinstance(part, str)),
        )
        for gap in gaps(spec)
    ]


def _hashed(spec: HostSpec, document: Document, problems: list[Problem]) -> HostSpec:
    try:
        return without_plain_password(spec)
    except UserError as error:
        where = document.place(("root", "password"))
        problems.append(Problem(error.message, error.hint, where, field="root.password"))
        return spec
