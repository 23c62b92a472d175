"""Every page in one list, and the answer as text, where there is nothing that could not be said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.widget import Widget
from textual.widgets import TextArea

from installer.screens.base import KEYS, Shown
from installer.screens.form import paths_of
from installer.screens.pages import PAGES
from installer.screens.widgets import Rows

__all__ = ["MenuScreen", "TextScreen"]


class MenuScreen(Shown):
    """The list."""

    def __init__(self) -> None:
        super().__init__("Change or add", "Everything that a host can be told.")

    def content(self) -> Iterator[Widget]:
        """A line for each page, with what is wrong there."""
        judgement = self.front.state.draft.judge()
        rows = []
        for page in PAGES:
            wrong = judgement.about(paths_of(page))
            rows.append(f"{page.title:<34} {wrong[0].message if wrong else ''}")
        yield Rows([*rows, "Everything as text: users, networks, storage, hooks, ..."], key="menu")

    def acts(self) -> Sequence[tuple[str, str]]:
        """Open, or back."""
        return (("next", "Open"), ("back", "Back"))

    def on_rows_pressed(self, _: Rows.Pressed) -> None:
        """Open the page."""
        self.action_next()

    def action_next(self) -> None:
        """Open the page under the cursor."""
        at = self.query_one("#menu", Rows).cursor
        if at < len(PAGES):
            self.front.show_page(PAGES[at].key)
        else:
            self.front.show_text()

    def action_back(self) -> None:
        """To the summary."""
        self.front.show_summary()


class TextScreen(Shown):
    """The answer as YAML."""

    DEFAULT_CSS = """
    TextScreen TextArea, TextScreen TextArea:focus { border: none; padding: 0; background: ansi_default;
        scrollbar-size: 0 0; }
    TextScreen #body { margin: 0 1; }
    """
    keys = KEYS.replace("Tab, arrows: move", "Tab: to the buttons")

    def __init__(self) -> None:
        super().__init__("The answer as text")

    def content(self) -> Iterator[Widget]:
        """The text."""
        area = TextArea(
            self.front.state.draft.as_text(), id="text", tab_behavior="focus", theme="css", soft_wrap=False
        )
        area.soft_wrap = area.cursor_blink = False
        yield area

    def acts(self) -> Sequence[tuple[str, str]]:
        """Take it, or not."""
        return (("next", "Take this"), ("back", "Leave as it was"))

    def on_mount(self) -> None:
        """Begin in the text."""
        super().on_mount()
        self.explain("YAML, as in an answer file; every setting is in the reference of answers.")

    def action_next(self) -> None:
        """Take it if it can be read and HostSpec has nothing against what it says."""
        draft = self.front.state.draft
        before = draft.data
        problems = draft.take_text(self.query_one("#text", TextArea).text)
        if not problems:
            missing = (" is missing", "no way to log in")
            problems = tuple(it for it in draft.judge().errors if not any(word in it.message for word in missing))
        if problems:
            draft.data = before
            first = problems[0]
            where = f"Line {first.where.line}: " if first.where.line else ""
            self.tell(f"{where}{first.message}.\n{first.hint}")
            return
        draft.hash_passwords()
        self.front.show_summary()

    def action_back(self) -> None:
        """Leave everything as it was."""
        self.front.show_menu()
