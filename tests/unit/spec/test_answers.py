"""The answer files of tests/answers: the good ones are read, the bad ones are refused, every problem at its place.

A bad file has a sidecar ``.expect``: a line for each error, ``LINE:COLUMN message | hint`` (``0`` for the file as a
whole), of which message and hint are parts of what is said. No other error may be reported.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from tests.unit.expect import check_refusal
from tests.unit.spec.reader import KeptReader
from zeroth.spec import AnswerErrors, AnswerText, HostSpec, load_answer, read_answer
from zeroth.spec.answer import Language
from zeroth.spec.checks import Known
from zeroth.spec.load import _READERS
from zeroth.spec.problems import Severity

ANSWERS = Path(__file__).parents[2] / "answers"
GOOD = sorted((ANSWERS / "good").iterdir())
BAD = sorted(path for path in (ANSWERS / "bad").iterdir() if path.suffix != ".expect")
KNOWN = Known(frozenset({"Etc/UTC", "Europe/Berlin", "Europe/Paris"}), frozenset({"us", "de", "fr"}))


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_good_answer_is_read(path: Path) -> None:
    reading = read_answer(AnswerText.from_file(path), KNOWN)
    assert isinstance(reading.spec, HostSpec)
    assert reading.spec.root.password is None, "a plain password is hashed"
    assert not reading.errors


def test_the_full_answers_say_the_same() -> None:
    full = [load_answer(AnswerText.from_file(path), KNOWN) for path in GOOD if path.stem == "full"]
    assert len(full) == 3
    assert full[0] == full[1] == full[2]


def test_there_are_enough_bad_answers() -> None:
    assert len(BAD) >= 20


@pytest.fixture
def _kept_reader(reader: KeptReader, monkeypatch: pytest.MonkeyPatch) -> None:
    """The good answers go the whole way, through a process each; for the many bad ones one reader is kept."""
    monkeypatch.setitem(_READERS, Language.KICKSTART, reader.read)


@cache
def _refusal(path: Path) -> AnswerErrors:
    with pytest.raises(AnswerErrors) as caught:
        load_answer(AnswerText.from_file(path), KNOWN)
    return caught.value


@pytest.mark.usefixtures("_kept_reader")
@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_bad_answer_is_refused(path: Path) -> None:
    refusal = _refusal(path)
    check_refusal(path, refusal)
    assert str(refusal).startswith(str(path))


@pytest.mark.usefixtures("_kept_reader")
@pytest.mark.parametrize("path", BAD, ids=lambda path: path.name)
def test_no_report_tells_a_secret(path: Path) -> None:
    refusal = _refusal(path)
    report = str(refusal) + str(refusal.as_json())
    for secret in ("hunter2", "correct", "horse", "tooshort", "secret#word", "tAhDGhww"):
        assert secret not in report


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.ks"
    path.write_bytes(b"# x\n" * 300_000)
    with pytest.raises(AnswerErrors, match="larger than 1 MiB"):
        AnswerText.from_file(path)


def test_names_are_warned_about_where_nothing_is_known() -> None:
    answer = AnswerText.from_file(ANSWERS / "good" / "full.yaml")
    reading = read_answer(answer, Known(frozenset(), frozenset()))
    assert reading.spec is not None
    assert [(it.severity, it.where.line) for it in reading.problems] == [(Severity.WARNING, 3), (Severity.WARNING, 4)]


def test_a_plain_password_is_warned_about() -> None:
    reading = read_answer(AnswerText.from_file(ANSWERS / "good" / "static-vlan.ks"), KNOWN)
    assert [(it.severity, it.where.line) for it in reading.problems] == [(Severity.WARNING, 3)]
