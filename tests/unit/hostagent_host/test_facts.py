"""Facts from a recorded machine: a Xen host in QEMU."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hostagent.host.facts import read_facts

RECORDED = {
    "proc/cpuinfo": (
        "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 15\nmodel\t\t: 107\n"
        "model name\t: QEMU TCG CPU version 2.5+\nstepping\t: 1\ncpu MHz\t\t: 2596.124\nflags\t\t: fpu de tsc\n\n"
        "processor\t: 1\nvendor_id\t: AuthenticAMD\n\n"
    ),
    "proc/stat": "cpu  1 2 3\nbtime 1700000000\nprocesses 5\n",
    "proc/sys/kernel/hostname": "h1\n",
    "proc/sys/kernel/osrelease": "6.12.107+deb13-amd64\n",
    "proc/sys/kernel/random/boot_id": "8ac39a53-ddeb-4c32-80b1-b30e5c9c5643\n",
    "sys/hypervisor/type": "xen\n",
    "sys/hypervisor/version/major": "4\n",
    "sys/hypervisor/version/minor": "20\n",
    "sys/hypervisor/version/extra": ".3\n",
    "sys/hypervisor/properties/capabilities": "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_64 \n",
    "sys/class/dmi/id/sys_vendor": "QEMU\n",
}


def record(root: Path, **changes: str) -> Path:
    for name, text in {**RECORDED, **changes}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_a_xen_host(tmp_path: Path) -> None:
    facts = read_facts(record(tmp_path))
    assert facts.hostname == "h1"
    assert facts.kernel == "6.12.107+deb13-amd64"
    assert facts.booted == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert facts.xen == "4.20.3"
    assert facts.capabilities == ("xen-3.0-x86_64", "hvm-3.0-x86_32", "hvm-3.0-x86_64")
    assert facts.dom0_vcpus == 2
    assert facts.cpu["modelname"] == "QEMU TCG CPU version 2.5+"
    assert facts.cpu["family"] == "15"
    assert facts.bios["system-manufacturer"] == "QEMU"
    assert facts.bios["bios-vendor"] == ""


def test_a_machine_that_tells_nothing(tmp_path: Path) -> None:
    facts = read_facts(tmp_path)
    assert (facts.xen, facts.booted, facts.dom0_vcpus, facts.capabilities) == ("", None, 0, ())


def test_this_machine() -> None:
    facts = read_facts()
    assert facts.hostname
    assert facts.dom0_vcpus > 0
    assert facts.booted is not None
    assert facts.booted < datetime.now(UTC)
