"""What single kickstart commands mean, and the traps of the language that are closed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.spec.reader import KeptReader
from zeroth.errors import ExitCode
from zeroth.spec import AnswerErrors, AnswerText, load_answer
from zeroth.spec.kickstart import client
from zeroth.spec.kickstart.vocabulary import COMMANDS, INSTEAD, Command, command_named
from zeroth.spec.problems import MOST
from zeroth.system.run import CommandFailed


def _data(reader: KeptReader, text: str) -> dict[str, Any]:
    document = reader.read(text)
    assert not document.problems
    assert isinstance(document.data, dict)
    return document.data


@pytest.mark.parametrize(
    ("line", "data"),
    [
        ("keyboard de", {"keyboard": "de"}),
        ("keyboard --vckeymap=de", {"keyboard": "de"}),
        ("timezone --utc Europe/Berlin", {"timezone": "Europe/Berlin"}),
        ("rootpw secret", {"root": {"password": "secret"}}),
        ("rootpw --plaintext 'a #b' # comment", {"root": {"password": "a #b"}}),
        ("rootpw --plaintext $6$x$y", {"root": {"password": "$6$x$y"}}),
        ("rootpw --iscrypted '$6$x$y'", {"root": {"password_hash": "$6$x$y"}}),
        ("rootpw --lock", {"root": {"password_hash": None}}),
        ("network --hostname x", {"hostname": "x"}),
        ("network --bootproto=dhcp", {"management": {"address": {"method": "dhcp"}}}),
        ("network --device=link", {"management": {"address": {"method": "dhcp"}}}),
        (
            "network --device eth0 --nameserver=192.0.2.1,192.0.2.2",
            {"management": {"nic": "eth0", "dns": ["192.0.2.1", "192.0.2.2"], "address": {"method": "dhcp"}}},
        ),
        (
            "network --bootproto=static --ip=192.0.2.9 --netmask=255.255.255.128",
            {"management": {"address": {"method": "static", "address": "192.0.2.9/25"}}},
        ),
        ("ignoredisk --only-use=sda", {"disk": {"select": "/dev/sda"}}),
        ("ignoredisk --only-use=/dev/sda", {"disk": {"select": "/dev/sda"}}),
        ("ignoredisk --only-use=disk/by-path/pci-0", {"disk": {"select": "/dev/disk/by-path/pci-0"}}),
        ("ignoredisk --only-use=largest", {"disk": {"select": "largest"}}),
        ('ignoredisk --only-use="model=A B*"', {"disk": {"select": "model=A B*"}}),
        ("clearpart --all", {"disk": {"wipe": True}}),
        ("clearpart --drives=vda --all --initlabel", {"disk": {"wipe_disks": ["/dev/vda"], "select": "/dev/vda"}}),
        ("xen --serial=none", {"dom0": {"serial": None}}),
        ('xen --xen-append="a b" --dom0-append c', {"dom0": {"xen_append": ["a", "b"], "linux_append": ["c"]}}),
        ("shutdown", {"end_action": "poweroff"}),
        ("halt", {"end_action": "halt"}),
        ("onfailure --shell", {"on_failure": "shell"}),
        ("reinstall", {"reinstall": True}),
    ],
)
def test_what_a_line_means(reader: KeptReader, line: str, data: dict[str, Any]) -> None:
    assert _data(reader, line) == data


def test_two_network_lines_may_share_the_work(reader: KeptReader) -> None:
    for lines in ("network --hostname=x\nnetwork --vlanid=3", "network --vlanid=3\nnetwork --hostname=x"):
        assert _data(reader, lines) == {"hostname": "x", "management": {"vlan": 3, "address": {"method": "dhcp"}}}


def test_ssh_keys_add_up(reader: KeptReader) -> None:
    document = reader.read('sshkey --username=root "k 1"\n\n  sshkey --username root "k 2"\n')
    assert document.data == {"root": {"ssh_keys": ["k 1", "k 2"]}}
    assert document.marks["root", "ssh_keys", 1].line == 3


def test_clearpart_and_zerombr_in_any_order(reader: KeptReader) -> None:
    assert _data(reader, "zerombr\nclearpart --all\n") == {"disk": {"wipe": True}}


@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if not command.repeats], ids=lambda it: it.names[0]
)
def test_commands_are_given_once(reader: KeptReader, command: Command) -> None:
    # Its own line alone, where the example has another before it.
    example = command.example.replace("...", "x").splitlines()[-1]
    problems = reader.read(f"{example}\n{example}\n").problems
    assert [problem.where.line for problem in problems if "was given already, in line 1" in problem.message] == [2]


@pytest.mark.thorough
def test_no_option_may_be_shortened(reader: KeptReader) -> None:
    for command in COMMANDS:
        for option in command.options:
            for length in range(3, len(option.name)):
                short = option.name[:length]
                if short not in {other.name for other in command.options}:
                    problems = reader.read(f"{command.names[0]} {short}=x\n").problems
                    assert any(f"option {short}" in problem.message for problem in problems), short


def test_what_is_refused_is_not_a_command() -> None:
    assert not [name for name in INSTEAD if command_named(name)]


def test_lines_are_those_of_an_editor(reader: KeptReader) -> None:
    document = reader.read("# a\u2028b\x0bc\x85d\nnonsense\n")
    assert [problem.where.line for problem in document.problems] == [2]


def test_windows_line_ends() -> None:
    answer = AnswerText.from_bytes(b"\xef\xbb\xbfnetwork --hostname=xen1\r\nrootpw secret\r\n", "a.ks")
    assert load_answer(answer).hostname == "xen1"


def test_a_script_may_hold_anything(reader: KeptReader) -> None:
    document = reader.read("%post\ndon't\n%include x\n  %foo\n#\nreboot\n%end\nreboot\n")
    assert not document.problems
    script = "don't\n%include x\n  %foo\n#\nreboot\n"
    assert document.data == {"hooks": [{"stage": "post", "script": script}], "end_action": "reboot"}


@pytest.mark.parametrize(
    "text",
    ["a\n" * 200_000, "a" * 1_000_000, "network " + "--ip=1 " * 100_000, '"\n' * 200_000, "reboot\n" * 100_000],
    ids=["commands", "word", "options", "quotes", "reboots"],
)
def test_a_wrong_file_is_refused_without_much_work(text: str) -> None:
    with pytest.raises(AnswerErrors) as caught:
        load_answer(AnswerText(text, "a.ks"))
    assert 0 < len(caught.value.problems) <= MOST + 1
    assert len(str(caught.value)) < 100_000


def test_a_reader_that_dies_is_not_the_users_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "_MODULE", "zeroth.spec.kickstart.no_such_module")
    with pytest.raises(CommandFailed) as caught:
        load_answer(AnswerText("rootpw hunter2\n", "a.ks"))
    assert caught.value.code is ExitCode.MACHINE
    assert "hunter2" not in str(caught.value)
