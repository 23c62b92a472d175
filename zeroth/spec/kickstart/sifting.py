"""What pykickstart's state machine would stumble over, found before it does. Reader's process only.

It stops at the first error of several kinds, and raises some without a place (an unbalanced quote, an unknown section,
an include). So the text is gone through line by line: such lines are reported and blanked.
"""

from __future__ import annotations

import shlex

from zeroth.spec.kickstart.draft import Draft
from zeroth.spec.kickstart.vocabulary import HOOKS, SECTIONS, command_named
from zeroth.spec.kickstart.words import Line, Word, cut
from zeroth.spec.problems import closest

__all__ = ["BAR", "HOOK_TAGS", "sift"]

# No sensible answer comes near these; a text that is not one shall not keep the reader busy (shlex takes time that
# grows with the square of a word's length).
_MOST_COMMANDS = 1000
_LONGEST_LINE = 16384
BAR = "|"
"""Stands before each line of a program, so that nothing in it is taken for kickstart."""
HOOK_TAGS = tuple(name for hook in HOOKS for name in hook.names)


def sift(text: str, draft: Draft) -> tuple[list[str], dict[int, Line]]:
    """Take out what the state machine cannot take.

    :param draft: is told what is wrong.
    :returns: as many lines as the text has, those that are wrong empty; and the words of each command line by number.
    """
    sifter = _Sifter(draft)
    # Lines as an editor counts them; str.splitlines() knows more kinds of line end.
    return sifter.sift([line + "\n" for line in text.split("\n")]), sifter.lines


class _Sifter:
    def __init__(self, draft: Draft) -> None:
        self.lines: dict[int, Line] = {}
        self._draft = draft

    def sift(self, lines: list[str]) -> list[str]:
        """The lines for the state machine."""
        kept: list[str] = []
        section: Line | None = None
        for number, text in enumerate(lines, 1):
            tag = text.split()[0] if text.strip() else ""
            if section and tag != "%end" and tag not in SECTIONS:
                kept.append(BAR + text if kept[section.number - 1].strip() else "\n")
            elif section and tag == "%end":
                kept.append("%end\n" if kept[section.number - 1].strip() else "\n")
                section = None
            elif tag.startswith("%"):
                if section:
                    self._unterminated(section, kept)
                kept.append(self._sifted(number, text) if tag in HOOK_TAGS else "\n")
                section = self._section(number, text, tag)
            else:
                kept.append(self._sifted(number, text))
        if section:
            self._unterminated(section, kept)
        return kept

    def _sifted(self, number: int, text: str) -> str:
        if text.isspace() or text.lstrip().startswith("#"):
            return text
        if self._draft.full:
            return "\n"
        start = len(text) - len(text.lstrip()) + 1
        whole = Line(number, (Word("", start, len(text.rstrip()) + 1),))
        if len(text) > _LONGEST_LINE or len(self.lines) >= _MOST_COMMANDS:
            many = f"there are more than {_MOST_COMMANDS} commands"
            too = "the line is too long" if len(text) > _LONGEST_LINE else many
            self._draft.error(whole, too, "Is it the right file?")
            return "\n"
        try:
            # Without its end: a backslash before it would make it part of a word.
            words = cut(text.removesuffix("\n"))
        except ValueError as error:
            closing = "quotation" in str(error)
            message = "a quotation mark is not closed" if closing else "the line ends with a backslash"
            hint = "Every ' and \" needs its partner; inside words write it as \\' or in the other kind of quotes."
            self._draft.error(
                whole, message, hint if closing else "A command is one line: it cannot go on in the next."
            )
            self._unsure_about(text)
            return "\n"
        line = Line(number, words)
        if not words or not words[0].text:
            self._draft.error(whole, "the line does not begin with a command", "`zeroth answer reference` lists them.")
            return "\n"
        last = words[-1]
        if _glued_comment(text[last.start - 1 : last.end - 1], last.text):
            self._draft.error(line, "a # begins a comment here, in the middle of a word",
                             "Put the word in quotes, or a space before the #.", last)  # fmt: skip
            self._unsure_about(text)
            return "\n"
        self.lines[number] = line
        return text

    def _unsure_about(self, text: str) -> None:
        command = command_named(text.split()[0])
        if command:
            self._draft.unsure.update(command.fields)

    def _section(self, number: int, text: str, tag: str) -> Line | None:
        """Where a section begins; one that is not a hook is reported."""
        start = text.index(tag) + 1
        line = Line(number, (Word(tag, start, start + len(tag)),))
        if tag in HOOK_TAGS:
            return line
        if tag == "%end":
            self._draft.error(line, "%end without a section", "Leave it out.")
            return None
        if tag in ("%include", "%ksappend"):
            self._draft.error(line, f"{tag} is not supported: an answer is one file", "Put the lines here instead.")
            return None
        if tag in SECTIONS:
            self._draft.error(line, f"the section {tag} is not supported", "Leave it out, up to its %end.")
            return line
        meant = closest(tag, [*SECTIONS, "%end"])
        self._draft.error(line, f"unknown section {tag}", f"Did you mean {meant}?" if meant else "Leave it out.")
        return line

    def _unterminated(self, section: Line, kept: list[str]) -> None:
        kept[section.number - 1 :] = ["\n"] * (len(kept) - section.number + 1)
        self._draft.unsure.add("hooks")
        self._draft.error(
            section, f"the section {section.words[0].text} does not end with %end", "Write %end after it."
        )


def _glued_comment(raw: str, word: str) -> bool:
    """Whether a word was cut short by a # in it (``pass#word``): silently losing half a password would be bad."""
    if "#" not in raw:
        return False
    try:
        return shlex.split(raw)[0] != word
    except ValueError:
        return True
