"""The command classes: stock ones of RHEL 10 restricted to our vocabulary. Reader's process only."""

from __future__ import annotations

from typing import Any

from pykickstart.commands.clearpart import F28_ClearPart
from pykickstart.commands.ignoredisk import F34_IgnoreDisk
from pykickstart.commands.keyboard import F18_Keyboard
from pykickstart.commands.lang import F19_Lang
from pykickstart.commands.logging import F40_Logging
from pykickstart.commands.reboot import F23_Reboot
from pykickstart.commands.rootpw import F37_RootPw
from pykickstart.commands.services import FC6_Services
from pykickstart.commands.sshkey import F22_SshKey, F38_SshKeyData
from pykickstart.commands.timesource import F33_Timesource, F33_TimesourceData
from pykickstart.commands.timezone import RHEL10_Timezone
from pykickstart.commands.user import F19_UserData, F24_User
from pykickstart.commands.zerombr import F9_ZeroMbr
from pykickstart.options import KSOptionParser
from pykickstart.version import RHEL10

from zeroth.spec.document import Path
from zeroth.spec.kickstart.draft import Draft
from zeroth.spec.kickstart.filling import Filling, Parsed, base_of, fill_options
from zeroth.spec.kickstart.networks import Zeroth_Network, Zeroth_NetworkData
from zeroth.spec.kickstart.own import OWN_CLASSES
from zeroth.spec.kickstart.vocabulary import command_named
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
        """Add to ``root.ssh_keys``; that of a user is kept until all users are known."""
        word = next(word for word in line.words[1:] if word.text == parsed.key)
        if parsed.username == "root":
            draft.append("root.ssh_keys", parsed.key, line, word)
        else:
            draft.keys.append((parsed.username, parsed.key, line, word))


class Zeroth_Lang(Filling, F19_Lang):
    """lang"""

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``locale``."""
        draft.put("locale", self.lang, line, line.words[-1])


class Zeroth_TimesourceData(F33_TimesourceData):
    """A line; unlike stock kickstart's, two that say the same are two."""

    __eq__ = object.__eq__
    __ne__ = object.__ne__
    __hash__ = object.__hash__


class Zeroth_Timesource(Filling, F33_Timesource):
    """timesource"""

    def _getParser(self) -> KSOptionParser:  # noqa: N802
        parser = super()._getParser()
        parser.add_argument("--no-dhcp", action="store_true", version=RHEL10, help="DHCP's servers are not used.")
        return parser

    def parse(self, args: list[str]) -> Parsed:
        """--no-dhcp may stand alone; stock kickstart wants one of its own."""
        return self.op.parse_args(args=args, lineno=self.lineno) if args == ["--no-dhcp"] else super().parse(args)

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``ntp``."""
        for option, field in (("--ntp-server", "ntp.servers"), ("--ntp-pool", "ntp.pools")):
            if line.given(option):
                draft.append(field, line.value(option).text, line, line.value(option))
        _fill(draft, line)


class Zeroth_UserData(F19_UserData):
    """A line; unlike stock kickstart's, two that name the same user are two."""

    __eq__ = object.__eq__
    __ne__ = object.__ne__
    __hash__ = object.__hash__


class Zeroth_User(Filling, F24_User):
    """user"""

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Add to ``users``."""
        given = {name: line.given(name) for name in ("--password", "--iscrypted", "--plaintext", "--lock")}
        password = line.value("--password")
        if given["--iscrypted"] and given["--plaintext"]:
            draft.error(line, "a password is either --iscrypted or --plaintext", "Leave out one of the two.",
                        given["--plaintext"])  # fmt: skip
        if given["--password"] and given["--lock"]:
            draft.error(line, "--lock means that the user has no password", "Leave out one of the two.",
                        given["--lock"])  # fmt: skip
        base = draft.next("users")
        _fill(draft, line, base)
        if given["--password"]:
            name = "password_hash" if given["--iscrypted"] else "password"
            draft.put((*base, name), password.text, line, password)
        if line.given("--groups"):
            if set(parsed.groups) - {"sudo"}:
                draft.error(line, "the only group is sudo", "Write --groups=sudo, or leave it out.",
                            line.value("--groups"))  # fmt: skip
            draft.put((*base, "admin"), True, line, line.value("--groups"))


class Zeroth_Services(Filling, FC6_Services):
    """services"""

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``services``."""
        _fill(draft, line)


class Zeroth_Logging(Filling, F40_Logging):
    """logging"""

    def _getParser(self) -> KSOptionParser:  # noqa: N802
        parser = super()._getParser()
        parser.add_argument("--protocol", version=RHEL10, help="How syslog is sent.")
        return parser

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Add to ``notify.syslog``."""
        if not line.given("--host"):
            draft.error(line, "logging needs --host", "As in: logging --host=log.example.com")
            return
        _fill(draft, line)


def _fill(draft: Draft, line: Line, base: Path | None = None) -> None:
    command = command_named(line.words[0].text)
    assert command
    fill_options(draft, line, command, base_of(draft, command) if base is None else base)


class Zeroth_IgnoreDisk(Filling, F34_IgnoreDisk):
    """ignoredisk"""

    def _getParser(self) -> KSOptionParser:  # noqa: N802
        parser = super()._getParser()
        parser.add_argument("--alternatives", version=RHEL10, help="Tried when the first matches none.")
        return parser

    def parse(self, args: list[str]) -> Parsed:
        """Unlike stock kickstart's, which wants one of its options, this takes several."""
        return self.op.parse_args(args=args, lineno=self.lineno)

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``disk.select``, ``disk.alternatives`` and ``disk.ignore``."""
        if len(line.words) == 1:
            draft.error(line, "ignoredisk says nothing", "As in: ignoredisk --only-use=sda")
        _fill(draft, line)


class Zeroth_ClearPart(Filling, F28_ClearPart):
    """clearpart"""

    def fill(self, draft: Draft, line: Line, parsed: Parsed) -> None:
        """Set ``disk.wipe``, or ``disk.wipe_disks`` when drives are named."""
        if not line.given("--all"):
            draft.error(
                line, "only --all is a consent to erase the disk", "Write clearpart --all, or leave the line out."
            )
            return
        if self.disklabel not in ("", "gpt"):
            draft.error(line, "the disk label is always gpt", "Leave out --disklabel.", line.value("--disklabel"))
        if line.given("--drives"):
            _fill(draft, line)
        else:
            draft.put("disk.wipe", True, line)


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
    "lang": Zeroth_Lang,
    "logging": Zeroth_Logging,
    "network": Zeroth_Network,
    "poweroff": Zeroth_Reboot,
    "reboot": Zeroth_Reboot,
    "rootpw": Zeroth_RootPw,
    "services": Zeroth_Services,
    "shutdown": Zeroth_Reboot,
    "sshkey": Zeroth_SshKey,
    "timesource": Zeroth_Timesource,
    "timezone": Zeroth_Timezone,
    "user": Zeroth_User,
    "zerombr": Zeroth_ZeroMbr,
    **OWN_CLASSES,
}
DATA_CLASSES: dict[str, type[Any]] = {
    "NetworkData": Zeroth_NetworkData,
    "SshKeyData": Zeroth_SshKeyData,
    "TimesourceData": Zeroth_TimesourceData,
    "UserData": Zeroth_UserData,
}
