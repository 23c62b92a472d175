"""Our own commands, which stock kickstart does not have. Reader's process only."""

from __future__ import annotations

import argparse
from typing import Any, ClassVar

from pykickstart.base import KickstartCommand
from pykickstart.options import KSOptionParser
from pykickstart.version import RHEL10

from zeroth.spec.kickstart.draft import Draft
from zeroth.spec.kickstart.entries import Command
from zeroth.spec.kickstart.filling import Filling, Parsed, base_of, fill_options, whole
from zeroth.spec.kickstart.vocabulary import command_named
from zeroth.spec.kickstart.words import Line

__all__ = ["OWN_CLASSES", "Own"]

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

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set what the options name."""
        if len(line.words) == 1:
            draft.error(line, f"{self.command} says nothing", f"As in: {self.words.example}")
            return
        fill_options(draft, line, self.words, base_of(draft, self.words))


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


class Zeroth_Mirror(Own):
    """mirror"""

    command = "mirror"

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``disk.layout`` and ``disk.mirror_with``."""
        draft.put("disk.layout", "mirror", line)
        fill_options(draft, line, self.words, ("disk",))


class Zeroth_LocalSr(Own):
    """localsr"""

    command = "localsr"


class Zeroth_Sr(Own):
    """sr"""

    command = "sr"


class Zeroth_Sriov(Own):
    """sriov"""

    command = "sriov"


class Zeroth_Vf(Own):
    """vf"""

    command = "vf"

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Add to ``sriov.settings`` of the card."""
        nic = line.value("--nic")
        cards = [card.get("nic") for card in draft.get("sriov") or ()]
        if not line.given("--nic") or nic.text not in cards:
            draft.error(line, "no sriov line before this one is for the same NIC",
                        "Write sriov --nic=NIC --functions=NUMBER first.", nic)  # fmt: skip
            return
        base = draft.next("sriov", cards.index(nic.text), "settings")
        draft.put(base, {}, line)
        if line.given("--range"):
            first, dash, last = parsed.range.partition("-")
            for name, text in (("first", first), *((("last", last),) if dash else ())):
                draft.put((*base, name), whole(draft, line, text, "--range"), line, line.value("--range"))
        fill_options(draft, line, self.words, base)


class Zeroth_Proxy(Own):
    """proxy"""

    command = "proxy"


class Zeroth_Power(Own):
    """power"""

    command = "power"


class Zeroth_Pool(Own):
    """pool"""

    command = "pool"

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``pool``."""
        if bool(parsed.create) == bool(parsed.join):
            draft.error(line, "pool takes --create or --join, one of the two", f"As in: {self.words.example}")
            return
        draft.put("pool.action", "create" if parsed.create else "join", line)
        fill_options(draft, line, self.words, ("pool",))


class Zeroth_Webhook(Own):
    """webhook"""

    command = "webhook"


class Zeroth_Upgrade(Own):
    """upgrade"""

    command = "upgrade"

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``mode``."""
        draft.put("mode", "upgrade", line)
        fill_options(draft, line, self.words, ())


OWN_CLASSES: dict[str, type[Own]] = {
    cls.command: cls
    for cls in (
        Zeroth_LocalSr, Zeroth_Mirror, Zeroth_OnFailure, Zeroth_Pool, Zeroth_Power, Zeroth_Proxy, Zeroth_Reinstall,
        Zeroth_Sr, Zeroth_Sriov, Zeroth_Upgrade, Zeroth_Vf, Zeroth_Webhook, Zeroth_Xen,
    )
}  # fmt: skip
