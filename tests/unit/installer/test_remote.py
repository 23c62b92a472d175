"""Who gets into the installer by ssh."""

from __future__ import annotations

import pytest

from installer.remote import login_for
from tests.unit.installer.machines import HASH
from zeroth.errors import UserError
from zeroth.spec.answer import AnswerText
from zeroth.spec.arguments import ssh_wanted

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB"
FOUND = AnswerText(f'root: {{password_hash: "{HASH}", ssh_keys: ["{OTHER}"]}}\n', "answer.yaml")


def test_an_installation_that_needs_nobody_opens_nothing() -> None:
    assert login_for(ssh_wanted("quiet"), (KEY,), FOUND, asking=False) is None


def test_everything_that_there_is_lets_in_where_somebody_is_asked() -> None:
    login = login_for(ssh_wanted(f'zeroth.ssh_key="{KEY} me@here"'), (KEY,), FOUND, asking=True)
    assert login
    assert login.ssh_keys == (f"{KEY} me@here", KEY, OTHER)
    assert login.password_hash == HASH
    assert login_for(ssh_wanted("quiet"), (), None, asking=True) is None


def test_the_command_line_opens_it_for_an_installation_that_needs_nobody() -> None:
    login = login_for(ssh_wanted(f"zeroth.ssh_password={HASH}"), (), None, asking=False)
    assert login
    assert login.password_hash == HASH
    assert login_for(ssh_wanted("zeroth.ssh"), (KEY,), None, asking=False)


@pytest.mark.parametrize(
    ("cmdline", "why"),
    [("zeroth.ssh", "neither a key nor"), ("zeroth.ssh_key=nonsense", "not a public ssh key"),
     ("zeroth.ssh_password=plain", "not a password hash"), ("zeroth.ssh=maybe", "neither yes nor no"),
     ("zeroth.ssh_password=a zeroth.ssh_password=b", "given 2 times")],
)  # fmt: skip
def test_what_is_wrong_is_told(cmdline: str, why: str) -> None:
    with pytest.raises(UserError, match=why):
        login_for(ssh_wanted(cmdline), (), None, asking=False)
