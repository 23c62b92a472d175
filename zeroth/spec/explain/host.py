"""In words: domain 0, power, pool and services."""

from __future__ import annotations

from zeroth.spec.explain.words import Rows, listed, sentences
from zeroth.spec.model import BmcSpec, Dom0Spec, HostSpec, PoolCreate, PoolJoin, PowerSpec, ServicesSpec

__all__ = ["host_rows"]


def host_rows(spec: HostSpec) -> Rows:
    """What the host is besides its disks and networks."""
    return [
        ("Domain 0", _dom0(spec.dom0)),
        *([("Power", _power(spec.power))] if spec.power != PowerSpec() else []),
        *([("Pool", _pool(spec.pool))] if spec.pool else []),
        *([("Services", _services(spec.services))] if spec.services != ServicesSpec() else []),
    ]


def _dom0(dom0: Dom0Spec) -> str:
    vcpus = f"{dom0.vcpus} virtual CPUs" if dom0.vcpus else "all CPUs"
    serial = f"console also on the first serial port at {dom0.serial}" if dom0.serial else "no serial console"
    more = [f"{name} also gets {' '.join(words)}"
            for name, words in (("Xen", dom0.xen_append), ("Linux", dom0.linux_append)) if words]  # fmt: skip
    return sentences(f"{dom0.memory} of memory, {vcpus}, {serial}", *more)


def _power(power: PowerSpec) -> str:
    return sentences(
        _bmc(power.bmc) if power.bmc else "",
        "the management NIC wakes the machine" if power.wake_on_lan else "",
        f"Xen resets the machine after {power.watchdog} s without a sign of life" if power.watchdog else "",
        f"frequency governor {power.governor}" if power.governor else "",
        f"no deeper sleep than C{power.max_cstate}" if power.max_cstate is not None else "",
    )


def _bmc(bmc: BmcSpec) -> str:
    port = f" port {bmc.port}" if bmc.port else ""
    pin = f", known by its certificate {bmc.certificate}" if bmc.certificate else ""
    return f"BMC {bmc.address}{port} by {bmc.protocol} as {bmc.username}{pin}"


def _pool(pool: PoolCreate | PoolJoin) -> str:
    if isinstance(pool, PoolCreate):
        return f"makes the pool {pool.name}" + (f" ({pool.description})" if pool.description else "")
    return (
        f"joins the pool of {listed(pool.address, 'or')} port {pool.port}, known by its certificate "
        f"{pool.certificate}, with a token; stands alone when it is not reached within {pool.timeout} s"
    )


def _services(services: ServicesSpec) -> str:
    return sentences(
        f"started at boot: {listed(services.enable)}" if services.enable else "",
        f"not started: {listed(services.disable)}" if services.disable else "",
    )
