"""Our own commands, which stock kickstart does not have. Reader's process only."""

from __future__ import annotations

import argparse
from typing import Any, ClassVar

from pykickstart.base import KickstartCommand
from pykickstart.options import KSOptionParser
from pykickstart.version import RHEL10

from zeroth.spec.kickstart.draft import Draft
from zeroth.spec.kickstart.filling import Filling, Parsed, whole
from zeroth.spec.kickstart.vocabulary import Command, command_named
from zeroth.spec.kickstart.words import Line

__all__ = ["Own", "Zeroth_OnFailure", "Zeroth_Reinstall", "Zeroth_Xen"]

# The names follow pykickstart, see commands.py.
# ruff: noqa: N801


class Own(Filling, KickstartCommand):
    """A command that stock kickstart does not have; its options are those of the vocabulary."""

    removedKeywords: ClassVar[list[str]] = KickstartCommand.removedKeywords  # noqa: N815 - pykickstart's names
    removedAttrs: ClassVar[list[str]] = KickstartCommand.removedAttrs  # noqa: N815
    command: ClassVar[str]

    def __init__(self, writePriority: int = 0, *args: object, **kwargs: object) -> None:  # noqa: N803
        super().__init__(writePriority, *args, **kwargs)
        self.op = self._getParser()

    @property
    def words(self) -> Command:
        """The command's entry in the vocabulary."""
        command = command_named(self.command)
        assert command is not None
        return command

    def _getParser(self) -> KSOptionParser:  # noqa: N802
        parser = KSOptionParser(prog=self.command, description=self.words.help, version=RHEL10)
        parser.allow_abbrev = False
        for option in self.words.options:
            # "store" with a value, a switch without one.
            more: dict[str, Any] = {} if option.value else {"action": "store_true"}
            parser.add_argument(option.name, help=option.help, version=RHEL10, **more)
        return parser

    def parse(self, args: list[str]) -> argparse.Namespace:
        """What the options said."""
        parsed: argparse.Namespace = self.op.parse_args(args=args, lineno=self.lineno)
        return parsed


class Zeroth_Xen(Own):
    """xen"""

    command = "xen"

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``dom0``."""
        if len(line.words) == 1:
            draft.error(line, "xen says nothing", "As in: xen --dom0-mem=2G")
        if parsed.dom0_mem is not None:
            draft.put("dom0.memory", parsed.dom0_mem, line, line.value("--dom0-mem"))
        if parsed.dom0_vcpus is not None:
            draft.put("dom0.vcpus", whole(draft, line, parsed.dom0_vcpus, "--dom0-vcpus"), line,
                      line.value("--dom0-vcpus"))  # fmt: skip
        for option, text in (("xen", parsed.xen_append), ("linux", parsed.dom0_append)):
            given = "--xen-append" if option == "xen" else "--dom0-append"
            for word in (text or "").split():
                draft.append(f"dom0.{option}_append", word, line, line.value(given))
        if parsed.serial is not None:
            speed = None if parsed.serial == "none" else whole(draft, line, parsed.serial, "--serial")
            draft.put("dom0.serial", speed, line, line.value("--serial"))


class Zeroth_OnFailure(Own):
    """onfailure"""

    command = "onfailure"

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``on_failure``."""
        if parsed.shell == parsed.poweroff:
            draft.error(line, "onfailure takes --shell or --poweroff, one of the two")
            return
        draft.put("on_failure", "shell" if parsed.shell else "poweroff", line, line.words[-1])


class Zeroth_Reinstall(Own):
    """reinstall"""

    command = "reinstall"

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``reinstall``."""
        draft.put("reinstall", True, line)
