"""From an answer's text to a HostSpec: the one way, whatever the language.

Whatever takes long to load (the model above all) is loaded when it is needed, and beside the process that reads
kickstart: `make bench` compares the linter with a bare import of the libraries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

from zeroth.spec.answer import SIZE_LIMIT, AnswerText, Language
from zeroth.spec.document import Document
from zeroth.spec.errors import AnswerErrors
from zeroth.spec.kickstart.client import read_kickstart
from zeroth.spec.problems import Problem, Severity, in_order

if TYPE_CHECKING:
    from zeroth.spec.checks import Known
    from zeroth.spec.model import HostSpec

__all__ = ["Reading", "load_answer", "read_answer", "read_document"]


def _reader(module: str, name: str) -> Callable[[str], Document]:
    def read(text: str) -> Document:
        document: Document = vars(import_module(f"zeroth.spec.{module}"))[name](text)
        return document

    return read


_READERS: dict[Language, Callable[[str], Document]] = {
    Language.KICKSTART: read_kickstart,
    Language.YAML: _reader("yaml_text", "read_yaml"),
    Language.JSON: _reader("json_text", "read_json"),
    Language.XENSERVER: _reader("importers.xenserver", "read_xenserver"),
    Language.PROXMOX: _reader("importers.proxmox", "read_proxmox"),
}


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


def read_answer(answer: AnswerText, known: Known | None = None, *, keep_plain: bool = False) -> Reading:
    """Read an answer and gather everything that is wrong with it.

    :param known: time zones and keyboards; those of this machine when not given.
    :param keep_plain: leave plain passwords as they are, for comparing; the result is a secret then.
    """
    try:
        with _document(answer) as waited:
            from zeroth.spec.judge import get_ready, judged  # loads pydantic

            get_ready()
            document = waited()
        spec, problems, hashed = judged(document, known, keep_plain=keep_plain)
    except AnswerErrors as error:
        return Reading(answer, None, tuple(error.problems))
    return Reading(answer, spec, in_order(problems), hashed)


def read_document(answer: AnswerText) -> Document:
    """What an answer says, whether it is enough for a host or not; what cannot be read is in its problems.

    :raises AnswerErrors: it is no answer at all.
    """
    with _document(answer) as waited:
        return waited()


def load_answer(answer: AnswerText, known: Known | None = None) -> HostSpec:
    """Read an answer.

    :param known: time zones and keyboards; those of this machine when not given.
    :raises AnswerErrors: there are errors; it carries all of them, and the warnings too.
    """
    return read_answer(answer, known).accepted()


@contextmanager
def _document(answer: AnswerText) -> Iterator[Callable[[], Document]]:
    """Begin to read; what is handed out waits for the result."""
    try:
        size = len(answer.text.encode())
    except UnicodeEncodeError:
        raise AnswerErrors(answer.name, [Problem("the text holds half a character (a lone surrogate)")]) from None
    if size > SIZE_LIMIT:
        raise AnswerErrors(answer.name, [Problem("the file is larger than 1 MiB", "This is not an answer file.")])
    if "\0" in answer.text:
        raise AnswerErrors(answer.name, [Problem("this is a binary file, not text", "Is it the right file?")])
    read = _READERS[answer.language]
    if answer.language is not Language.KICKSTART:
        yield lambda: read(answer.text)
        return
    beside = _Beside(lambda: read(answer.text))
    try:
        yield beside.result
    finally:
        beside.join()


class _Beside(Thread):
    """Something done beside; ``concurrent.futures`` would do it too, and load for longer than this takes."""

    def __init__(self, work: Callable[[], Document]) -> None:
        super().__init__()
        self._work = work
        self._document: Document | None = None
        self._error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Do it; what it raises is raised by :meth:`result`."""
        try:
            self._document = self._work()
        except BaseException as error:  # noqa: BLE001 - it is raised again
            self._error = error

    def result(self) -> Document:
        """Wait for it."""
        self.join()
        if self._error:
            raise self._error
        assert self._document is not None
        return self._document
