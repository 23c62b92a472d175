"""Passwords are hashed as login checks them, and hidden from view."""

from __future__ import annotations

import json

import pytest
from pydantic import SecretStr

from zeroth.errors import UserError
from zeroth.spec import AnswerText, HostSpec, load_answer
from zeroth.spec.model import RootLogin
from zeroth.spec.secrets import hash_password, redacted, verify_password

# Made with `openssl passwd`, so by other code than ours.
_MADE_ELSEWHERE = [
    "$5$saltsalt$myjXcpMpE2Ofk7fj9hqyNYSn6lmWG4Mqnjx.KIRRr4/",
    "$6$saltsalt$hRM5XZ86KXEw9UOmjigeVqFgULtFB2sgpC9lXQDfMib3Zgw7mEiUvBJI2EplzfAqxL5Vvwp2scFtv/uamSo5z0",
]


@pytest.mark.parametrize("hashed", _MADE_ELSEWHERE)
def test_hashes_made_elsewhere_are_checked(hashed: str) -> None:
    assert RootLogin(password_hash=hashed).password_hash == hashed
    assert verify_password("correct horse", hashed)
    assert not verify_password("correct horsf", hashed)


def test_a_hash_fits_its_password_and_no_other() -> None:
    first, second = hash_password("correct horse ß"), hash_password("correct horse ß")
    assert first != second, "salted"
    assert first.startswith("$y$")
    assert verify_password("correct horse ß", first)
    assert not verify_password("correct horse", first)
    # The model takes what we make.
    assert RootLogin(password_hash=first).password_hash == first


@pytest.mark.parametrize("password", ["x" * 512, "a\0b"])
def test_what_cannot_be_hashed_is_refused(password: str) -> None:
    with pytest.raises(UserError, match="at most 511 bytes"):
        hash_password(password)


def test_a_password_too_long_is_a_problem_of_the_answer() -> None:
    text = f"hostname: xen1\nroot:\n  password: {'x' * 600}\n"
    with pytest.raises(UserError, match="at most 511 bytes") as caught:
        load_answer(AnswerText(text, "a.yaml"))
    assert "a.yaml:3:" in str(caught.value)
    assert "xxxx" not in str(caught.value)


@pytest.mark.parametrize(
    "who", ["root: {password: '***'}", "root: {password: x}\nusers: [{name: a, password: '***'}]"]
)
def test_where_a_password_was_hidden_none_is_taken(who: str) -> None:
    """Of an answer that was printed without its secrets the host would get a password that all know."""
    with pytest.raises(UserError, match="a secret was hidden"):
        load_answer(AnswerText(f"hostname: a\n{who}\n", "a.yaml"))


def test_a_plain_password_becomes_a_hash() -> None:
    spec = load_answer(AnswerText("hostname: xen1\nroot: {password: correct horse}\n", "a.yaml"))
    assert spec.root.password is None
    assert spec.root.password_hash
    assert verify_password("correct horse", spec.root.password_hash)
    assert "correct" not in repr(spec)


def test_redacted_hides_both() -> None:
    hashed = "$6$salt$" + "x" * 86
    for root in (RootLogin(password=SecretStr("hunter2")), RootLogin(password_hash=hashed)):
        shown = json.dumps(redacted(HostSpec(hostname="xen1", root=root)))
        assert "***" in shown
        assert "hunter2" not in shown
        assert hashed not in shown


def test_the_digest_is_that_of_the_text() -> None:
    text = "network --hostname=a\n"
    assert AnswerText(text, "a.ks", "here").digest() == AnswerText(text, "b.ks", "there").digest()
    assert AnswerText(text + " ", "a.ks").digest() != AnswerText(text, "a.ks").digest()
