"""Host name, time zone, keyboard."""

from __future__ import annotations

from pathlib import Path

from firstboot.context import Context, Step
from zeroth.errors import ExitCode, UserError
from zeroth.system.run import CommandFailed

__all__ = ["HOSTNAME", "KEYBOARD", "TIMEZONE"]

_HOSTS = """\
127.0.0.1 localhost
127.0.1.1 {names}
::1       localhost ip6-localhost ip6-loopback
"""


def _hostname(context: Context) -> str:
    name = context.spec.hostname
    short = name.partition(".")[0]
    names = name if name == short else f"{name} {short}"
    context.system.write(context.paths.of("etc/hostname"), name + "\n")
    # The host must know its own name without a name server.
    context.system.write(context.paths.of("etc/hosts"), _HOSTS.format(names=names))
    context.system.set_hostname(name)
    return ""


def _timezone(context: Context) -> str:
    zone = context.spec.timezone
    if not context.paths.of(f"usr/share/zoneinfo/{zone}").is_file():
        raise UserError(
            f"there is no time zone {zone!r}",
            "Zones are named as in Europe/Vienna or Etc/UTC (timedatectl list-timezones).",
            where="timezone",
            code=ExitCode.MACHINE,
        )
    context.system.link(context.paths.of("etc/localtime"), f"/usr/share/zoneinfo/{zone}")
    context.system.write(context.paths.of("etc/timezone"), zone + "\n")
    return ""


def _keyboard(context: Context) -> str:
    layout = context.spec.keyboard
    keymap = _find_keymap(context.paths.root, layout)
    if keymap is None:
        # A host that answers with a wrong keyboard is better than one that does not answer.
        return f"this image has no console keymap {layout!r}: the consoles keep the one they have"
    context.system.write(context.paths.of("etc/vconsole.conf"), f"KEYMAP={keymap}\nXKBLAYOUT={layout}\n")
    if context.paths.of("dev/tty0").exists():
        try:
            context.system.run(["loadkeys", "--quiet", keymap])
        except CommandFailed as error:
            return f"the keymap {keymap!r} takes effect at the next boot ({error.completed.stderr.strip()})"
    return ""


# XKB's layouts that the console knows under another name (the file names of Debian's console-data).
_CONSOLE_NAMES = {
    "be": "be-latin1",
    "br": "br-abnt2",
    "ch": "sg",
    "gb": "uk",
    "jp": "jp106",
    "latam": "la-latin1",
    "pt": "pt-latin1",
    "se": "se-latin1",
}


def _find_keymap(root: Path, layout: str) -> str | None:
    for folder in ("usr/share/kbd/keymaps", "usr/share/keymaps"):
        for name in (layout, _CONSOLE_NAMES.get(layout)):
            if name and next((root / folder).rglob(f"{name}.*map*"), None) is not None:
                return name
    return None


HOSTNAME = Step("hostname", "Host name", lambda context: context.spec.hostname, _hostname)
TIMEZONE = Step("timezone", "Time zone", lambda context: context.spec.timezone, _timezone)
KEYBOARD = Step("keyboard", "Keyboard", lambda context: context.spec.keyboard, _keyboard)
