"""What an entry of the vocabulary is: a command, its options, and what each sets.

An option that names a field needs no code of its own: the reader fills it in, and the writer writes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

__all__ = ["Command", "Kind", "Option"]


class Kind(Enum):
    """How an option's value becomes that of a field."""

    TEXT = auto()
    NUMBER = auto()
    DISK = auto()
    """A selector; a bare name is a device in /dev, as everywhere in kickstart."""
    LIST = auto()
    """With commas between the parts; a comma within one is written with a backslash before it."""
    DISKS = auto()
    NUMBERS = auto()
    PAIRS = auto()
    """NAME=ADDRESS, with commas between several."""
    YES_NO = auto()
    ON = auto()
    """A switch that sets true."""
    OFF = auto()
    """A switch that sets false."""


@dataclass(frozen=True)
class Option:
    """One option of a command.

    :param value: what to write after ``=``; empty for a switch.
    :param field: what it sets, below the command's ``base``; empty where the command's own code sees to it.
    """

    name: str
    help: str
    value: str = ""
    field: str = ""
    kind: Kind = Kind.TEXT


@dataclass(frozen=True)
class Command:
    """One command.

    :param names: all of them mean the same command object in the parser (``reboot``, ``poweroff``, ...).
    :param example: as in an answer; a test lints it there. ``...`` stands for the rest of a key or hash.
    :param more: further examples.
    :param argument: what to write besides options; empty for nothing.
    :param fields: the top-level HostSpec fields that it sets.
    :param base: where in HostSpec the fields of its options are; with ``[]`` at its end a list, to which each line
        adds an item.
    :param own: ours, not part of stock kickstart.
    :param repeats: may stand in more than one line.
    """

    names: tuple[str, ...]
    help: str
    example: str
    fields: tuple[str, ...]
    options: tuple[Option, ...] = ()
    argument: str = ""
    base: str = ""
    own: bool = False
    repeats: bool = False
    more: tuple[str, ...] = ()

    @property
    def examples(self) -> tuple[str, ...]:
        """All examples."""
        return (self.example, *self.more)

    @property
    def secret(self) -> bool:
        """Whether its words may be secret, so that no message repeats one."""
        return any(word in option.name for option in self.options for word in ("password", "secret", "token", "crypt"))
