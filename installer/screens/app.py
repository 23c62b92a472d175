"""The screens as one program: which page follows which."""

from __future__ import annotations

from textual.app import App
from textual.binding import Binding
from textual.driver import Driver

from installer.person import Decision
from installer.screens.ask import AskScreen
from installer.screens.base import Shown
from installer.screens.disk import DiskScreen
from installer.screens.keeping import BundleScreen, SaveScreen
from installer.screens.leave import LeaveScreen
from installer.screens.menu import MenuScreen, TextScreen
from installer.screens.pages import page_named
from installer.screens.running import EndScreen, ProgressScreen
from installer.screens.state import SUMMARY, State
from installer.screens.summary import SummaryScreen
from zeroth.spec.model import HostSpec

__all__ = ["HANDED_OVER", "InstallerApp"]

HANDED_OVER = "handed over"
"""What the app returns when another console goes on with it."""


class InstallerApp(App[str]):
    """Shows one page of a :class:`State` after the other.

    :param driver: of the terminal; textual's own when not given.
    """

    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [  # noqa: RUF012 - textual's class attribute
        Binding("ctrl+c,ctrl+q", "ask_to_leave", show=False, priority=True),
    ]
    CSS = "* { scrollbar-size: 0 0; }"

    def __init__(self, state: State, *, driver: type[Driver] | None = None) -> None:
        super().__init__(driver_class=driver, ansi_color=True)
        self.state = state
        self._menu = False
        self.animation_level = "none"
        image = state.image
        self.product = f"{image.defaults.product} {image.version}" if image else "zeroth"
        self.way = state.asked()

    def on_mount(self) -> None:
        """Show where it was left, or the first page."""
        self.theme = "textual-ansi"
        state = self.state
        if state.ending:
            self.show_end()
        elif state.view.rows:
            self.show_progress()
        else:
            self.show_page(state.page or self.way[0], menu=False)

    def show_page(self, key: str, *, menu: bool = True) -> None:
        """Show a page of settings, or the summary.

        :param menu: it was chosen from the menu, and leads back to the summary.
        """
        if key == SUMMARY:
            self.show_summary()
            return
        self._menu = menu
        self.state.page = key
        page = page_named(key)
        self._put(DiskScreen(page, self._step(key)) if key == "disk" else AskScreen(page, self._step(key)))

    def go_on(self) -> None:
        """To the page after this one."""
        key = self.state.page
        if self._menu or key not in self.way:
            self.show_summary()
        else:
            self.show_page(self.way[self.way.index(key) + 1], menu=False)

    def go_back(self) -> None:
        """To the page before this one; there is none before the first."""
        key = self.state.page
        if key != SUMMARY and (self._menu or key not in self.way):
            self.show_menu()
            return
        at = self.way.index(key)
        if at == 0:
            self.action_ask_to_leave()
        else:
            self.show_page(self.way[at - 1], menu=False)

    def show_summary(self) -> None:
        """The plan."""
        self.state.page, self._menu = SUMMARY, False
        self._put(SummaryScreen(self._step(SUMMARY)))

    def show_menu(self) -> None:
        """All pages."""
        self._put(MenuScreen())

    def show_text(self) -> None:
        """The answer as text."""
        self._put(TextScreen())

    def show_progress(self) -> None:
        """The installation as it goes."""
        self._put(ProgressScreen())

    def show_end(self) -> None:
        """How it ended."""
        assert self.state.ending
        self._put(EndScreen(self.state.ending))

    def show_save(self, spec: HostSpec) -> None:
        """Save the answer, and come back."""
        self.push_screen(SaveScreen(spec))

    def show_bundle(self) -> None:
        """Make a support bundle, and come back."""
        self.push_screen(BundleScreen())

    def start_again(self) -> None:
        """After a failure: the summary, made anew."""
        self.way = self.state.asked()
        self.show_summary()

    def hand_over(self) -> None:
        """Another console goes on."""
        self.exit(HANDED_OVER)

    def action_ask_to_leave(self) -> None:
        """Leave? Not without being asked."""
        if isinstance(self.screen, LeaveScreen | EndScreen):
            return
        self.push_screen(LeaveScreen())

    def leave(self) -> None:
        """Nothing shall be written."""
        if self.state.view.rows:
            self.state.stopping = True
        else:
            self.state.decide(Decision.LEAVE)

    def _put(self, screen: Shown) -> None:
        while len(self.screen_stack) > 2:
            self.pop_screen()
        if len(self.screen_stack) > 1:
            self.switch_screen(screen)
        else:
            self.push_screen(screen)

    def _step(self, key: str) -> str:
        if key not in self.way or len(self.way) < 2:
            return ""
        return f"Step {self.way.index(key) + 1} of {len(self.way)}: "
