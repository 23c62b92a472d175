"""A real ovsdb-server, and a switch daemon without a kernel, on a socket of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Where the programs are looked for besides PATH: a tree (tools or image) may hold them without their being installed.
TREE = Path(os.environ.get("ZEROTH_OVS_TREE", "/"))
_FOLDERS = ("usr/sbin", "usr/bin", "usr/lib/openvswitch-switch")
SCHEMA = TREE / "usr/share/openvswitch/vswitch.ovsschema"


def program(name: str) -> str | None:
    """Where a program of Open vSwitch is, if anywhere."""
    places = ":".join(str(TREE / folder) for folder in _FOLDERS)
    return shutil.which(name, path=f"{places}:{os.environ.get('PATH', '')}")


def missing() -> str:
    """Why the real tests cannot run here, or an empty string."""
    absent = [name for name in ("ovsdb-server", "ovsdb-tool", "ovs-vswitchd") if program(name) is None]
    if not SCHEMA.exists():
        absent.append("vswitch.ovsschema")
    return f"{', '.join(absent)} not found (install openvswitch-switch, or set ZEROTH_OVS_TREE)" if absent else ""


@dataclass(frozen=True)
class Switch:
    socket: Path
    env: dict[str, str]

    def vsctl(self, *words: str) -> str:
        return self._run("ovs-vsctl", f"--db=unix:{self.socket}", *words)

    def appctl(self, *words: str) -> str:
        return self._run(
            "ovs-appctl", "-t", next(str(path) for path in self.socket.parent.glob("ovs-vswitchd.*.ctl")), *words
        )

    def _run(self, name: str, *words: str) -> str:
        argv = [program(name) or name, *words]
        return subprocess.run(argv, check=True, capture_output=True, text=True, env=self.env).stdout


@contextmanager
def running(folder: Path, *, daemon: bool, real: bool = False, prefix: Sequence[str] = ()) -> Iterator[Switch]:
    """Open vSwitch's processes for the time of the block.

    :param daemon: also the switch daemon, with devices that exist only in its memory.
    :param real: with the links of its network namespace instead; bridges need ``datapath_type=netdev``.
    :param prefix: what the switch daemon is started by, in another namespace say.
    """
    libraries = ":".join(str(TREE / lib) for lib in ("usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu"))
    env = {**os.environ, "OVS_RUNDIR": str(folder), "OVS_LOGDIR": str(folder), "OVS_DBDIR": str(folder)}
    if Path("/") != TREE:
        env["LD_LIBRARY_PATH"] = libraries
    socket, database = folder / "db.sock", folder / "conf.db"
    tool, server = program("ovsdb-tool"), program("ovsdb-server")
    assert tool
    assert server
    subprocess.run([tool, "create", database, SCHEMA], check=True, env=env)
    started = [subprocess.Popen([server, database, f"--remote=punix:{socket}", "-vconsole:off"], env=env)]
    try:
        until = time.monotonic() + 20
        while not socket.exists() and time.monotonic() < until:
            time.sleep(0.02)
        switch = Switch(socket, env)
        switch.vsctl("--no-wait", "init")
        if daemon:
            vswitchd = program("ovs-vswitchd")
            assert vswitchd
            devices = ["--disable-system"] if real else ["--enable-dummy=override", "--disable-system"]
            argv = [*prefix, vswitchd, f"unix:{socket}", *devices, "-vconsole:off"]
            started.append(subprocess.Popen(argv, env=env))
        yield switch
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(10)
