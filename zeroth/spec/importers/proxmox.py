"""``answer.toml`` of the Proxmox VE installer.

Traps in which that installer does something else than the file seems to say are handled as the author of the file will
have meant it, and reported.
"""

from __future__ import annotations

import re
from ipaddress import ip_interface

from zeroth.spec.document import Document
from zeroth.spec.importers.draft import Draft
from zeroth.spec.importers.keymaps import PROXMOX
from zeroth.spec.importers.proxmox_disks import import_disks
from zeroth.spec.importers.toml_tree import TomlWrong, read_toml
from zeroth.spec.importers.toml_words import Table
from zeroth.spec.problems import FILE, Problem

__all__ = ["read_proxmox"]

_MAC = re.compile(r"(?:enx|\*)?([0-9a-f]{12})")
_CARD_NAMES = ("INTERFACE", "ID_NET_NAME", "ID_NET_NAME_PATH", "ID_NET_NAME_SLOT", "ID_NET_NAME_ONBOARD")
_PATTERN = re.compile(r"[*?\[]")
_STATIC_ONLY = ("cidr", "gateway", "dns", "filter")


def read_proxmox(text: str) -> Document:
    """Read a TOML answer; what is wrong with it, and what it says that has no counterpart, is in the problems."""
    try:
        data, marks, keys = read_toml(text)
    except TomlWrong as error:
        return Document(None, problems=[error.problem])
    if not data:
        return Document(None, problems=[Problem("the file says nothing", "Begin with [global].")])
    draft = Draft()
    whole = Table(data, (), draft, (marks, keys))
    settings = whole.table("global")
    if settings:
        _global(settings)
    elif not whole.has("global"):
        draft.wrong("there is no [global]", "It has the host's name and the root password.", FILE, "hostname", "root")
    network = whole.table("network")
    if network:
        _network(network)
    disks = whole.table("disk-setup")
    if disks:
        import_disks(disks)
    elif not whole.has("disk-setup"):
        hint = 'As in filesystem = "ext4" and disk-list = ["sda"].'
        draft.wrong("there is no [disk-setup]", hint, FILE, "disk")
    webhook = whole.table("post-installation-webhook")
    if webhook:
        _webhook(webhook)
    first_boot = whole.table("first-boot")
    if first_boot:
        _first_boot(first_boot)
    whole.finish()
    return draft.document()


def _global(table: Table) -> None:
    draft = table.draft
    _name(table)
    zone = table.text("timezone")
    if zone is not None:
        draft.put(("timezone",), zone, table.place("timezone"))
    keyboard = table.text("keyboard", *PROXMOX)
    if keyboard:
        layout, lost = PROXMOX[keyboard]
        draft.put(("keyboard",), layout, table.place("keyboard"))
        if lost:
            draft.left_out(f"the variant of the keyboard {keyboard}", f"The layout {layout} is taken.",
                           table.place("keyboard"))  # fmt: skip
    table.drop("country", "It chooses Proxmox's mirror; time zone and keyboard are set of their own.")
    table.drop("mailto", "No mail is sent; notify.webhooks and notify.syslog tell how the installation goes.")
    table.drop("subscription-key", "There is no subscription.")
    _login(table)
    if table.flag("reboot-on-error"):
        why = "After a failure the consoles give a shell (or the machine is powered off: on_failure)."
        draft.left_out("global.reboot-on-error: rebooting after a failure", why, table.place("reboot-on-error"))
    mode = table.text("reboot-mode", "reboot", "power-off")
    if mode:
        draft.put(("end_action",), "poweroff" if mode == "power-off" else "reboot", table.place("reboot-mode"))
    table.finish()


def _name(table: Table) -> None:
    draft, where = table.draft, table.place("fqdn")
    if not table.has("fqdn"):
        draft.wrong("global.fqdn is missing", 'As in fqdn = "host1.example.com"', where, "hostname")
        return
    if table.is_table("fqdn"):
        inner = table.table("fqdn")
        assert inner
        source = inner.text("source", "from-dhcp")
        inner.text("domain")
        if source:
            hint = 'Write the name: fqdn = "host1.example.com"'
            draft.wrong("a host name from DHCP has no counterpart", hint, inner.place("source"), "hostname")
        elif not inner.has("source"):
            draft.wrong("global.fqdn has no source", 'Write the name: fqdn = "host1.example.com"', where, "hostname")
        inner.finish()
        return
    name = table.text("fqdn")
    if name is None:
        draft.wrong("global.fqdn is not a name", 'As in fqdn = "host1.example.com"', where, "hostname")
        return
    if name != name.lower():
        draft.warn(f"the host name {name} is written in lower case", "", where)
    if "." not in name:
        draft.warn("Proxmox refuses a host name without a domain; here it may stay without", "", where)
    draft.put(("hostname",), name.lower(), where)


def _login(table: Table) -> None:
    draft = table.draft
    password, hashed = table.text("root-password"), table.text("root-password-hashed")
    keys = table.texts("root-ssh-keys")
    if table.has("root-password") and table.has("root-password-hashed"):
        hint = "Keep root-password-hashed."
        draft.wrong("the root password is given twice, plain and hashed", hint, table.place("root-password"), "root")
        return
    if password is not None:
        draft.put(("root", "password"), password, table.place("root-password"))
    if hashed is not None:
        draft.put(("root", "password_hash"), hashed, table.place("root-password-hashed"))
    for index, key in enumerate(keys):
        draft.append(("root", "ssh_keys"), key, table.place("root-ssh-keys", index))
    if "root" not in draft.data:
        hint = "`mkpasswd` prints a hash for root-password-hashed."
        draft.wrong("there is no root password and no ssh key", hint, table.where, "root")


def _network(table: Table) -> None:
    draft = table.draft
    source = table.text("source", "from-dhcp", "from-answer")
    if source == "from-answer":
        _static(table)
    elif source or not table.has("source"):
        for name in _STATIC_ONLY:
            if table.has(name):
                hint = 'Write source = "from-answer", or leave it out.'
                draft.wrong(f"network.{name} is for a fixed address, not for DHCP", hint, table.place(name))
    else:
        for name in _STATIC_ONLY:
            table.has(name)
    pinning = table.table("interface-name-pinning")
    if pinning:
        if pinning.flag("enabled"):
            why = "NICs keep the kernel's names; here they are named by their MAC addresses."
            draft.left_out("network.interface-name-pinning has no counterpart", why, pinning.where)
        pinning.patterns("mapping")
        pinning.finish()
    table.finish()


def _static(table: Table) -> None:
    draft = table.draft
    cidr, gateway, dns = table.text("cidr"), table.text("gateway"), table.text("dns")
    for name in ("cidr", "gateway", "dns"):
        if not table.has(name):
            draft.wrong(f"network.{name} is missing", "A fixed address needs it.", table.where)
    if cidr is not None:
        field = "address"
        try:
            six = ip_interface(cidr).version == 6
        except ValueError:
            six = ":" in cidr
        if six:
            field = "address6"
            draft.put(("management", "address", "method"), "none", table.place("cidr"))
        draft.put(("management", field, "method"), "static", table.place("cidr"))
        draft.put(("management", field, "address"), cidr, table.place("cidr"))
        if gateway is not None:
            draft.put(("management", field, "gateway"), gateway, table.place("gateway"))
    if dns is not None:
        draft.append(("management", "dns"), dns, table.place("dns"))
    _card(table)


def _card(table: Table) -> None:
    """The NIC. Proxmox takes the first one that fits any of the patterns."""
    draft, where = table.draft, table.place("filter")
    found = []
    for key, pattern in table.patterns("filter").items():
        mac = _MAC.fullmatch(pattern.lower().replace(":", ""))
        if key == "ID_NET_NAME_MAC" and mac:
            found.append(":".join(re.findall("..", mac[1])))
        elif key in _CARD_NAMES and not _PATTERN.search(pattern):
            found.append(pattern)
        else:
            why = "A NIC is named by its MAC address or kernel name; else the only one with a link is taken."
            draft.left_out(f"the pattern {key} = {pattern!r} for the NIC", why, where)
    if found:
        draft.put(("management", "nic"), found[0], where)
    for name in found[1:]:
        why = f"{found[0]} is taken. Proxmox would take the first NIC that fits any of the patterns."
        draft.left_out(f"the NIC {name}", why, where)


def _webhook(table: Table) -> None:
    draft, names = table.draft, {"url": "url", "cert-fingerprint": "certificate", "token": "token"}
    found = {ours: (table.text(name), table.place(name)) for name, ours in names.items()}
    table.finish()
    if not table.has("url"):
        draft.wrong("post-installation-webhook.url is missing", "Add it, or leave out the table.", table.where)
        return
    given = {name: value for name, (value, _) in found.items() if value is not None}
    draft.append(("notify", "webhooks"), given, table.where)
    for name, (_, where) in found.items():
        draft.mark(("notify", "webhooks", 0, name), where)
    message = "the webhook gets zeroth's own events: at the beginning, at each step, and when it failed as well"
    draft.warn(message, "What is posted has another form than Proxmox's.", table.where)


def _first_boot(table: Table) -> None:
    source = table.text("source", "from-iso", "from-url")
    table.text("ordering", "before-network", "network-online", "fully-up")
    table.text("url")
    table.text("cert-fingerprint")
    table.finish()
    if source or not table.has("source"):
        why = (
            "Hooks run in the installer; the one that comes nearest is of the stage post: with its text, or with its "
            "address and sha256."
        )
        table.draft.left_out("first-boot: a program for the first boot has no counterpart", why, table.where)
