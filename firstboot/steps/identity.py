"""What makes this host itself and no other: machine id, ssh host keys, UUIDs."""

from __future__ import annotations

import os
import re
from pathlib import Path

from firstboot.context import Context, Step
from firstboot.identity import new_identity
from zeroth.errors import ExitCode, UserError
from zeroth.system.run import CommandFailed

__all__ = ["IDENTITY"]

_MACHINE_ID = re.compile(r"[0-9a-f]{32}\n?")


def _apply(context: Context) -> str:
    _machine_id(context)
    _ssh_keys(context)
    if not context.paths.identity.exists():
        context.system.write(context.paths.identity, new_identity().model_dump_json(indent=2) + "\n")
    # Reads it back: a damaged identity must stop here, not in the store.
    context.say(f"host UUID {context.identity.host}")
    return ""


def _machine_id(context: Context) -> None:
    path = context.paths.of("etc/machine-id")
    if path.is_mount():
        # systemd could not write it at boot and keeps it in memory: it would be another one at the next boot.
        context.system.run(["systemd-machine-id-setup", "--commit"])
    elif not (path.exists() and _MACHINE_ID.fullmatch(path.read_text())):
        context.system.run(["systemd-machine-id-setup"])
    if not (path.exists() and _MACHINE_ID.fullmatch(path.read_text())):
        raise UserError(f"{path} holds no machine id", "Is /etc writable?", code=ExitCode.MACHINE)


def _ssh_keys(context: Context) -> None:
    """Every kind of host key that OpenSSH has by default. A key that a power cut left half written is made anew."""
    folder = context.paths.of("etc/ssh")
    for key in sorted(folder.glob("ssh_host_*_key")):
        if not _is_sound(context, key):
            context.say(f"{key.name} is damaged and is made anew")
            context.system.remove(key)
            context.system.remove(key.with_name(key.name + ".pub"))
    context.system.run(["ssh-keygen", "-A", "-f", str(context.paths.root)])
    for key in sorted(folder.glob("ssh_host_*_key*")):
        # ssh-keygen does not wait until its files are on the disk.
        context.system.write(key, key.read_bytes(), mode=0o644 if key.suffix == ".pub" else 0o600)
        with key.open("rb") as file:
            os.fsync(file.fileno())


def _is_sound(context: Context, key: Path) -> bool:
    public = key.with_name(key.name + ".pub")
    try:
        derived = context.system.run(["ssh-keygen", "-y", "-P", "", "-f", key]).stdout
        return derived.split()[:2] == public.read_text().split()[:2]
    except (CommandFailed, OSError):
        return False


IDENTITY = Step("identity", "Identity", lambda context: "1", _apply)
