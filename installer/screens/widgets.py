"""The few widgets that the screens are made of: plain ASCII, without a mouse, readable without colours.

What has the focus is shown in reverse, which every terminal can.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.text import Text
from textual import events
from textual.binding import Binding
from textual.message import Message
from textual.suggester import SuggestFromList
from textual.widget import Widget
from textual.widgets import Input

__all__ = ["Act", "Band", "Entry", "Pick", "Reader", "Rows"]


class Band(Widget):
    """A line in reverse, over the whole width."""

    DEFAULT_CSS = "Band { height: 1; width: 100%; }"

    def __init__(self, text: str, *, key: str) -> None:
        super().__init__(id=key)
        self._text = text

    def render(self) -> Text:
        """Its text."""
        return Text(self._text.ljust(self.size.width)[: self.size.width], "reverse", no_wrap=True)


class Entry(Input):
    """A line to type in."""

    DEFAULT_CSS = """
    Entry, Entry:focus, Entry:ansi, Entry:ansi:focus {
        border: none; height: 1; padding: 0; width: 1fr; background: ansi_default; color: ansi_default;
        text-style: underline;
    }
    Entry:focus > .input--cursor, Entry:ansi > .input--cursor { text-style: reverse; }
    """

    def __init__(
        self, value: str, *, key: str, hint: str = "", secret: bool = False, known: Sequence[str] = ()
    ) -> None:
        super().__init__(
            value, hint, id=key, password=secret, select_on_focus=False,
            suggester=SuggestFromList(known, case_sensitive=False) if known else None,
        )  # fmt: skip
        # Each blink would be sent over the serial line.
        self.cursor_blink = False

    @property
    def _value(self) -> Text:
        if self.password:
            return Text("*" * len(self.value), no_wrap=True, overflow="ignore", end="")
        return super()._value


class Pick(Widget, can_focus=True):
    """One of a few, all of which are in sight: ``(*) by DHCP  ( ) fixed``."""

    DEFAULT_CSS = "Pick { height: 1; width: 1fr; }"
    BINDINGS = [  # noqa: RUF012 - textual's class attribute
        Binding("left", "move(-1)", show=False),
        Binding("right,space", "move(1)", show=False),
    ]

    class Changed(Message):
        """Another one was chosen."""

    def __init__(self, value: str, choices: Sequence[tuple[str, str]], *, key: str) -> None:
        super().__init__(id=key)
        self._choices = list(choices)
        values = [choice for choice, _ in choices]
        self._at = values.index(value) if value in values else 0

    @property
    def value(self) -> str:
        """What is chosen."""
        return self._choices[self._at][0]

    def action_move(self, by: int) -> None:
        """Choose the next."""
        self._at = (self._at + by) % len(self._choices)
        self.refresh()
        self.post_message(self.Changed())

    def render(self) -> Text:
        """All of them, the chosen one marked."""
        text = Text(no_wrap=True)
        for number, (_, name) in enumerate(self._choices):
            chosen = number == self._at
            mark = f"({'*' if chosen else ' '}) {name}"
            text.append(mark, "reverse" if chosen and self.has_focus else "")
            text.append("  ")
        return text


class Act(Widget, can_focus=True):
    """Something to do: ``[ Next ]``."""

    DEFAULT_CSS = "Act { height: 1; width: auto; margin: 0 1 0 0; }"
    BINDINGS = [Binding("enter,space", "press", show=False)]  # noqa: RUF012

    class Pressed(Message):
        """It was pressed."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(self, name: str, *, key: str) -> None:
        super().__init__(id=key)
        self.title = name

    def action_press(self) -> None:
        """Enter or space."""
        self.post_message(self.Pressed(self.id or ""))

    def render(self) -> Text:
        """In brackets."""
        return Text(f"[ {self.title} ]", "bold reverse" if self.has_focus else "bold", no_wrap=True)

    def get_content_width(self, *_: object) -> int:
        """Of what is shown."""
        return len(self.title) + 4


class Rows(Widget, can_focus=True):
    """A list with a cursor, longer than its place if need be.

    :param rows: each one line.
    :param marked: those with a cross before them; None where none can be marked.
    """

    DEFAULT_CSS = "Rows { height: 1fr; width: 1fr; }"
    BINDINGS = [  # noqa: RUF012
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "move(-8)", show=False),
        Binding("pagedown", "move(8)", show=False),
        Binding("space", "mark", show=False),
        Binding("enter", "press", show=False),
    ]

    class Moved(Message):
        """The cursor is on another row."""

    class Marked(Message):
        """Space was pressed on a row."""

    class Pressed(Message):
        """Enter was pressed on a row."""

    def __init__(self, rows: Sequence[str], *, key: str, marked: Callable[[int], bool] | None = None) -> None:
        super().__init__(id=key)
        self.rows = list(rows)
        self.cursor = 0
        self._marked = marked
        self._top = 0

    def action_move(self, by: int) -> None:
        """Move the cursor; past an end it leaves the list."""
        target = self.cursor + by
        if abs(by) == 1 and not 0 <= target < len(self.rows):
            _leave(self, by)
            return
        self.cursor = max(0, min(len(self.rows) - 1, target))
        self.refresh()
        self.post_message(self.Moved())

    def action_mark(self) -> None:
        """Space."""
        self.post_message(self.Marked())
        self.refresh()

    def action_press(self) -> None:
        """Enter."""
        self.post_message(self.Pressed())

    def render(self) -> Text:
        """The part around the cursor."""
        height, width = max(1, self.size.height), self.size.width
        self._top = max(min(self._top, self.cursor), self.cursor - height + 1)
        text = Text(no_wrap=True, overflow="crop")
        for number, row in list(enumerate(self.rows))[self._top : self._top + height]:
            mark = "" if self._marked is None else "[x] " if self._marked(number) else "[ ] "
            line = f"{mark}{row}"[:width].ljust(width)
            text.append(line + "\n", "reverse" if number == self.cursor and self.has_focus else "")
        text.right_crop(1)
        return text


class Reader(Widget, can_focus=True):
    """Text that may be longer than its place; the arrows and PgUp, PgDn move it."""

    DEFAULT_CSS = "Reader { height: 1fr; width: 1fr; }"
    BINDINGS = [  # noqa: RUF012
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "page(-1)", show=False),
        Binding("pagedown,space", "page(1)", show=False),
        Binding("home", "move(-100000)", show=False),
        Binding("end", "move(100000)", show=False),
    ]

    def __init__(self, text: str, *, key: str, tail: bool = False) -> None:
        super().__init__(id=key)
        self._lines = text.splitlines()
        self._tail = tail
        self._top = len(self._lines) if tail else 0

    def show(self, text: str) -> None:
        """Another text; of one that grows the end is shown."""
        self._lines = text.splitlines()
        self._top = len(self._lines) if self._tail else 0
        self.refresh()

    def on_focus(self, _: events.Focus) -> None:
        """Shown by its last line."""
        self.refresh()

    def action_move(self, by: int) -> None:
        """Move by lines; past an end the focus goes on."""
        target = max(0, min(self._last, self._top + by))
        if target == self._top and abs(by) == 1:
            _leave(self, by)
        self._top = target
        self.refresh()

    def action_page(self, by: int) -> None:
        """Move by pages."""
        self._top = max(0, min(self._last, self._top + by * max(1, self._room - 1)))
        self.refresh()

    @property
    def _room(self) -> int:
        return max(1, self.size.height - 1)

    @property
    def _last(self) -> int:
        return max(0, len(self._lines) - self._room)

    def render(self) -> Text:
        """What fits, and a line that says where this is."""
        self._top = min(self._top, self._last)
        shown = self._lines[self._top : self._top + self._room]
        text = Text(no_wrap=True, overflow="crop")
        for line in shown + [""] * (self._room - len(shown)):
            text.append(line[: self.size.width] + "\n")
        if self._last:
            end = self._top + len(shown)
            where = f"-- lines {self._top + 1} to {end} of {len(self._lines)}; PgUp, PgDn --"
            text.append(where, "reverse" if self.has_focus else "")
        elif self.has_focus:
            text.append("-- all of it is shown --", "reverse")
        return text


def _leave(widget: Widget, by: int) -> None:
    """To the next or the last widget: the arrows go on from one that has no more."""
    if by > 0:
        widget.screen.focus_next()
    else:
        widget.screen.focus_previous()
