"""Every page that asks for settings, in the order in which a plain installation passes them."""

from __future__ import annotations

from collections.abc import Mapping

from installer.screens.draft import Draft
from installer.screens.form import Field, Kind, Page
from zeroth.spec.checks import known_here

__all__ = ["ADVANCED", "PAGES", "PLAIN", "page_named"]

_ADDRESS, _ADDRESS6, _BOND, _POOL = (
    ("management", "address"), ("management", "address6"), ("management", "bond"), ("pool",),
)  # fmt: skip


def _static(draft: Draft) -> bool:
    return bool(draft.get((*_ADDRESS, "method")) == "static")


def _static6(draft: Draft) -> bool:
    return bool(draft.get((*_ADDRESS6, "method")) == "static")


def _bonded(draft: Draft) -> bool:
    return draft.aside.get("@uplink") == "bond"


def _lacp(draft: Draft) -> bool:
    return _bonded(draft) and draft.get((*_BOND, "mode")) == "lacp"


def _joins(draft: Draft) -> bool:
    return bool(draft.get((*_POOL, "action")) == "join")


def _creates(draft: Draft) -> bool:
    return bool(draft.get((*_POOL, "action")) == "create")


def _proxied(draft: Draft) -> bool:
    return bool(draft.get(("proxy", "url")))


def _managed(draft: Draft) -> bool:
    return bool(draft.get(("power", "bmc", "address")))


def _same_twice(typed: Mapping[str, str]) -> tuple[str, str] | None:
    if typed.get("root-password", "") != typed.get("aside-again", ""):
        return "aside-again", "the two passwords are not the same"
    return None


def _zones(draft: Draft) -> list[str]:
    return sorted((draft.known or known_here()).time_zones)


def _keyboards(draft: Draft) -> list[str]:
    return sorted((draft.known or known_here()).keyboards)


_LOCALE = Page(
    "locale", "Keyboard and time zone", "What you type on, and where the host stands.",
    (
        Field(("keyboard",), "Keyboard layout", default="us", known=_keyboards,
              help="As in us, de or fr. It holds from the next page on.\nRight arrow completes."),
        Field(("timezone",), "Time zone", default="Etc/UTC", known=_zones,
              help="As in Europe/Berlin. Right arrow completes what is shown."),
    ),
)  # fmt: skip

_HOST = Page(
    "host", "The host's name", "As others will call it; best with its domain.",
    (Field(("hostname",), "Host name", help="Lower-case letters, digits, hyphens and dots: xen1.example.com"),),
)  # fmt: skip

_DISK = Page("disk", "Disk", "The host is installed on one whole disk. Nothing is written before the last page.", (),
             more=(("disk",),))  # fmt: skip

_NETWORK = Page(
    "network", "Management network", "The network over which the host is reached.",
    (
        Field(("@uplink",), "Carried by", Kind.CHOICE, "nic", choices=(("nic", "one card"), ("bond", "a bond")),
              help="A bond makes several cards one, so that a cable or a switch may fail."),
        Field(("management", "nic"), "Network card", when=lambda draft: not _bonded(draft),
              help="A MAC address or a name. Empty: the only card that has a link."),
        Field((*_BOND, "nics"), "Cards of the bond", Kind.LIST, when=_bonded,
              help="Two or more names or MAC addresses, with spaces between them."),
        Field((*_BOND, "mode"), "Mode", Kind.CHOICE, "active-backup", when=_bonded,
              choices=(("active-backup", "active-backup"), ("balance-slb", "balance-slb"), ("lacp", "LACP")),
              help="LACP needs a switch that is set up for it, the others need nothing."),
        Field((*_BOND, "lacp_rate"), "LACP rate", Kind.CHOICE, "slow", when=_lacp,
              choices=(("slow", "slow"), ("fast", "fast")), help="How often LACP speaks: every 30 s or every second."),
        Field(("management", "vlan"), "VLAN tag", Kind.NUMBER, when=lambda _: True,
              help="1 to 4094. Empty: the switch port is untagged."),
        Field((*_ADDRESS, "method"), "IPv4 address", Kind.CHOICE, "dhcp",
              choices=(("dhcp", "by DHCP"), ("static", "fixed"), ("none", "none")),
              help="A fixed address needs no DHCP server."),
        Field((*_ADDRESS, "address"), "Address/prefix", when=_static, help="As in 192.0.2.10/24."),
        Field((*_ADDRESS, "gateway"), "Gateway", when=_static, help="As in 192.0.2.1. Empty: none."),
        Field(("management", "dns"), "Name servers", Kind.LIST,
              help="Addresses, with spaces between them. Empty: those that DHCP names."),
    ),
    more=(("management",),),
)  # fmt: skip

_TIME = Page(
    "time", "Time servers", "A host whose clock is wrong cannot join a pool or trust a certificate.",
    (
        Field(("ntp", "servers"), "Time servers", Kind.LIST,
              help="Names or addresses, with spaces between them. Empty: those of DHCP, else Debian's."),
        Field(("ntp", "from_dhcp"), "Those of DHCP too", Kind.SWITCH, "yes",
              help="Servers that DHCP names are used as well."),
    ),
)  # fmt: skip

_LOGIN = Page(
    "login", "Who may log in", "Root needs a password, an ssh key, or both.",
    (
        Field(("root", "password"), "Root's password", Kind.SECRET, help="Kept as a hash only."),
        Field(("@again",), "The same again", Kind.SECRET, help="So that a slip of the finger locks nobody out."),
        Field(("root", "ssh_keys"), "Public ssh key", Kind.LINES,
              help="The one line of a .pub file, as in ssh-ed25519 AAAA... you@example.com"),
    ),
    more=(("root",),), check=_same_twice,
)  # fmt: skip

_POOL_PAGE = Page(
    "pool", "Resource pool", "Hosts of a pool share storage and are managed as one.",
    (
        Field((*_POOL, "action"), "This host", Kind.CHOICE, "", choices=(
                  ("", "stands alone"), ("create", "creates one"), ("join", "joins one")),
              help="A host that stands alone can create or join a pool later."),
        Field((*_POOL, "name"), "Name of the pool", when=_creates, help="As people shall see it."),
        Field((*_POOL, "description"), "Description", when=_creates, help="May be left empty."),
        Field((*_POOL, "address"), "Its address", Kind.LIST, when=_joins, help="Name or address of any of its hosts."),
        Field((*_POOL, "token"), "Join token", Kind.SECRET, when=_joins,
              help="The pool gives it out; it is good once."),
        Field((*_POOL, "certificate"), "Its fingerprint", when=_joins,
              help="SHA-256 of the pool's certificate: `zeroth host certificate` shows it there."),
    ),
    more=(_POOL,),
)  # fmt: skip

_IPV6 = Page(
    "more-network", "More of the network", "IPv6, and what few networks need.",
    (
        Field((*_ADDRESS6, "method"), "IPv6 address", Kind.CHOICE, "none",
              choices=(("none", "none"), ("slaac", "automatic"), ("dhcp", "DHCPv6"), ("static", "fixed")),
              help="Automatic: made from what routers advertise (SLAAC)."),
        Field((*_ADDRESS6, "address"), "Address/prefix", when=_static6, help="As in 2001:db8::10/64."),
        Field((*_ADDRESS6, "gateway"), "Gateway", when=_static6, help="In the same network, or link-local."),
        Field(("management", "mtu"), "MTU", Kind.NUMBER, help="1280 to 9216. Empty: the card's own, 1500."),
        Field(("management", "search"), "Search domains", Kind.LIST, help="Where bare names are looked for."),
        Field(("management", "bridge"), "Bridge", default="xenbr0", help="Name of the Open vSwitch bridge."),
        Field(("management", "try_first"), "Try it first", Kind.SWITCH, default="yes",
              help="Nothing is written to a disk while this network does not work."),
    ),
    advanced=True,
)  # fmt: skip

_STORAGE = Page(
    "storage", "Local storage", "What becomes of the rest of the disk.",
    (
        Field(("disk", "local_sr"), "Repository on", Kind.CHOICE, "lvm",
              choices=(("lvm", "LVM (thin)"), ("ext4", "a file system"), ("none", "nothing")),
              help="Nothing: the rest of the disk stays free."),
        Field(("disk", "sr_disks"), "Further disks", Kind.LIST,
              help="Whole disks that the repository gets as well, by path or serial=..."),
        Field(("disk", "keep_sr"), "Keep what is there", Kind.SWITCH,
              help="The repository of an earlier installation on the disk stays as it is."),
    ),
    advanced=True,
)  # fmt: skip

_DOM0 = Page(
    "dom0", "Xen and domain 0", "How Xen treats the domain that manages the others.",
    (
        Field(("dom0", "memory"), "Memory", default="1536M", help="With its unit, 768M or more, as in 2G."),
        Field(("dom0", "vcpus"), "Processors", Kind.NUMBER, help="Empty: all of them."),
        Field(("dom0", "serial"), "Serial console", Kind.NUMBER, "115200", help="Speed of the first serial port."),
        Field(("dom0", "xen_append"), "Xen arguments", Kind.LIST, help="Words added to Xen's command line."),
        Field(("dom0", "linux_append"), "Linux arguments", Kind.LIST, help="Words added to domain 0's command line."),
    ),
    advanced=True,
)  # fmt: skip

_POWER = Page(
    "power", "Power and management controller", "How the host saves power, and how others switch it.",
    (
        Field(("power", "bmc", "address"), "Controller (BMC)", help="Name or address. Empty: none is used."),
        Field(("power", "bmc", "protocol"), "Protocol", Kind.CHOICE, "redfish", when=_managed,
              choices=(("redfish", "Redfish"), ("ipmi", "IPMI"))),
        Field(("power", "bmc", "username"), "Its user", when=_managed),
        Field(("power", "bmc", "password"), "Its password", Kind.SECRET, when=_managed),
        Field(("power", "wake_on_lan"), "Wake on LAN", Kind.SWITCH, help="The management card wakes the machine."),
        Field(("power", "watchdog"), "Watchdog", Kind.NUMBER,
              help="Seconds without a sign of life of domain 0 after which Xen resets the machine."),
        Field(("power", "governor"), "Governor", Kind.CHOICE, "", choices=(
                  ("", "Xen's own"), ("ondemand", "ondemand"), ("performance", "performance"),
                  ("powersave", "powersave")),
              help="Who decides how fast processors run."),
    ),
    more=(("power",),), advanced=True,
)  # fmt: skip

_PROXY = Page(
    "proxy", "Proxy", "For what the host itself fetches.",
    (
        Field(("proxy", "url"), "Address", help="As in http://proxy.example.com:3128. Empty: none."),
        Field(("proxy", "username"), "User", when=_proxied, help="May be left empty."),
        Field(("proxy", "password"), "Password", Kind.SECRET, when=_proxied),
        Field(("proxy", "exceptions"), "Not for", Kind.LIST, when=_proxied, help="Names, domains and networks."),
    ),
    more=(("proxy",),), advanced=True,
)  # fmt: skip

_END = Page(
    "end", "Afterwards", "What the installer does at its end, and the language of the host.",
    (
        Field(("end_action",), "When done", Kind.CHOICE, "reboot",
              choices=(("reboot", "restart"), ("poweroff", "power off"), ("halt", "wait for a key"))),
        Field(("locale",), "Locale", default="C.UTF-8", help="As in de_DE.UTF-8."),
        Field(("services", "enable"), "Start at boot", Kind.LIST, help="Names of systemd units."),
        Field(("services", "disable"), "Do not start", Kind.LIST, help="Names of systemd units."),
    ),
    more=(("services",),), advanced=True,
)  # fmt: skip

PLAIN = (_LOCALE, _HOST, _DISK, _NETWORK, _TIME, _LOGIN, _POOL_PAGE)
"""What a plain installation asks for; the summary is the page after them."""
ADVANCED = (_IPV6, _STORAGE, _DOM0, _POWER, _PROXY, _END)
"""What few have to change."""
PAGES = (*PLAIN, *ADVANCED)


def page_named(key: str) -> Page:
    """A page by its key.

    :raises KeyError: there is none.
    """
    return {page.key: page for page in PAGES}[key]
