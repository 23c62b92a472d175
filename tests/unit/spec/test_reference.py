"""What is published is what the code does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.unit.spec.reader import KeptReader
from zeroth.spec import AnswerText, read_answer
from zeroth.spec.answer import Language
from zeroth.spec.checks import Known
from zeroth.spec.kickstart.vocabulary import COMMANDS, HOOKS, STOCK, Command
from zeroth.spec.load import _READERS
from zeroth.spec.model import HostSpec
from zeroth.spec.reference import json_schema, kickstart_reference
from zeroth.system.run import run

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"
_PARSERS = """
from zeroth.spec.kickstart.bar import bar_requests
bar_requests()
import json
from pykickstart.handlers.rhel10 import RHEL10Handler
from zeroth.spec.kickstart.commands import CLASSES
from zeroth.spec.kickstart.parser import ZerothHandler
commands = ZerothHandler().commands
print(json.dumps({
    "options": {name: [text for action in command.op._actions for text in action.option_strings]
                for name, command in commands.items()},
    "abbreviations": [name for name, command in commands.items() if command.op.allow_abbrev],
    "stock": [name for name, command in CLASSES.items()
              if name in RHEL10Handler.commandMap and issubclass(command, RHEL10Handler.commandMap[name])],
    "rhel10": sorted(RHEL10Handler.commandMap),
}))
"""


def test_the_pages_are_current() -> None:
    assert (REFERENCE / "kickstart.md").read_text() == kickstart_reference(), "run `make docs`"
    assert (REFERENCE / "hostspec.schema.json").read_text() == json_schema(), "run `make docs`"


def test_the_vocabulary_is_what_the_parser_knows() -> None:
    found = json.loads(run([sys.executable, "-P", "-c", _PARSERS]).stdout)
    assert found["abbreviations"] == []
    assert set(found["options"]) == {name for command in COMMANDS for name in command.names}
    assert set(found["rhel10"]) == STOCK
    for command in COMMANDS:
        for name in command.names:
            accepted = {option.name for option in command.options}
            assert accepted <= set(found["options"][name]), name
            assert command.own == (name not in found["rhel10"]), name
            assert command.own or name in found["stock"], f"{name} is not built on RHEL 10's"


_KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIK/pYT0+/d8DMz4Mrk4yZxaLEUQmkWcDabXMx4VEX7oS"
# What the three dots of an example stand for.
_WHOLE = {
    "AAAA...": _KEY,
    "$y$j9T$...": "$y$j9T$tAhDGhwwsUzn5xyXdGblI1$2dItBn9gul2z3a2IzhLmUxY18EKNw0tD7KQ.PjYI.ZD",
    "0011...": "0011" * 16,
}
_KNOWN = Known(frozenset({"Etc/UTC", "Europe/Berlin"}), frozenset({"us", "de"}))


@pytest.mark.parametrize("command", [*COMMANDS, *HOOKS], ids=lambda command: str(command.names[0]))
def test_examples_are_answers_without_errors(
    command: Command, reader: KeptReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(_READERS, Language.KICKSTART, reader.read)
    assert command.examples
    for example in command.examples:
        text = example
        for short, whole in _WHOLE.items():
            text = text.replace(short, whole)
        assert "..." not in text
        lines = [text] if "--hostname" in text else ["network --hostname=xen1.example.com", text]
        answer = "\n".join(["#", f'sshkey --username=root "ssh-ed25519 {_KEY} admin"', *lines]) + "\n"
        reading = read_answer(AnswerText(answer, "example.ks"), _KNOWN)
        assert not reading.errors, example
        assert reading.spec
        assert any(line.split()[0] in command.names for line in text.splitlines())
    for field in command.fields:
        assert field in HostSpec.model_fields


def test_every_command_is_on_the_page() -> None:
    page = kickstart_reference()
    for command in (*COMMANDS, *HOOKS):
        assert f"## {', '.join(command.names)}\n" in page
        for example in command.examples:
            assert f"```\n{example}\n```" in page


def test_the_schema_describes_the_good_answers() -> None:
    schema = json.loads(json_schema())
    assert schema["required"] == ["hostname", "root"]
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(HostSpec.model_fields)
