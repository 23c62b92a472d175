"""What a scenario is, and the list of them all."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.lab.stage import Stage
from zeroth.errors import ExitCode, UserError

__all__ = ["Scenario", "every", "scenario", "select"]


@dataclass(frozen=True)
class Scenario:
    """One thing that is tried on real machines.

    :ivar minutes: its budget on two cores that it shares with one other scenario. Passing the budget is shown; only
        three times the budget (and ten minutes at least) ends it, since a shared machine may be slow.
    :ivar main: whether ``make test`` runs it.
    :ivar after: scenarios that prepare what it works with, and run before it where both run.
    :ivar about: one line.
    """

    name: str
    minutes: float
    main: bool
    after: tuple[str, ...]
    about: str
    play: Callable[[Stage], None]

    def limit(self, patience: float = 1.0) -> float:
        """Seconds after which it is ended; ``patience`` times as many on a machine that much slower."""
        return max(3 * self.minutes, 10) * 60 * patience


_all: dict[str, Scenario] = {}


def scenario(
    *, minutes: float, main: bool = False, after: Sequence[str] = ()
) -> Callable[[Callable[[Stage], None]], Callable[[Stage], None]]:
    """Declare a scenario: its name is the function's with hyphens, the first line of its docstring says what it is."""

    def declare(play: Callable[[Stage], None]) -> Callable[[Stage], None]:
        name = play.__name__.replace("_", "-")
        about = (play.__doc__ or "").strip().splitlines()[0].rstrip(".")
        assert name not in _all, f"two scenarios are called {name}"
        _all[name] = Scenario(name, minutes, main, tuple(after), about, play)
        return play

    return declare


def every() -> list[Scenario]:
    """All scenarios, the main paths first, each after those that it follows."""
    package = importlib.import_module("tests.lab.scenarios")
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"tests.lab.scenarios.{module.name}")
    names = [found.name for found in sorted(_all.values(), key=lambda found: not found.main)]
    ordered: list[Scenario] = []

    def take(name: str) -> None:
        found = _all[name]
        if found in ordered:
            return
        for before in found.after:
            take(before)
        ordered.append(found)

    for name in names:
        take(name)
    return ordered


def select(names: Sequence[str]) -> list[Scenario]:
    """The scenarios of these names, in running order; all for no name.

    :raises UserError: for a name that is none.
    """
    known = every()
    missing = [name for name in names if name not in {found.name for found in known}]
    if missing:
        listed = ", ".join(found.name for found in known)
        raise UserError(f"no scenario is called {missing[0]!r}", f"There are: {listed}.", code=ExitCode.USAGE)
    return [found for found in known if not names or found.name in names]
