"""The pages on which the answer or a support bundle is kept elsewhere."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, Static

from installer.screens.base import Shown
from installer.screens.draft import saved_text
from installer.screens.keep import keep_on, make_bundle, places, send_to
from installer.screens.widgets import Entry, Pick, Rows
from zeroth.errors import UserError
from zeroth.spec.model import HostSpec

__all__ = ["BundleScreen", "SaveScreen"]

_SAVE = """For other machines like this one. Passwords are kept as hashes; tokens and
other secrets are left out, with *** in their place."""
_CSS = """
    .field { height: 1; }
    .label { width: 22; }
    Rows { height: 5; }
    #list { margin: 1 0 0 0; height: 7; }
"""


class _Keeping(Shown):
    """A list of file systems, and a way back to where it came from."""

    DEFAULT_CSS = f"_Keeping {{ {_CSS} }}"

    def volumes(self) -> Iterator[Widget]:
        """Where it can go."""
        state = self.front.state
        self.places = places(state.facts, state.choice().legs)
        yield Static("Volumes (plug a stick in before this page is opened):", markup=False)
        yield Rows([place.name for place in self.places] or ["(none)"], key="places")

    def field(self, label: str, control: Widget) -> Widget:
        """A labelled line."""
        return Horizontal(Static(label, classes="label", markup=False), control, classes="field")

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter goes to the next line."""
        message.stop()
        self.focus_next()

    def action_back(self) -> None:
        """Back to where it came from."""
        self.app.pop_screen()

    def work(self, said: str) -> None:
        """Do it beside, and tell how it went."""
        self.tell(said)
        self.run_worker(self._guarded, thread=True, exclusive=True)

    def _guarded(self) -> None:
        try:
            done = self.do()
        except UserError as error:
            done = f"Not done: {error.message}.\n{error.hint}"
        self.app.call_from_thread(self.tell, done)

    def do(self) -> str:
        """What is to be done; returns what was done, in words."""
        raise NotImplementedError


class SaveScreen(_Keeping):
    """The answer as a file, for other machines."""

    def __init__(self, spec: HostSpec) -> None:
        super().__init__("Save the answer", _SAVE)
        self.spec = spec

    def content(self) -> Iterator[Widget]:
        """Language, name and place."""
        yield self.field("Written as", Pick("ks", (("ks", "kickstart"), ("yaml", "YAML")), key="language"))
        yield self.field("File name", Entry(self.spec.hostname.partition(".")[0], key="name"))
        yield from self.volumes()

    def acts(self) -> Sequence[tuple[str, str]]:
        """Save, or back."""
        return (("next", "Save"), ("back", "Back"))

    def on_mount(self) -> None:
        """Say what for."""
        super().on_mount()
        self.explain("A volume labelled ZEROTH-CFG with answer.ks on it installs the next machine unattended.")

    def on_rows_pressed(self, _: Rows.Pressed) -> None:
        """Enter on a volume."""
        self.action_next()

    def action_next(self) -> None:
        """Save it."""
        if not self.places:
            self.tell("There is no volume to save it on. Plug a stick in, go back, and come here again.")
            return
        language = str(self.query_one("#language", Pick).value)
        name = self.query_one("#name", Entry).value.strip()
        self._file = name if name.endswith(f".{language}") else f"{name}.{language}"
        self._place = self.places[self.query_one("#places", Rows).cursor]
        self._text = saved_text(self.spec, kickstart=language == "ks")
        self.work("Saving ...")

    def do(self) -> str:
        """Write the file."""
        keep_on(self._place, self._file, self._text.encode())
        return f"Saved as {self._file} on {self._place.device}."


class BundleScreen(_Keeping):
    """Logs, facts and versions in one file, without secrets."""

    def __init__(self) -> None:
        super().__init__(
            "Support bundle", "Logs, facts and versions in one file, without secrets, for those who help."
        )

    def content(self) -> Iterator[Widget]:
        """Where to."""
        yield self.field("Goes", Pick("volume", (("volume", "onto a volume"), ("server", "to a server")), key="way"))
        yield self.field("Server's address", Entry("", key="url", hint="https://server.example.com/in/"))
        yield from self.volumes()

    def acts(self) -> Sequence[tuple[str, str]]:
        """Make it, or back."""
        return (("next", "Make it"), ("back", "Back"))

    def action_next(self) -> None:
        """Make it."""
        self._way = self.query_one("#way", Pick).value
        self._url = self.query_one("#url", Entry).value.strip()
        if self._way == "volume" and not self.places:
            self.tell("There is no volume to put it on. Plug a stick in, go back, and come here again.")
            return
        if self._way == "volume":
            self._place = self.places[self.query_one("#places", Rows).cursor]
        self.work("Collecting; this takes up to a minute ...")

    def do(self) -> str:
        """Collect and put it away."""
        with tempfile.TemporaryDirectory(prefix="zeroth-bundle-") as folder:
            bundle = make_bundle(Path(folder))
            if self._way == "server":
                send_to(self._url, bundle.name, bundle)
                return f"Sent as {bundle.name}."
            keep_on(self._place, bundle.name, bundle.read_bytes())
            return f"Kept as {bundle.name} on {self._place.device}."
