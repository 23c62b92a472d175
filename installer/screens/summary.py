"""The last page before the disk is written to: the plan itself, and the consent to what it destroys."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from installer.person import Decision
from installer.plan import InstallPlan
from installer.screens.base import Shown
from installer.screens.state import Proposal
from installer.screens.widgets import Pick, Reader
from installer.show import outcome_text

__all__ = ["SummaryScreen"]

_CONSENT = "consent"


class SummaryScreen(Shown):
    """What will be done, as ``zeroth plan`` prints it."""

    DEFAULT_CSS = """
    SummaryScreen #body { margin: 0 0 0 0; }
    SummaryScreen .line { height: 1; }
    SummaryScreen .label { width: 46; text-style: bold; }
    """

    def __init__(self, step: str) -> None:
        super().__init__(f"{step}Summary")

    def content(self) -> Iterator[Widget]:
        """The plan; and a question where something is lost."""
        self.proposal: Proposal = self.front.state.propose()
        yield Reader(outcome_text(self.proposal.outcome), key="plan")
        if self.proposal.destroys:
            label = Static(self._question()[:45], classes="label", markup=False)
            yield Horizontal(label, Pick("no", (("no", "no"), ("yes", "yes")), key=_CONSENT), classes="line")

    def acts(self) -> Sequence[tuple[str, str]]:
        """Install, where there is a plan."""
        rest = (("change", "Change or add ..."), ("save", "Save answer ..."), ("back", "Back"))
        return (("next", "Install"), *rest) if self._can else rest

    def _question(self) -> str:
        plan = self.proposal.outcome
        assert isinstance(plan, InstallPlan)
        if plan.kept:
            return f"Destroy all else on {plan.disk.path}?"
        disks = [*plan.disks, *(leg.disk for leg in plan.sr_disks)]
        return f"Destroy everything on {', '.join(disk.path for disk in disks)}?"

    @property
    def _can(self) -> bool:
        return isinstance(self.proposal.outcome, InstallPlan)

    def on_mount(self) -> None:
        """Begin with the plan."""
        super().on_mount()
        if not self._can:
            self.tell("The host cannot be installed like this. Change what is named above.")
        elif self.proposal.destroys:
            self.explain("Nothing is written before you choose Install and agree to what is destroyed.")
        else:
            self.explain("Nothing is written before you choose Install. The disk is empty: nothing is lost.")

    def action_next(self) -> None:
        """Install, if what is lost may be lost."""
        if not self._can:
            return
        if self.proposal.destroys and self.query_one(f"#{_CONSENT}", Pick).value != "yes":
            self.tell("Not yet: say that what is on the disk may be destroyed (arrow keys choose yes).")
            self.query_one(f"#{_CONSENT}").focus()
            return
        assert isinstance(self.proposal.outcome, InstallPlan)
        self.front.state.agreed = self.proposal.outcome
        self.front.state.view.begin(self.proposal.outcome)
        self.front.state.decide(Decision.INSTALL, self.proposal.spec)
        self.front.show_progress()

    def action_change(self) -> None:
        """The list of all pages."""
        self.front.show_menu()

    def action_save(self) -> None:
        """Keep the answer for other machines."""
        if self.proposal.spec is None:
            self.tell("Not yet: something is missing, so there is no whole answer to save.")
            return
        self.front.show_save(self.proposal.spec)

    def action_back(self) -> None:
        """Go back."""
        self.front.go_back()
