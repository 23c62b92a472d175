"""Expectations of bad files: a line for each problem, ``LINE:COLUMN message | hint`` (``0`` for the file as a whole).

Message and hint are parts of what is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from zeroth.spec.errors import FileErrors
from zeroth.spec.problems import Problem, Severity

__all__ = ["check_refusal"]


def check_refusal(path: Path, refusal: FileErrors) -> None:
    """Compare what is reported with the sidecar ``.expect``: nothing more, nothing less, and printable."""
    expected = (path.parent / f"{path.name}.expect").read_text().splitlines()
    assert expected
    errors = [problem for problem in refusal.problems if problem.severity is Severity.ERROR]
    _compare(errors, expected, refusal)
    report = str(refusal)
    assert f": {len(errors)} error" in report.splitlines()[0]
    assert report.isprintable() or set(filter(lambda char: not char.isprintable(), report)) == {"\n"}
    assert "Traceback" not in report


def _compare(errors: Sequence[Problem], expected: Iterable[str], refusal: FileErrors) -> None:
    lines = list(expected)
    for line in lines:
        assert any(_fits(problem, line) for problem in errors), f"not reported: {line}\n\n{refusal}"
    for problem in errors:
        assert any(_fits(problem, line) for line in lines), f"reported as well: {problem}"


def _fits(problem: Problem, line: str) -> bool:
    match = re.fullmatch(r"(\d+)(?::(\d+))? (.*?)(?: \| (.*))?", line)
    assert match, f"bad expectation: {line}"
    place = (problem.where.line, problem.where.column if match[2] else None)
    wanted = (int(match[1]), int(match[2]) if match[2] else None)
    return place == wanted and match[3] in problem.message and (match[4] or "") in problem.hint
