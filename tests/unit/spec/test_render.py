"""How problems look."""

from __future__ import annotations

import pytest

from zeroth.spec.problems import Problem, Severity, Span, closest, in_order
from zeroth.spec.render import annotated, headline


def test_one_place_is_shown_once() -> None:
    where = Span(2, 5, 9)
    problems = [Problem("first", "do this", where), Problem("second", "", where, Severity.WARNING), Problem("whole")]
    assert annotated("a.ks", problems, "one\n\ttwo four\n") == (
        "a.ks:2:5\n"
        "    2 |  two four\n"
        "      |     ^^^^\n"
        "  error: first\n"
        "  hint: do this\n"
        "  warning: second\n"
        "\n"
        "a.ks\n"
        "  error: whole"
    )
    assert headline("a.ks", problems) == "a.ks: 2 errors, 1 warning"


def test_a_long_line_is_cut_around_the_place() -> None:
    text = "x" * 300 + "HERE" + "y" * 300
    shown = annotated("a.ks", [Problem("m", "", Span(1, 301, 305))], text).split("\n")
    assert len(shown[1]) <= 110
    column = shown[2].index("^")
    assert shown[1][column : column + 4] == "HERE"


def test_nothing_in_the_text_steers_the_terminal() -> None:
    text = annotated("a\x1b[2J.ks", [Problem("\x1b[31m", "\x07", Span(1, 1, 2))], "\x1b[0m\u202ex\n")
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text


@pytest.mark.parametrize(
    ("line", "column", "shown"),
    [
        ("rootpw --plaintext hunter2 --lock", 20, "rootpw --plaintext *** --lock"),
        ("rootpw --plaintext=hunter2", 8, "rootpw --plaintext=***"),
        ('  "password": "hunter2",', 3, '  "password": ***'),
        ("password: hunter2", 1, "password: ***"),
        ("ropw hunter2 # comment", 1, "ropw ***"),
        ("x --iscrypted $6$abc$def", 1, "x --iscrypted ***"),
        ("network --hostname=x", 1, "network --hostname=x"),
    ],
)
def test_secrets_are_masked(line: str, column: int, shown: str) -> None:
    text = annotated("a.ks", [Problem("m", "", Span(1, column, column + 3))], line)
    assert text.split("\n")[1] == f"    1 | {shown}"
    assert "hunter2" not in text


def test_the_value_in_the_next_line_is_masked() -> None:
    text = annotated("a.yaml", [Problem("m", "", Span(2, 3, 6))], "password:\n  hunter2\n")
    assert "hunter2" not in text


def test_order_and_doubles() -> None:
    late, early, whole = Problem("late", "", Span(3)), Problem("early", "", Span(1)), Problem("whole")
    assert in_order([whole, late, early, late]) == (early, late, whole)


def test_closest() -> None:
    assert closest("hostnam", ["hostname", "root"]) == "hostname"
    assert closest("HOSTNAME", ["hostname"]) == "hostname"
    assert closest("zzz", ["hostname"]) == ""
