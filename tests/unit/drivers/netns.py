"""Network namespaces for tests: this process in one of its own, with cables into others."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

_CLONE_NEWNET = 0x40000000

needs_namespaces = pytest.mark.skipif(
    os.geteuid() != 0 or not all(map(shutil.which, ("ip", "nsenter", "unshare"))),
    reason="network namespaces need root, iproute2 and util-linux",
)
needs_dnsmasq = pytest.mark.skipif(not shutil.which("dnsmasq"), reason="dnsmasq is not installed")


@dataclass
class Far:
    """The other end of a cable: a namespace kept by a process."""

    process: subprocess.Popen[bytes]
    stack: ExitStack = field(default_factory=ExitStack)

    def run(self, *words: str) -> None:
        subprocess.run(self.argv(*words), check=True, capture_output=True)

    def argv(self, *words: str) -> list[str]:
        return ["nsenter", "-t", str(self.process.pid), "-n", *words]

    def dnsmasq(self, folder: Path, link: str, *words: str) -> None:
        """A DHCP and DNS server, until the namespace ends."""
        words = (
            "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--no-ping", "--user=root",
            "--pid-file=", f"--interface={link}", "--bind-interfaces",
            f"--dhcp-leasefile={folder / link}.leases", *words,
        )  # fmt: skip
        server = subprocess.Popen(self.argv("dnsmasq", *words), stderr=subprocess.DEVNULL)
        self.stack.callback(server.wait)
        self.stack.callback(server.terminate)


@contextmanager
def own_namespace() -> Iterator[None]:
    """This thread, and what it starts, in an empty namespace for the time of the block."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if libc.unshare(_CLONE_NEWNET):
        pytest.skip(f"no network namespace: {os.strerror(ctypes.get_errno())}")
    try:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        assert libc.setns(before, _CLONE_NEWNET) == 0
        os.close(before)


@contextmanager
def cabled(*names: str) -> Iterator[Far]:
    """A namespace with a cable to each of these new links of ours; its end is called ``far-NAME``, and both are up."""
    own = Path("/proc/thread-self/ns/net").readlink()
    process = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE)
    far = Far(process)
    try:
        until = time.monotonic() + 10
        while Path(f"/proc/{process.pid}/ns/net").readlink() == own and time.monotonic() < until:
            time.sleep(0.02)
        far.run("ip", "link", "set", "lo", "up")
        for name in names:
            peer = f"far-{name}"
            made = ["ip", "link", "add", name, "type", "veth", "peer", "name", peer, "netns", str(process.pid)]
            if subprocess.run(made, check=False, capture_output=True).returncode:
                pytest.skip("this kernel has no veth")
            subprocess.run(["ip", "link", "set", name, "up"], check=True)
            far.run("ip", "link", "set", peer, "up")
        yield far
    finally:
        far.stack.close()
        process.kill()
        process.communicate()


def has_kind(kind: str, *words: str) -> bool:
    """Whether the kernel makes such a device (in a namespace that goes away)."""
    argv = ["unshare", "-n", "ip", "link", "add", "name", "probe", *words, "type", kind]
    return subprocess.run(argv, check=False, capture_output=True).returncode == 0
