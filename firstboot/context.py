"""What a step gets, and what it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from firstboot.identity import Identity, load_identity
from firstboot.paths import Paths
from firstboot.system import System
from zeroth.drivers.network.guard import NetworkDoor, Outcome, Wait
from zeroth.errors import UserError
from zeroth.spec.model import HostSpec

__all__ = ["Context", "Step"]


@dataclass
class Context:
    """The host that is being made, and the doors to its machine.

    :ivar say: is told what happens, for people.
    :ivar outcome: the management network, once the step ``network`` has run.
    """

    spec: HostSpec
    paths: Paths
    system: System
    network: NetworkDoor
    wait: Wait = field(default_factory=Wait)
    say: Callable[[str], None] = lambda text: None
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    outcome: Outcome | None = None

    @property
    def management(self) -> Outcome:
        """The management network.

        :raises UserError: when the step that makes it has not run yet.
        """
        if self.outcome is None:
            raise UserError("the management network is not up yet")
        return self.outcome

    @property
    def addresses(self) -> tuple[str, ...]:
        """The management addresses, without their prefix lengths; that of IPv4 first."""
        return tuple(map(str, self.management.addresses.ips))

    @property
    def identity(self) -> Identity:
        """The host's UUIDs.

        :raises UserError: when the step that makes them has not run yet.
        """
        return load_identity(self.paths.identity)


@dataclass(frozen=True)
class Step:
    """One step: it can be begun again at any point, and changes nothing when all is as it should be.

    :ivar name: one word, for the journal and the command line.
    :ivar title: for people.
    :ivar inputs: what its result depends on, as JSON-able data; a step that is done is done again when this changes.
    :ivar apply: does it; returns a reservation, or an empty string.
    :ivar every_try: it is done at every try, done before or not, because later steps need what it finds.
    """

    name: str
    title: str
    inputs: Callable[[Context], object]
    apply: Callable[[Context], str]
    every_try: bool = False
