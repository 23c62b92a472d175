"""Pages of settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from textual import events
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Input, Static

from installer.screens.base import Shown
from installer.screens.form import Field, Kind, Page, paths_of, said, store_all
from installer.screens.widgets import Entry, Pick
from zeroth.spec.problems import Problem
from zeroth.system.facts import NicFacts

__all__ = ["AskScreen"]

_SWITCH = (("no", "no"), ("yes", "yes"))


class AskScreen(Shown):
    """One page of settings.

    :param step: what stands before its title: where on the way it is.
    """

    DEFAULT_CSS = """
    AskScreen .field { height: 1; }
    AskScreen .label { width: 22; }
    AskScreen #facts { height: 1fr; margin: 1 0 0 0; }
    """

    def __init__(self, page: Page, step: str) -> None:
        super().__init__(f"{step}{page.title}", page.intro)
        self.page = page

    def content(self) -> Iterator[Widget]:
        """A line for each setting, and what helps to decide."""
        draft = self.front.state.draft
        for field in self.page.fields:
            line = Horizontal(Static(field.label, classes="label", markup=False), self._control(field),
                              classes="field", id=f"line-{field.key}")  # fmt: skip
            line.display = field.when(draft)
            yield line
        if self.page.key == "network":
            yield Static(_nics(self.front.state.facts.nics), id="facts", markup=False)

    def _control(self, field: Field) -> Widget:
        draft = self.front.state.draft
        value = said(field, draft)
        match field.kind:
            case Kind.CHOICE | Kind.SWITCH:
                choices = field.choices or _SWITCH
                return Pick(value or field.default or choices[0][0], choices, key=field.key)
        hint = field.default
        if field.kind is Kind.SECRET:
            known = draft.get((*field.path[:-1], "password_hash")) or draft.get(field.path)
            hint = "(set; empty keeps it)" if known else ""
        names = field.known(draft) if field.known else ()
        return Entry(value, key=field.key, hint=hint, secret=field.kind is Kind.SECRET, known=names)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """Explain the field."""
        helps = {field.key: field.help for field in self.page.fields}
        self.explain(helps.get(event.widget.id or "", ""))

    def on_pick_changed(self, _: Pick.Changed) -> None:
        """Other settings may be asked for now."""
        self._store()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        """Enter goes to the next line."""
        message.stop()
        self.focus_next()

    def on_input_blurred(self, _: Input.Blurred) -> None:
        """Other settings may be asked for now."""
        self._store()

    def action_back(self) -> None:
        """Keep what was typed, and go back."""
        self._store()
        self.front.go_back()

    def action_next(self) -> None:
        """Go on if HostSpec has nothing against it."""
        typed = self._store()
        if wrong := self.page.check(typed):
            self.tell(f"Not yet: {wrong[1]}.")
            self.query_one(f"#{wrong[0]}").focus()
            return
        state = self.front.state
        errors = state.draft.judge().about(paths_of(self.page))
        if errors:
            first = errors[0]
            more = f" ({len(errors)} things are wrong here; this is the first.)" if len(errors) > 1 else ""
            self.tell(f"Not yet: {first.message}.{more}\n{first.hint}")
            self._focus(first)
            return
        state.draft.hash_passwords()
        if self.page.key == "locale":
            state.keymap(str(state.draft.get(("keyboard",)) or "us"))
        self.front.go_on()

    def _focus(self, problem: Problem) -> None:
        for field in reversed(self.page.fields):
            name = ".".join(map(str, field.path))
            if (problem.field == name or problem.field.startswith(f"{name}.")) and field.when(self.front.state.draft):
                self.query_one(f"#{field.key}").focus()
                return

    def _store(self) -> Mapping[str, str]:
        typed = {
            field.key: widget.value
            for field in self.page.fields
            if isinstance(widget := self.query_one(f"#{field.key}"), Entry | Pick)
        }
        draft = self.front.state.draft
        store_all(self.page, typed, draft)
        for field in self.page.fields:
            self.query_one(f"#line-{field.key}").display = field.when(draft)
        return typed


def _nics(nics: tuple[NicFacts, ...]) -> str:
    """The cards of the machine, a line each."""
    lines = ["This machine has:"]
    for nic in nics[:4]:
        link = {True: f"link, {nic.speed} Mb/s" if nic.speed else "link", False: "no link", None: "link unknown"}
        lines.append(f"  {nic.name:<12} {nic.mac}  {nic.driver:<10} {link[nic.carrier]}"[:76])
    if len(nics) > 4:
        lines.append(f"  and {len(nics) - 4} more: {', '.join(nic.name for nic in nics[4:])}"[:76])
    return "\n".join(lines if nics else ["This machine has no network card."])
