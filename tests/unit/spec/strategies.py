"""Random hosts, and random damage to answer files."""

from __future__ import annotations

import base64
import string
from ipaddress import IPv4Address, IPv4Network

from hypothesis import strategies as st

from zeroth.spec.model import (
    DhcpAddress,
    DiskSpec,
    Dom0Spec,
    EndAction,
    HostSpec,
    ManagementNetwork,
    OnFailure,
    RootLogin,
    StaticAddress,
)
from zeroth.system.size import MIB, Size

LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
# What gets quoted wrongly, if anything does.
AWKWARD = st.text(
    st.sampled_from(string.ascii_letters + string.digits + " #'\"\\$`=*?[]-_.:,äß!{}&|"), min_size=1, max_size=20
)
SETTLED = AWKWARD.map(str.strip).filter(bool)
BOOT_WORDS = st.from_regex(r"[a-z][a-z0-9_.]{0,10}(=[A-Za-z0-9_.,:=+/@%~*()\[\]-]{1,10})?", fullmatch=True).filter(
    lambda word: word.partition("=")[0] not in ("dom0_mem", "dom0_max_vcpus", "root", "ro", "rw", "boot", "init")
    and not word.startswith("zeroth.")
)


@st.composite
def ssh_keys(draw: st.DrawFn) -> str:
    """A key as ssh-keygen writes it, with a comment or without."""
    name = b"ssh-ed25519"
    blob = len(name).to_bytes(4, "big") + name + (32).to_bytes(4, "big") + draw(st.binary(min_size=32, max_size=32))
    comment = draw(st.none() | SETTLED)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}" + (f" {comment}" if comment else "")


@st.composite
def static_addresses(draw: st.DrawFn) -> StaticAddress:
    """An address and perhaps a gateway in the same network."""
    prefix = draw(st.integers(8, 30))
    number = draw(st.integers(int(IPv4Address("1.0.0.0")), int(IPv4Address("126.0.0.0"))))
    network = IPv4Network((number, prefix), strict=False)
    first = int(network.network_address) + 1
    last = int(network.broadcast_address) - 1
    own, gateway = draw(st.lists(st.integers(first, last), min_size=2, max_size=2, unique=True))
    data = {"address": f"{IPv4Address(own)}/{prefix}"}
    if draw(st.booleans()):
        data["gateway"] = str(IPv4Address(gateway))
    return StaticAddress.model_validate(data)


@st.composite
def hosts(draw: st.DrawFn) -> HostSpec:
    """Any host that an answer can describe."""
    word = st.text(st.sampled_from("./" + string.ascii_letters + string.digits), min_size=43, max_size=43)
    password = draw(st.none() | word.map(lambda it: f"$y$j9T$saltsaltsalt${it}"))
    keys = draw(st.lists(ssh_keys(), min_size=0 if password else 1, max_size=3))
    nic = st.from_regex(r"[0-9a-f][02468ace](:[0-9a-f]{2}){4}:[0-9a-f]1", fullmatch=True) | st.from_regex(
        r"e[a-z0-9]{1,14}", fullmatch=True
    )
    select = st.sampled_from(["only", "smallest", "largest", "/dev/sda", "/dev/disk/by-id/nvme-X_1"]) | SETTLED.map(
        lambda value: f"serial={value}"
    ).filter(lambda value: not set(",&") & set(value))
    return HostSpec(
        hostname=".".join(draw(st.lists(LABELS.filter(lambda it: it != "localhost"), min_size=1, max_size=2))),
        timezone=draw(st.sampled_from(["Etc/UTC", "Europe/Berlin", "Etc/GMT+3"])),
        keyboard=draw(st.sampled_from(["us", "de", "fr"])),
        root=RootLogin(password_hash=password, ssh_keys=tuple(keys)),
        disk=DiskSpec(select=draw(select), wipe=draw(st.booleans())),
        management=ManagementNetwork(
            nic=draw(st.none() | nic),
            vlan=draw(st.none() | st.integers(1, 4094)),
            address=draw(st.just(DhcpAddress()) | static_addresses()),
            dns=tuple(draw(st.lists(st.integers(1 << 24, 126 << 24).map(IPv4Address), max_size=3))),
            bridge=draw(st.from_regex(r"[a-z][a-z0-9-]{0,14}", fullmatch=True)),
        ),
        dom0=Dom0Spec(
            memory=Size(draw(st.integers(768, 1 << 20)) * MIB),
            vcpus=draw(st.none() | st.integers(1, 512)),
            xen_append=tuple(draw(st.lists(BOOT_WORDS, max_size=3))),
            linux_append=tuple(draw(st.lists(BOOT_WORDS, max_size=3))),
            serial=draw(st.sampled_from([None, 9600, 57600, 115200])),
        ),
        end_action=draw(st.sampled_from(EndAction)),
        on_failure=draw(st.sampled_from(OnFailure)),
        reinstall=draw(st.booleans()),
    )


@st.composite
def damaged(draw: st.DrawFn, texts: list[str]) -> str:
    """One of some texts with up to five pieces taken out, put in, doubled or swapped."""
    text = draw(st.sampled_from(texts))
    pieces = st.sampled_from(
        ['"', "'", "\\", "#", "--", "=", "%", "\n", "\t", ": ", "- ", "{", "[", "}", "&a", "*a", "0", "é"]
    )
    for _ in range(draw(st.integers(1, 5))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        put = draw(st.one_of(st.just(""), pieces, st.text(max_size=5), st.just(text[start:end] * 2)))
        text = text[:start] + put + text[end:]
    return text
