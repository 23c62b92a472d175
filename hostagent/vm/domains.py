"""What libvirt knows about domains, as plain values; and the calls that change them. Everything here blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import libvirt

from hostagent.vm.power import PAUSED, RUNNING

__all__ = ["CONTROL_DOMAIN", "Domain", "all_domains", "find_domain", "look", "power_state"]

CONTROL_DOMAIN: Final = 0
_GONE: Final = frozenset({libvirt.VIR_ERR_NO_DOMAIN})
# libxl's PV_ATTACHED etc. never show here; a crashed domain that is kept (on_crash=preserve) can be looked at but does
# not run, which is what Paused means to clients. A domain in its shutdown still runs.
_STATES: Final = {
    libvirt.VIR_DOMAIN_NOSTATE: RUNNING,
    libvirt.VIR_DOMAIN_RUNNING: RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: RUNNING,
    libvirt.VIR_DOMAIN_PAUSED: PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: RUNNING,
    libvirt.VIR_DOMAIN_CRASHED: PAUSED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: PAUSED,
}


@dataclass(frozen=True)
class Domain:
    """A domain as libvirt sees it now.

    :ivar domid: Xen's number, -1 when it is not active.
    :ivar state: VIR_DOMAIN_*.
    :ivar memory: bytes it has now.
    """

    uuid: str
    name: str
    domid: int
    state: int
    memory: int
    vcpus: int


def power_state(domain: Domain) -> str | None:
    """The XenAPI's word; None for a domain on its way from one life to the next.

    Ours are transient: libvirt forgets them when they end, so one that is known and yet shut off is being restarted.
    """
    return _STATES.get(domain.state) if domain.domid >= 0 else None


def look(domain: Any) -> Domain | None:  # noqa: ANN401 - libvirt has no types
    """Read a domain; None when it went away meanwhile."""
    try:
        state, _most, memory, vcpus, _time = domain.info()
        return Domain(domain.UUIDString(), domain.name(), domain.ID(), state, memory * 1024, vcpus)
    except libvirt.libvirtError as error:
        if error.get_error_code() in _GONE:
            return None
        raise


def find_domain(link: Any, uuid: str) -> Any:  # noqa: ANN401
    """libvirt's domain object; None when there is none."""
    try:
        return link.lookupByUUIDString(uuid)
    except libvirt.libvirtError as error:
        if error.get_error_code() in _GONE:
            return None
        raise


def all_domains(link: Any) -> dict[str, Domain]:  # noqa: ANN401
    """Every domain but the control domain, by uuid."""
    found = (look(domain) for domain in link.listAllDomains())
    return {domain.uuid: domain for domain in found if domain is not None and domain.domid != CONTROL_DOMAIN}
