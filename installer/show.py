"""Facts, plans and refusals for people: plain tables, 80 columns wide, fit for a serial line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from io import StringIO

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from installer.disks import Verdict
from installer.plan import Action, AlreadyApplied, InstallPlan, Outcome, Refused
from installer.preflight import Check, Result
from zeroth.spec.fetch.found import without_password
from zeroth.spec.model import Hook
from zeroth.spec.render import printable
from zeroth.system.facts import DiskFacts, Facts, NicFacts
from zeroth.system.size import Size

__all__ = ["WIDTH", "carries", "identity", "outcome_text", "show_actions", "show_checks", "show_facts",
           "show_outcome"]  # fmt: skip

WIDTH = 80


def show_outcome(console: Console, outcome: Outcome) -> None:
    """Print a plan, or why there is none."""
    match outcome:
        case InstallPlan():
            _show_plan(console, outcome)
        case Refused():
            _show_refused(console, outcome)
        case AlreadyApplied():
            _say(console, f"This answer was applied to this machine on {outcome.time[:10]} ({outcome.disk.path}).")
            _say(console, "To apply it again, put `reinstall` into the answer.")


def outcome_text(outcome: Outcome, width: int = WIDTH) -> str:
    """What :func:`show_outcome` prints."""
    out = StringIO()
    show_outcome(Console(file=out, width=width, color_system=None, force_terminal=False), outcome)
    return out.getvalue()


def show_facts(console: Console, facts: Facts) -> None:
    """Print what a machine has."""
    dmi, cpu, firmware = facts.dmi, facts.cpu, facts.firmware
    _say(console, f"machine   {f'{dmi.vendor} {dmi.product}'.strip() or 'unknown'}, UUID {dmi.identity or 'none'}")
    bmc = f", management controller by {' and '.join(firmware.bmc)}" if firmware.bmc else ""
    _say(console, f"firmware  {firmware.kind.upper()}" + (", Secure Boot on" if firmware.secure_boot else "") + bmc)
    virtual = cpu.virtualization or "no hardware virtualization"
    _say(console, f"CPU       {cpu.count} x {cpu.model or 'unknown'}, {virtual}" + (", IOMMU" if cpu.iommu else ""))
    _say(console, f"memory    {Size(facts.memory).approx()}")
    _say(console, f"clock     {facts.clock}" + (f", in a domain of {facts.hypervisor}" if facts.hypervisor else ""))
    disks = _table("disk", "size", "what", "carries")
    for disk in facts.disks:
        disks.add_row(disk.path, Size(disk.size).approx(), identity(disk), carries(disk))
    console.print(disks)
    nics = _table("NIC", "MAC", "driver", "link", "VFs", "at its other end")
    for nic in facts.nics:
        link = {True: f"{nic.speed} Mb/s" if nic.speed else "up", False: "none", None: "unknown"}[nic.carrier]
        nics.add_row(nic.name, nic.mac, nic.driver, link, str(nic.sriov_vfs or "-"), _neighbour(nic))
    console.print(nics)


def _show_plan(console: Console, plan: InstallPlan) -> None:
    for name, disk in zip(("Disk:   ", "Mirror: "), plan.disks, strict=False):
        _say(console, f"{name} {disk.path}, {Size(disk.size).approx()}, {identity(disk)}")
    if plan.identity.mirror and len(plan.disks) == 1:
        _say(console, "Mirror:  missing, as the answer says")
    for leg in plan.sr_disks:
        _say(console, f"Storage: {leg.disk.path}, {Size(leg.disk.size).approx()}, {identity(leg.disk)}")
    trial = "not tried yet; it is before anything is written" if plan.try_network else "not tried"
    _say(console, f"Network: {_cards(plan)}, {trial}")
    for nic in plan.nics:
        if nic.neighbour:
            _say(console, f"         {nic.name} at {_neighbour(nic)} (LLDP)")
    image = plan.image
    named = f"{image.defaults.product} {image.version}" if image else "(planned away from the medium)"
    _say(console, f"Image:   {named}")
    if plan.resumes:
        begun = "begins again" if not plan.kept else "goes on"
        how = begun if plan.resumes == "installing" else "goes on at its last steps"
        _say(console, f"An interrupted installation of this answer {how}.")
    elif plan.destroys:
        _say(console, "WILL BE DESTROYED, as the answer allows:")
        for phrase in plan.destroys:
            _item(console, "-", phrase)
    else:
        several = len(plan.disks) + len(plan.sr_disks) > 1
        _say(console, f"{'The disks are empty' if several else 'The disk is empty'}; nothing is lost.")
    if plan.kept:
        _say(console, "STAYS AS IT IS, the local storage repository:")
        _item(console, "-", plan.kept.summary)
    show_actions(console, plan.actions)
    _show_hooks(console, plan.hooks)
    _show_verdicts(console, plan.verdicts)
    show_checks(console, plan.checks)
    for reservation in plan.reservations:
        _say(console, f"Note: {reservation}")


def show_actions(console: Console, actions: Sequence[Action]) -> None:
    """Print what will be written, and where."""
    table = _table("", "step", "from MiB", "MiB")
    for number, action in enumerate(actions, 1):
        start, size = (str(action.start >> 20), _mib(action.size)) if action.size else ("-", "-")
        table.add_row(str(number), action.title, start, size)
    table.columns[2].justify = table.columns[3].justify = "right"
    console.print(table)


def _show_refused(console: Console, refused: Refused) -> None:
    _say(console, "Nothing is installed, and nothing was written:")
    for problem in refused.problems:
        _item(console, "*", problem.message)
        if problem.hint:
            _say(console, problem.hint, indent=4)
    _show_verdicts(console, refused.verdicts)
    told = {problem.message for problem in refused.problems}
    show_checks(console, [replace(it, message="see above") if it.message in told else it for it in refused.checks])


def _show_hooks(console: Console, hooks: Sequence[Hook]) -> None:
    if not hooks:
        return
    table = _table("hook", "runs", "what (its SHA-256)", "at most", "its failure")
    for number, hook in enumerate(hooks, 1):
        where = " outside" if hook.nochroot else ""
        what = f"{without_password(hook.url)} " if hook.url else ""
        fatal = "ends it" if hook.fatal else "is told"
        what = f"{hook.interpreter} {what}({hook.digest[:12]})"
        table.add_row(str(number), f"%{hook.stage}{where}", printable(what), f"{hook.timeout} s", fatal)
    console.print(table)


def _show_verdicts(console: Console, verdicts: Sequence[Verdict]) -> None:
    if not verdicts:
        return
    table = _table("disk", "size", "what", "chosen?")
    for verdict in verdicts:
        disk = verdict.disk
        taken = ("chosen: " if verdict.taken else "no: ") + verdict.why
        table.add_row(disk.path, Size(disk.size).approx(), identity(disk), taken)
    console.print(table)


def show_checks(console: Console, checks: Sequence[Check]) -> None:
    """Print a report of checks."""
    if not checks:
        return
    table = _table("check", "result", "found")
    for check in checks:
        result = check.result.value if check.result is Result.PASS else check.result.value.upper()
        table.add_row(printable(check.name), result, printable(check.message))
    console.print(table)


def identity(disk: DiskFacts) -> str:
    """How a disk is attached, its model, its serial number and its paths where it has several."""
    count = f"{len(disk.paths)} path{'' if len(disk.paths) == 1 else 's'}"
    over = f"{count}: {', '.join(disk.paths)}" if disk.paths else ""
    serial = f"serial {disk.serial}" if disk.serial else ""
    words = [disk.transport, f"{disk.vendor} {disk.model}".strip(), serial, over]
    return printable(", ".join(word for word in words if word)) or "unnamed"


def carries(disk: DiskFacts) -> str:
    """What is on a disk."""
    notes = ["the install medium"] if disk.medium else []
    return printable("; ".join([*notes, *disk.in_use, *disk.contents])) or "nothing"


def _cards(plan: InstallPlan) -> str:
    listed = " and ".join(f"{nic.name} ({nic.mac})" for nic in plan.nics)
    return f"{plan.bond} of {listed}" if plan.bond else listed


def _neighbour(nic: NicFacts) -> str:
    return printable(nic.neighbour.summary) if nic.neighbour else "not heard"


def _mib(size: int) -> str:
    return "<1" if size < 2**20 else f"{size / 2**20:.0f}"


def _table(*headings: str) -> Table:
    table = Table(box=box.ASCII2, show_lines=False, pad_edge=False)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _say(console: Console, text: str, *, indent: int = 0) -> None:
    console.print(Padding(Text(printable(text)), (0, 0, 0, indent), expand=False))


def _item(console: Console, mark: str, text: str) -> None:
    grid = Table.grid(padding=(0, 1))
    grid.add_row(f" {mark}", Text(printable(text)))
    console.print(Padding(grid, (0, 0, 0, 1), expand=False))
