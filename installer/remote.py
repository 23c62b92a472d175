"""Logging in to the installer by ssh, with a key or a password of the boot arguments, the medium or an answer.

Without an answer everything that there is lets in, since somebody has to do something. An installation that needs
nobody opens nothing, unless the kernel command line says so: it would cost time and a door.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Thread

from pydantic import ValidationError

from installer.online import go_online, wait_online
from zeroth.errors import ExitCode, UserError
from zeroth.spec.answer import AnswerText
from zeroth.spec.load import read_document
from zeroth.spec.model import RootLogin
from zeroth.system.files import atomic_write
from zeroth.system.run import run

__all__ = ["DESK", "login_for", "open_door", "take_over"]

DESK = Path("/run/zeroth/screen")
"""Where terminals are announced to the screens."""
_SSHD = Path("/etc/ssh/sshd_config.d/10-zeroth-installer.conf")
_POLL = 0.5


def login_for(
    wanted: tuple[bool, tuple[str, ...], str | None],
    embedded: tuple[str, ...],
    found: AnswerText | None,
    *,
    asking: bool,
) -> RootLogin | None:
    """Who gets in; None for nobody.

    :param wanted: what :func:`zeroth.spec.arguments.ssh_wanted` found.
    :param embedded: the medium's ssh keys.
    :param found: an answer, whole or not.
    :param asking: somebody is being asked at the screen.
    :raises UserError: a key or a hash is none.
    """
    named, keys, hashed = wanted
    if not (named or asking):
        return None
    data = read_document(found).data if found else None
    root = data.get("root") if isinstance(data, dict) else None
    said = root if isinstance(root, dict) else {}
    more = said.get("ssh_keys")
    every = dict.fromkeys((*keys, *embedded, *(more if isinstance(more, list) else ())))
    hashed = hashed or said.get("password_hash")
    if not (every or hashed):
        if named:
            raise UserError("zeroth.ssh is set, but there is neither a key nor the hash of a password")
        return None
    try:
        return RootLogin.model_validate({"ssh_keys": list(every), "password_hash": hashed})
    except ValidationError as error:
        raise UserError(str(error.errors()[0]["msg"]), "Check zeroth.ssh_key= and zeroth.ssh_password=.") from None


def open_door(login: RootLogin, say: Callable[[str], None]) -> None:
    """Start the ssh server for root, and tell the address as soon as there is one.

    :raises UserError: the machine refuses.
    """
    home = Path("/root").resolve() / ".ssh"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic_write(home / "authorized_keys", "".join(f"{key}\n" for key in login.ssh_keys), mode=0o600)
    if login.password_hash:
        run(["chpasswd", "--encrypted"], input=f"root:{login.password_hash}\n", redact=[login.password_hash])
    by_password = "yes" if login.password_hash else "no"
    _SSHD.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(_SSHD, f"PermitRootLogin yes\nPasswordAuthentication {by_password}\n")
    go_online()
    run(["systemctl", "start", "--no-block", "ssh.service"])
    Thread(target=_tell_address, args=(say,), name="address", daemon=True).start()


def _tell_address(say: Callable[[str], None]) -> None:
    try:
        wait_online("a login")
        found = [address for link in json.loads(run(["ip", "-json", "address"]).stdout)
                 for it in link["addr_info"] if it["scope"] == "global" and (address := it["local"])]  # fmt: skip
    except (UserError, ValueError, KeyError):
        say("No network card has an address, so nobody can log in to the installer by ssh.")
        return
    say("".join(f"ssh root@{address} gets into the installer; `zeroth installer screen` shows its screens there.\n"
                for address in found).rstrip())  # fmt: skip


def take_over(desk: Path, terminal: Path | None) -> None:
    """Announce a terminal, and wait until the screens are elsewhere again.

    :param terminal: whose input is the screens' until then.
    :raises UserError: this is no terminal, or there are no screens.
    """
    if terminal is None:
        raise UserError("this is not a terminal", "Log in with: ssh -t root@...", code=ExitCode.USAGE)
    try:
        handle = os.open(desk, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        raise UserError(
            "nobody is being asked at a screen now", "The log is /run/zeroth/install.log.", code=ExitCode.MACHINE
        ) from None
    before = len(_places(desk))
    try:
        os.write(handle, f"{terminal}\n".encode())
    finally:
        os.close(handle)
    while True:
        places = _places(desk)
        if str(terminal) in places[before:] and places[-1] != str(terminal):
            return
        time.sleep(_POLL)


def _places(desk: Path) -> list[str]:
    """Where the screens have been; see :class:`installer.screens.front.Front`."""
    at = desk.with_suffix(".at")
    return at.read_text().splitlines() if at.is_file() else []
