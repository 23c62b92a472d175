"""The management network: one Open vSwitch bridge over a NIC or a bond, addressed by systemd-networkd.

``observe()`` reads links, the switch database and our networkd files, ``plan()`` compares that with what is wanted
and returns actions as data, ``apply()`` does one of them, and :func:`~.guard.reconcile` does all three and takes the
change back when the host would be cut off by it.
"""

from zeroth.drivers.network.guard import reconcile
from zeroth.drivers.network.machine import Machine
from zeroth.drivers.network.model import Link, Observed, State
from zeroth.drivers.network.planner import desired_state, plan
from zeroth.drivers.network.select import choose_nics

__all__ = ["Link", "Machine", "Observed", "State", "choose_nics", "desired_state", "plan", "reconcile"]
