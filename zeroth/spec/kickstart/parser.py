"""Our handler and parser on top of pykickstart's. Reader's process only.

The text is sifted first (:mod:`zeroth.spec.kickstart.sifting`); what is left goes through pykickstart, every command's
error being kept and not the first only.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

from pykickstart.base import KickstartHandler
from pykickstart.errors import KickstartError, KickstartWarning
from pykickstart.parser import KickstartParser, PutBackIterator
from pykickstart.sections import Section
from pykickstart.version import RHEL10

from zeroth.spec.kickstart.commands import CLASSES, DATA_CLASSES
from zeroth.spec.kickstart.draft import Draft
from zeroth.spec.kickstart.entries import Command
from zeroth.spec.kickstart.filling import Filling, fill_options
from zeroth.spec.kickstart.sifting import BAR, HOOK_TAGS, sift
from zeroth.spec.kickstart.vocabulary import COMMANDS, HOOKS, INSTEAD, OF_SECTIONS, STOCK, command_named
from zeroth.spec.kickstart.words import Line, Word
from zeroth.spec.problems import closest

__all__ = ["read"]

_LIKE_A_NAME = re.compile(r"[A-Za-z_-]{1,32}")
_NAMES = [name for command in COMMANDS for name in command.names]
# No message repeats a word of these.
_SECRET: tuple[str, ...] = tuple(name for command in COMMANDS if command.secret for name in command.names)


class ZerothHandler(KickstartHandler):
    """The commands of our vocabulary, no others."""

    version = RHEL10

    def __init__(self) -> None:
        super().__init__()
        for name, command in CLASSES.items():
            self.registerCommand(name, command)
        for name, data in DATA_CLASSES.items():
            self.registerData(name, data)


class HookSection(Section):
    """A program; :func:`sift` put a bar before each of its lines."""

    allLines = True  # noqa: N815 - pykickstart's name

    def __init__(self, parser: ZerothParser, hook: Command) -> None:
        super().__init__(parser.handler)
        self.sectionOpen = hook.names[0]
        self._parser, self._hook = parser, hook
        self._lines: list[str] = []
        self._number = 0

    def handleHeader(self, lineno: int, args: list[str]) -> None:  # noqa: N802 - pykickstart's
        """Note where it begins."""
        self._number, self._lines = lineno, []

    def handleLine(self, line: str) -> None:  # noqa: N802 - pykickstart's name
        """Keep a line of the program."""
        self._lines.append(line.removeprefix(BAR))

    def finalize(self) -> None:
        """Add to ``hooks``."""
        self._parser.add_hook(self._number, self._hook, "".join(self._lines))


class ZerothParser(KickstartParser):
    """Reads a text into a :class:`Draft`, going on after errors."""

    def __init__(self, handler: ZerothHandler) -> None:
        super().__init__(handler, followIncludes=False)
        self.draft = Draft()
        self._lines: dict[int, Line] = {}
        self._first: dict[int, Line] = {}

    def setupSections(self) -> None:  # noqa: N802 - pykickstart's name
        """The hooks; :func:`sift` refuses what else there is."""
        self._sections: dict[str, Any] = {}
        for hook in HOOKS:
            self.registerSection(HookSection(self, hook))

    def read(self, text: str) -> Draft:
        """Read a whole file."""
        kept, self._lines = sift(text, self.draft)
        if not self._lines and not self.draft.problems:
            self.draft.error(Line(0, (Word("", 1, 1),)), "the file says nothing",
                             "It has no command at all; docs/tutorial has a first answer file.")  # fmt: skip
            self.draft.unsure.update(field for command in COMMANDS for field in command.fields)
        self._stateMachine(PutBackIterator([*kept, ""]))
        self._finish()
        return self.draft

    def handleCommand(self, lineno: int, args: list[str]) -> None:  # noqa: N802 - pykickstart's name
        """Check one command line, have pykickstart parse it, and keep what it said or what is wrong."""
        if self.draft.full:
            return
        line = self._lines[lineno]
        before = len(self.draft.problems)
        command = command_named(args[0])
        if command is None:
            self._unknown_command(line)
            return
        if self._check_repeats(line, command) and self._check_words(line, command):
            self._parse(line, command, args)
        if len(self.draft.problems) > before:
            self.draft.unsure.update(command.fields)

    def add_hook(self, number: int, hook: Command, script: str) -> None:
        """Check a hook's options and keep it."""
        line, before = self._lines[number], len(self.draft.problems)
        if self.draft.full or not self._check_words(line, hook):
            return
        base = self.draft.next("hooks")
        self.draft.put((*base, "stage"), hook.names[0].removeprefix("%"), line)
        if script.strip():
            self.draft.put((*base, "script"), script, line)
        elif not line.given("--url"):
            self.draft.error(line, f"the section {hook.names[0]} is empty", "Write the program, or leave it out.")
        fill_options(self.draft, line, hook, base)
        if len(self.draft.problems) > before:
            self.draft.unsure.update(hook.fields)

    def _parse(self, line: Line, command: Command, args: list[str]) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                parsed = super().handleCommand(line.number, args)
            except KickstartError as error:
                self._explain(line, command, str(error.message))
                return
        for warning in caught:
            if issubclass(warning.category, KickstartWarning):
                self._explain(line, command, str(warning.message))
        handler = self.handler.commands[args[0]]
        assert isinstance(handler, Filling)
        handler.fill(self.draft, line, parsed)

    def _unknown_command(self, line: Line) -> None:
        name = line.words[0].text
        if name in STOCK:
            hint = INSTEAD.get(name, "Leave the line out.")
            self.draft.error(line, f"the kickstart command {name!r} is not supported", hint)
            return
        meant = closest(name, _NAMES)
        hint = f"Did you mean {meant!r}?" if meant else "`zeroth answer reference` lists the commands."
        # A word that is none might be the password or the hash that belongs in the line before.
        named = _LIKE_A_NAME.fullmatch(name)
        self.draft.error(line, f"unknown command {name!r}" if named else "the line begins with no command", hint)
        guess = command_named(meant)
        if guess:
            self.draft.unsure.update(guess.fields)

    def _check_repeats(self, line: Line, command: Command) -> bool:
        key = id(self.handler.commands[line.words[0].text])
        first = self._first.setdefault(key, line)
        if first is line or command.repeats:
            return True
        told, now = first.words[0].text, line.words[0].text
        where = f"in line {first.number}"
        if told == now:
            self.draft.error(line, f"{now} was given already, {where}", "Leave out one of the two.")
        else:
            self.draft.error(
                line, f"{now} cannot follow {told} {where}: there is one end action", "Leave out one of the two."
            )
        return False

    def _check_words(self, line: Line, command: Command) -> bool:
        """Every word is an option of ours with or without a value as it should be, or the argument."""
        before = len(self.draft.problems)
        accepted = {option.name: option for option in command.options}
        known = self.handler.commands.get(command.names[0])
        stock = {text for action in (known.op._actions if known else ())  # noqa: SLF001
                 for text in action.option_strings}  # fmt: skip
        seen: set[str] = set()
        arguments: list[Word] = []
        rest = list(line.words[1:])
        while rest:
            word = rest.pop(0)
            name = word.option
            if not name and not (word.text.startswith("-") and len(word.text) > 1):
                arguments.append(word)
            elif name not in accepted:
                self._unknown_option(line, command, word, stock)
                if rest and "=" not in word.text and not rest[0].text.startswith("-") and not command.argument:
                    rest.pop(0)  # Most likely its value.
            elif name in seen:
                self.draft.error(line, f"{name} is given twice", "Leave out one of the two.", word)
            else:
                seen.add(name)
                self._check_value(line, word, accepted[name].value, rest)
        if len(arguments) > (1 if command.argument else 0):
            self._too_many(line, command, arguments)
        return len(self.draft.problems) == before

    def _check_value(self, line: Line, word: Word, wanted: str, rest: list[Word]) -> None:
        name, equals, value = word.text.partition("=")
        if not wanted:
            if equals:
                self.draft.error(line, f"{name} takes no value", f"Write {name} alone.", word)
        elif equals:
            if not value.strip():
                self.draft.error(line, f"{name} needs a value", f"Write {name}={wanted}", word)
        elif rest and rest[0].text.strip() and not rest[0].text.startswith("-"):
            rest.pop(0)
        else:
            self.draft.error(line, f"{name} needs a value", f"Write {name}={wanted}", word)

    def _unknown_option(self, line: Line, command: Command, word: Word, stock: set[str]) -> None:
        name, cmd = word.option, line.words[0].text
        if name in stock or (cmd in HOOK_TAGS and name in OF_SECTIONS):
            hint = OF_SECTIONS.get(name, "Leave it out.")
            self.draft.error(line, f"{cmd}: the option {name} is not supported", hint, word)
            return
        shown = name or ("the word" if cmd in _SECRET else repr(word.text))
        known = [option.name for option in command.options]
        longer = [option for option in known if name and option.startswith(name)]
        meant = longer[0] if len(longer) == 1 else closest(name, known)
        if meant:
            hint = f"Did you mean {meant}? Options are written out in full."
        elif known:
            hint = f"{cmd} knows {', '.join(known)}."
        else:
            hint = f"{cmd} takes no options."
        self.draft.error(line, f"{cmd}: unknown option {shown}", hint, word)

    def _too_many(self, line: Line, command: Command, arguments: list[Word]) -> None:
        cmd = line.words[0].text
        extra = arguments[1 if command.argument else 0]
        if command.argument:
            hint = "Put quotes around an argument with spaces in it."
            message = f"{cmd} takes one argument, not {len(arguments)}"
        else:
            hint = "Options begin with two hyphens." if command.options else f"Write {cmd} alone."
            message = f"{cmd}: unexpected word" + ("" if cmd in _SECRET else f" {extra.text!r}")
        self.draft.error(line, message, hint, extra)

    def _explain(self, line: Line, command: Command, message: str) -> None:
        """An error of pykickstart or argparse, said as ours are."""
        cmd = line.words[0].text
        if match := re.fullmatch(r"argument (--[\w-]+)(?:/\S+)?: (.*)", message):
            self.draft.error(line, f"{match[1]}: {match[2]}", "", line.value(match[1]))
        elif match := re.fullmatch(r"the following arguments are required: (.*)", message):
            missing = [word for word in match[1].split(", ") if word.startswith("--")] or [command.argument]
            self.draft.error(line, f"{cmd} needs {' and '.join(missing)}", f"As in: {command.example}")
        elif cmd in _SECRET or (command.argument and all(word.option for word in line.words[1:])):
            self.draft.error(line, f"{cmd} needs {command.argument}", f"As in: {command.example}")
        else:
            self.draft.error(line, message.strip(), f"As in: {command.example}")

    def _finish(self) -> None:
        self._give_keys()
        self._choose_disk()
        disk = self.draft.data.get("disk", {})
        wiped = disk.get("wipe_disks") or disk.get("wipe") or "disk" in self.draft.unsure
        zerombr = self._first.get(id(self.handler.commands["zerombr"]))
        if zerombr and not wiped:
            self.draft.error(zerombr, "zerombr alone is no consent to erase the disk",
                             "Write clearpart --all too, or leave zerombr out.")  # fmt: skip

    def _give_keys(self) -> None:
        users = [user.get("name") for user in self.draft.get("users") or ()]
        for user, key, line, word in self.draft.keys:
            if user in users:
                self.draft.append(("users", users.index(user), "ssh_keys"), key, line, word)
            else:
                hint = "Write --username=root, or a user line for the account."
                self.draft.error(line, f"there is no user {user!r}", hint, line.value("--username"))

    def _choose_disk(self) -> None:
        """The one drive that may be erased is the one to install on, when nothing else says which."""
        disk = self.draft.get("disk") or {}
        drives = disk.get("wipe_disks") or []
        line = self._first.get(id(self.handler.commands["clearpart"]))
        if line and len(drives) == 1 and not set(disk) & {"select", "alternatives", "layout"}:
            self.draft.put("disk.select", drives[0], line, line.value("--drives"))


def read(text: str) -> Draft:
    """Read a kickstart text. Never raises for what the text holds."""
    return ZerothParser(ZerothHandler()).read(text)
