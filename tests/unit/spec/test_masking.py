"""What is shown of a line that may hold a secret."""

from __future__ import annotations

import pytest

from zeroth.spec.kickstart.client import read_kickstart
from zeroth.spec.masking import masked


def shown(text: str, number: int) -> str:
    """The line as it is shown, counted from 1."""
    return masked(text.split("\n"), number - 1, 0, 1)[0]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("<root-password>\n\n  hunter2\n</root-password>", 3),
        ("<root-password\n type='plaintext'>\nfirst\nhunter2", 4),
        ("<root-password><![CDATA[\nhunter2", 2),
        ("password: |\n  first\n\n  hunter2: x", 4),
        ('password: "first\n  hunter2', 2),
        ("password: first\n  hunter2", 2),
        ('root-password = """\n\nfirst\nhunter2"""', 4),
        ('root-password = """\n\nfirst\nhunter2"""', 3),
        ("rootpw --iscrypted\nhunter2", 2),
        ("rootpw --iscrypted\n\n  hunter2", 3),
        ("rootpw --iscrypted \\\n  hunter2", 2),
        ("root:\n  - hunter2", 2),
        ("hunter2pass", 1),
    ],
)
def test_a_secret_over_several_lines_is_masked(text: str, line: int) -> None:
    assert shown(text, line).strip() == "***"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("<root-password>x</root-password>\n<hostname>h</hostname>", 2),
        ("<root-password/>\ntext", 2),
        ("root:\n  ssh_keyz: []", 2),
        ('root: {\n  "password": "x",\n  "ssh_keys": []', 3),
        ('token = "x"\n[first-boot]', 2),
        ("root-password = 'x'\nkeyboard = 'de'", 2),
        ("rootpw --lock\nzerombr", 2),
        ("rootpw --lock\n%include x", 2),
        ("rootpw x y\nnetwork --hostname=h", 2),
        ("users:\n- name: a\n  password: x\n  shell: y", 4),
    ],
)
def test_what_follows_a_secret_is_shown(text: str, line: int) -> None:
    assert shown(text, line) == text.split("\n")[line - 1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("root-password = 'x'", "root-password = ***"),
        ("  <root-password>x</root-password>", "  <root-password>***"),
        ('<root-password type="hash">x</root-password>', '<root-password type="hash">***'),
        ('"password": "x"', '"password": ***'),
    ],
)
def test_the_name_of_a_setting_is_shown(text: str, expected: str) -> None:
    assert shown(text, 1) == expected


def test_what_may_be_a_password_is_not_called_an_unknown_command() -> None:
    problems = read_kickstart("rootpw --iscrypted\n$6$salt$hash\nhunter2\n").problems
    assert not [it for it in problems if "hunter2" in it.message or "$6$" in it.message]
    assert "the line begins with no command" in [it.message for it in problems]
