"""The command classes: stock ones of RHEL 10 restricted to our vocabulary. Reader's process only."""

from __future__ import annotations

import ipaddress
from typing import Any

from pykickstart.commands.clearpart import F28_ClearPart
from pykickstart.commands.ignoredisk import F34_IgnoreDisk
from pykickstart.commands.keyboard import F18_Keyboard
from pykickstart.commands.network import F39_NetworkData, RHEL10_Network
from pykickstart.commands.reboot import F23_Reboot
from pykickstart.commands.rootpw import F37_RootPw
from pykickstart.commands.sshkey import F22_SshKey, F38_SshKeyData
from pykickstart.commands.timezone import RHEL10_Timezone
from pykickstart.commands.zerombr import F9_ZeroMbr
from pykickstart.options import KSOptionParser
from pykickstart.version import RHEL10

from zeroth.spec.kickstart.draft import Draft
from zeroth.spec.kickstart.filling import Filling, Parsed, whole
from zeroth.spec.kickstart.own import Zeroth_OnFailure, Zeroth_Reinstall, Zeroth_Xen
from zeroth.spec.kickstart.words import Line

__all__ = ["CLASSES", "DATA_CLASSES"]

# pykickstart derives a command's name from what follows the underscore in its class's name.
# ruff: noqa: N801


class Zeroth_Keyboard(Filling, F18_Keyboard):
    """keyboard"""

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``keyboard``."""
        given = line.given("--vckeymap")
        if given and self._keyboard:
            draft.error(line, "the layout is given twice", "Write either keyboard LAYOUT or --vckeymap=LAYOUT.", given)
            return
        draft.put(
            "keyboard", self._keyboard or self.vc_keymap, line, line.value("--vckeymap") if given else line.words[-1]
        )


class Zeroth_Timezone(Filling, RHEL10_Timezone):
    """timezone"""

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``timezone``."""
        word = next((word for word in line.words[1:] if not word.option), None)
        if word is None:
            draft.error(line, "no time zone is given", "Write it as in: timezone Europe/Berlin")
            return
        draft.put("timezone", self.timezone, line, word)


class Zeroth_RootPw(Filling, F37_RootPw):
    """rootpw"""

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``root.password`` or ``root.password_hash``; no message repeats the argument."""
        crypted, plain, lock = (line.given(name) for name in ("--iscrypted", "--plaintext", "--lock"))
        word = next((word for word in line.words[1:] if not word.option), None)
        if crypted and plain:
            draft.error(line, "a password is either --iscrypted or --plaintext", "Leave out one of the two.", plain)
        elif lock and (word or crypted or plain):
            draft.error(line, "--lock means that root has no password", "Leave out the password, or --lock.", lock)
        elif lock:
            draft.put("root.password_hash", None, line)
        elif crypted:
            draft.put("root.password_hash", self.password, line, word)
        elif self.password.startswith("$") and self.password.count("$") >= 3 and not plain:
            draft.error(line, "this looks like a hash, but --iscrypted is not given",
                        "Write rootpw --iscrypted HASH, or --plaintext for the password itself.", word)  # fmt: skip
        else:
            draft.put("root.password", self.password, line, word)


class Zeroth_SshKeyData(F38_SshKeyData):
    """A key; unlike stock kickstart's, several for one user are several."""

    __eq__ = object.__eq__
    __ne__ = object.__ne__
    __hash__ = object.__hash__


class Zeroth_SshKey(Filling, F22_SshKey):
    """sshkey"""

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Add to ``root.ssh_keys``."""
        if parsed.username != "root":
            draft.error(line, f"there is no user {parsed.username!r}, only root", "Write --username=root.",
                        line.value("--username"))  # fmt: skip
            return
        word = next(word for word in line.words[1:] if word.text == parsed.key)
        draft.append("root.ssh_keys", parsed.key, line, word)


class Zeroth_NetworkData(F39_NetworkData):
    """A line; unlike stock kickstart's, two that name no device are two."""

    __eq__ = object.__eq__
    __ne__ = object.__ne__
    __hash__ = object.__hash__


class Zeroth_Network(Filling, RHEL10_Network):
    """network"""

    def _getParser(self) -> KSOptionParser:  # noqa: N802
        parser = super()._getParser()
        parser.add_argument("--bridge", version=RHEL10, help="Name of the Open vSwitch bridge.")
        # Checked here, with a place: stock kickstart takes any word.
        parser.add_argument("--onboot", version=RHEL10, help="Only yes.")
        return parser

    _configured: Line | None = None

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``hostname`` and ``management``."""
        given = [word.option for word in line.words if word.option]
        if not given:
            draft.error(line, "network says nothing", "Give --hostname=NAME, and what the management network needs.")
            return
        if "--hostname" in given:
            if "hostname" in draft.data:
                draft.error(
                    line, "the host name is given twice", "Leave out one of the two.", line.given("--hostname")
                )
            draft.put("hostname", parsed.hostname, line, line.value("--hostname"))
        if given == ["--hostname"]:
            return
        if self._configured:
            draft.error(line, f"the management network was described in line {self._configured.number} already",
                        "An answer describes the management network only.")  # fmt: skip
            return
        self._configured = line
        self._fill_management(draft, line, parsed)

    def _fill_management(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        if parsed.device and parsed.device != "link":
            draft.put("management.nic", parsed.device, line, line.value("--device"))
        if line.given("--onboot") and parsed.onboot.lower() not in ("yes", "on", "true", "1"):
            draft.error(line, "the management network is always up", "Leave out --onboot.", line.value("--onboot"))
        if line.given("--vlanid"):
            word = line.value("--vlanid")
            draft.put("management.vlan", whole(draft, line, word.text, "--vlanid"), line, word)
        if line.given("--bridge"):
            draft.put("management.bridge", parsed.bridge, line, line.value("--bridge"))
        if parsed.nameserver:
            for name in parsed.nameserver.split(","):
                draft.append("management.dns", name.strip(), line, line.value("--nameserver"))
        self._fill_address(draft, line, parsed)

    def _fill_address(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        method = parsed.bootProto if line.given("--bootproto") else "dhcp"
        if method not in ("dhcp", "static"):
            draft.error(line, f"{method!r} is no way to get an address", "Write --bootproto=dhcp or =static.",
                        line.value("--bootproto"))  # fmt: skip
        elif method == "dhcp":
            for option in ("--ip", "--netmask", "--gateway"):
                if line.given(option):
                    draft.error(line, f"{option} is for a static address, but the address comes by DHCP",
                                f"Write --bootproto=static, or leave out {option}.", line.given(option))  # fmt: skip
            draft.put("management.address.method", "dhcp", line, line.value("--bootproto"))
        elif missing := [option for option in ("--ip", "--netmask") if not line.given(option)]:
            for option in missing:
                draft.error(line, f"a static address needs {option}",
                            "As in: --bootproto=static --ip=192.0.2.10 --netmask=255.255.255.0")  # fmt: skip
        else:
            address = _address(draft, line, parsed.ip)
            prefix = _prefix(draft, line, parsed.netmask)
            if address and prefix is not None:
                draft.put("management.address.method", "static", line, line.value("--bootproto"))
                draft.put("management.address.address", f"{address}/{prefix}", line, line.value("--ip"))
                if parsed.gateway:
                    draft.put("management.address.gateway", parsed.gateway, line, line.value("--gateway"))


def _address(draft: Draft, line: Line, text: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        hint = "Write the mask as --netmask=255.255.255.0." if "/" in text else "Write four numbers, as in 192.0.2.10."
        draft.error(line, f"{text!r} is not an IPv4 address", hint, line.value("--ip"))
        return ""


def _prefix(draft: Draft, line: Line, text: str) -> int | None:
    """The prefix length of a mask. ``ipaddress`` would also take a host mask (0.0.0.255) and a bare number."""
    try:
        bits = f"{int(ipaddress.IPv4Address(text)):032b}"
    except ValueError:
        bits = "01"
    if "01" in bits or bits[0] == "0":
        draft.error(line, f"{text!r} is not a network mask", "As in 255.255.255.0.", line.value("--netmask"))
        return None
    return bits.count("1")


class Zeroth_IgnoreDisk(Filling, F34_IgnoreDisk):
    """ignoredisk"""

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``disk.select``."""
        _select(draft, line, "--only-use", self.onlyuse)


class Zeroth_ClearPart(Filling, F28_ClearPart):
    """clearpart"""

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``disk.wipe``, and ``disk.select`` when a drive is named."""
        if not line.given("--all"):
            draft.error(
                line, "only --all is a consent to erase the disk", "Write clearpart --all, or leave the line out."
            )
            return
        if self.disklabel not in ("", "gpt"):
            draft.error(line, "the disk label is always gpt", "Leave out --disklabel.", line.value("--disklabel"))
        draft.put("disk.wipe", True, line)
        if line.given("--drives"):
            _select(draft, line, "--drives", self.drives)


def _select(draft: Draft, line: Line, option: str, names: list[str]) -> None:
    word = line.value(option)
    if len(names) != 1:
        draft.error(
            line, f"{option} must name one disk, not {len(names)}", "zeroth installs on one disk for now.", word
        )
        return
    name = names[0]
    if "=" not in name and name not in ("only", "smallest", "largest") and not name.startswith("/"):
        # Kickstart names devices without /dev.
        name = f"/dev/{name}"
    before = draft.data.get("disk", {}).get("select", name)
    if before != name:
        draft.error(
            line, f"two disks are named: {before} and {name}", "Name the same disk in ignoredisk and clearpart.", word
        )
    draft.put("disk.select", name, line, word)


class Zeroth_ZeroMbr(Filling, F9_ZeroMbr):
    """zerombr"""

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set nothing: whether ``clearpart --all`` stands beside it is seen at the end of the file."""


class Zeroth_Reboot(Filling, F23_Reboot):
    """reboot, poweroff, shutdown, halt"""

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``end_action``."""
        action = "poweroff" if self.currentCmd == "shutdown" else self.currentCmd
        draft.put("end_action", action, line)


CLASSES: dict[str, type[Filling]] = {
    "clearpart": Zeroth_ClearPart,
    "halt": Zeroth_Reboot,
    "ignoredisk": Zeroth_IgnoreDisk,
    "keyboard": Zeroth_Keyboard,
    "network": Zeroth_Network,
    "onfailure": Zeroth_OnFailure,
    "poweroff": Zeroth_Reboot,
    "reboot": Zeroth_Reboot,
    "reinstall": Zeroth_Reinstall,
    "rootpw": Zeroth_RootPw,
    "shutdown": Zeroth_Reboot,
    "sshkey": Zeroth_SshKey,
    "timezone": Zeroth_Timezone,
    "xen": Zeroth_Xen,
    "zerombr": Zeroth_ZeroMbr,
}
DATA_CLASSES: dict[str, type[Any]] = {"NetworkData": Zeroth_NetworkData, "SshKeyData": Zeroth_SshKeyData}
