"""Everything the screens know, apart from any screen: it outlives a change from one console to another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from uuid import uuid4

from installer.disks import Choice, choose_disks
from installer.image import InstallImage
from installer.nics import choose_nics
from installer.person import Decision
from installer.plan import InstallPlan, Outcome, Problem, Refused
from installer.planner import PlanRequest, plan_installation
from installer.screens.draft import Draft
from installer.screens.form import paths_of
from installer.screens.pages import PAGES, PLAIN
from installer.screens.view import View
from zeroth.deploy.layout import InstallId
from zeroth.spec.answer import AnswerText
from zeroth.spec.model import DiskSpec, HostSpec, Layout, ManagementNetwork
from zeroth.system.facts import DiskFacts, Facts

__all__ = ["SUMMARY", "Ending", "Proposal", "State", "selector_of"]

SUMMARY = "summary"


@dataclass(frozen=True)
class Ending:
    """How an installation ended.

    :ivar notes: reservations, host keys, whatever the person should see.
    """

    failed: bool
    message: str
    hint: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """What would be done.

    :ivar outcome: the plan under the supposition that what it destroys may be destroyed, or why there is none.
    :ivar spec: the host, with the consent for exactly these disks; None while something is missing.
    """

    outcome: Outcome
    spec: HostSpec | None = None

    @property
    def destroys(self) -> tuple[str, ...]:
        """What is lost."""
        return self.outcome.destroys if isinstance(self.outcome, InstallPlan) else ()


@dataclass
class State:
    """One installation that a person is asked about.

    :ivar found: where an answer came from that does not say everything; empty when there is none.
    :ivar keys: root's keys that are in the medium.
    :ivar page: the key of the page that is shown.
    :ivar agreed: the plan that they agreed to.
    :ivar writing: the disk is being written to: there is no way back.
    :ivar stopping: the person wants to stop before it is.
    :ivar keymap: makes a keyboard layout hold on the machine's own console.
    :ivar decided: where the installer waits for what the person wants.
    """

    facts: Facts
    draft: Draft = field(default_factory=Draft)
    image: InstallImage | None = None
    found: str = ""
    keys: tuple[str, ...] = ()
    page: str = ""
    view: View = field(default_factory=View)
    agreed: InstallPlan | None = None
    writing: bool = False
    stopping: bool = False
    ending: Ending | None = None
    keymap: Callable[[str], None] = lambda _: None
    decided: SimpleQueue[tuple[Decision, AnswerText | None]] = field(default_factory=SimpleQueue)

    def asked(self) -> tuple[str, ...]:
        """The keys of the pages to pass: all, or with an answer those on which something is missing or wrong."""
        if not self.found:
            return (*(page.key for page in PLAIN), SUMMARY)
        judgement = self.draft.judge()
        keys = [page.key for page in PAGES if judgement.about(paths_of(page))]
        if "disk" not in keys and self.choice().problems:
            keys.append("disk")
        if "network" not in keys and self._card_problem():
            keys.append("network")
        return (*(page.key for page in PAGES if page.key in keys), SUMMARY)

    def _card_problem(self) -> str:
        """Why the management network has no cards, if so."""
        said = self.draft.get(("management",))
        try:
            management = ManagementNetwork.model_validate(said if isinstance(said, dict) else {})
        except ValueError:
            return "what the answer says of the management network is wrong"
        return choose_nics(management, self.facts.nics).problem

    def choice(self) -> Choice:
        """Which disks what was said so far takes."""
        said = self.draft.get(("disk",))
        try:
            spec = DiskSpec.model_validate(said if isinstance(said, dict) else {})
        except ValueError:
            return Choice((), problems=("what the answer says of the disk is wrong",))
        return choose_disks(spec, self.facts.disks)

    def take_disks(self, disks: Sequence[DiskFacts]) -> None:
        """Install on this disk, or on a mirror of these two."""
        for name in ("alternatives", "mirror_with", "layout", "wipe", "wipe_disks"):
            self.draft.drop(("disk", name))
        self.draft.put(("disk", "select"), selector_of(disks[0], self.facts))
        if len(disks) > 1:
            self.draft.put(("disk", "layout"), str(Layout.MIRROR))
            self.draft.put(("disk", "mirror_with"), selector_of(disks[1], self.facts))

    def propose(self) -> Proposal:
        """Make the plan, supposing consent."""
        judgement = self.draft.judge()
        if judgement.spec is None:
            return Proposal(Refused(tuple(Problem(it.message, it.hint) for it in judgement.errors)))
        # What an earlier try left needs no consent, nor a new beginning, where it was for the same host.
        resumed = self._proposal(self._consenting(judgement.spec, unfinished=False))
        if isinstance(resumed.outcome, InstallPlan) and resumed.outcome.resumes:
            return resumed
        return self._proposal(self._consenting(judgement.spec))

    def _proposal(self, spec: HostSpec) -> Proposal:
        digest = self.draft.answer(spec).digest(*self.keys)
        return Proposal(plan_installation(self.facts, PlanRequest(spec, digest, self.image, InstallId(uuid4()))), spec)

    def decide(self, decision: Decision, spec: HostSpec | None = None) -> None:
        """Tell the installer."""
        self.decided.put((decision, self.draft.answer(spec) if spec else None))

    def again(self, facts: Facts) -> None:
        """After a failure: what was said stays, what happened is forgotten."""
        self.facts, self.view = facts, View(self.view.clock)
        self.writing = self.stopping = False
        self.ending, self.agreed, self.page = None, None, SUMMARY

    def _consenting(self, spec: HostSpec, *, unfinished: bool = True) -> HostSpec:
        """With the consent for the disks that are chosen, one by one, whatever was said of it before.

        :param unfinished: also for those on which an installation was begun.
        """
        chosen = choose_disks(spec.disk, self.facts.disks)
        full = [disk for disk in (*chosen.legs, *chosen.sr) if disk.contents and (unfinished or not _begun(disk))]
        lost = tuple(selector_of(disk, self.facts) for disk in full)
        return spec.model_copy(update={"disk": spec.disk.model_copy(update={"wipe": False, "wipe_disks": lost})})


def _begun(disk: DiskFacts) -> bool:
    return bool(disk.zeroth and disk.zeroth.marker)


def selector_of(disk: DiskFacts, facts: Facts) -> str:
    """What names this disk and no other, also when the kernel finds them in another order."""
    links = sorted(link for link in disk.links if link.startswith("/dev/disk/by-id/"))
    others = [it for it in facts.disks if it.path != disk.path]
    for link in links:
        if not any(link in other.links for other in others):
            return link
    plain = disk.serial and disk.serial.isprintable() and not set(disk.serial) & set("*?[]&")
    if plain and all(disk.serial != other.serial for other in others):
        return f"serial={disk.serial}"
    return disk.path
