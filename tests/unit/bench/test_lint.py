"""The answer that the linter is measured with."""

from __future__ import annotations

from tests.bench.lint import LINES, long_answer
from zeroth.spec import AnswerText, read_answer


def test_the_long_answer_has_its_lines_and_no_error() -> None:
    text = long_answer()
    reading = read_answer(AnswerText(text, "long.ks"))
    assert len(text.splitlines()) == LINES
    assert not reading.errors
    assert reading.spec
    assert len(reading.spec.users) == 40
