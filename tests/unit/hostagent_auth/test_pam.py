"""The real libpam, with service files of the test's own."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from hostagent.auth.pam import PamBackend

SCRIPT = """#!/bin/sh
# Standard input is the password as PAM's conversation got it, ending with a NUL.
got=$(tr -d '\\0')
[ "$PAM_USER" = alice ] && [ "$got" = "{password}" ] && [ "$PAM_RHOST" = 192.0.2.9 ]
"""
PASSWORD = "correct horse £ 🐎"


@pytest.fixture
def confdir(tmp_path: Path) -> Path:
    script = tmp_path / "check"
    script.write_text(SCRIPT.format(password=PASSWORD))
    script.chmod(0o755)
    services = tmp_path / "pam.d"
    services.mkdir()
    (services / "check").write_text(
        f"auth required pam_exec.so quiet expose_authtok {script}\naccount required pam_permit.so\n"
    )
    (services / "locked").write_text("auth required pam_permit.so\naccount required pam_deny.so\n")
    (services / "permit").write_text("auth required pam_permit.so\naccount required pam_permit.so\n")
    (services / "missing").write_text("auth required pam_no_such_module.so\naccount required pam_permit.so\n")
    (services / "unix").write_text("auth required pam_unix.so nullok\naccount required pam_unix.so\n")
    return services


def test_the_password_reaches_pam_whole(confdir: Path) -> None:
    backend = PamBackend("check", str(confdir))
    assert backend.check("alice", PASSWORD, "192.0.2.9").ok
    for user, password, origin in (
        ("alice", PASSWORD + " ", "192.0.2.9"),
        ("bob", PASSWORD, "192.0.2.9"),
        ("alice", PASSWORD, "192.0.2.10"),
    ):
        outcome = backend.check(user, password, origin)
        assert not outcome.ok
        assert PASSWORD not in outcome.text


def test_an_account_that_may_not_be_used_is_refused(confdir: Path) -> None:
    assert not PamBackend("locked", str(confdir)).check("alice", "any", "").ok


def test_an_empty_password_is_never_enough(confdir: Path) -> None:
    backend = PamBackend("permit", str(confdir))
    assert backend.check("alice", "any", "").ok
    assert not backend.check("alice", "", "").ok


def test_unknown_users_are_refused_not_broken(confdir: Path) -> None:
    outcome = PamBackend("unix", str(confdir)).check("no-such-user-here", "x", "192.0.2.9")
    assert not outcome.ok
    assert not outcome.broken


def test_a_broken_service_is_told_from_a_wrong_password(confdir: Path) -> None:
    outcome = PamBackend("missing", str(confdir)).check("alice", "x", "")
    assert not outcome.ok
    assert outcome.broken
    assert outcome.text


def test_many_at_once(confdir: Path) -> None:
    backend = PamBackend("check", str(confdir))
    results: dict[int, bool] = {}

    def attempt(number: int) -> None:
        password = PASSWORD if number % 2 else "wrong"
        results[number] = backend.check("alice", password, "192.0.2.9").ok

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: bool(number % 2) for number in range(12)}
