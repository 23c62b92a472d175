"""The errors that refuse a file: an answer, or another that is read with places."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zeroth.errors import UserError
from zeroth.spec.problems import Problem, in_order
from zeroth.spec.render import annotated, headline

__all__ = ["AnswerErrors", "FileErrors"]


class FileErrors(UserError):
    """A file that cannot be used, with everything that is wrong in it.

    Its text is the annotated source, so it may be printed as it is: on a console, a serial line, in a log. Secrets in
    the source lines are masked.

    :param name: what the user calls it: a file name, or where it came from.
    :param problems: at least one of them an error.
    :param text: the file's text, of which the lines in question are shown.
    """

    def __init__(self, name: str, problems: Iterable[Problem], text: str = "") -> None:
        self.name = name
        self.problems: Sequence[Problem] = in_order(problems)
        self.text = text
        body = annotated(name, self.problems, text)
        super().__init__(f"{headline(name, self.problems)}\n\n{body}")

    def as_json(self) -> list[dict[str, object]]:
        """The problems, in the order of the file."""
        return [problem.as_json(self.name) for problem in self.problems]


class AnswerErrors(FileErrors):
    """An answer that cannot be used, with everything that is wrong in it."""
