"""Where Debian packages come from: the build host's own apt configuration, or a mirror that the user names.

The build host may run another release, so only the addresses are taken; suites and components are ours. Formats:
sources.list(5), both the one-line and the deb822 style.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from debian.deb822 import Deb822

from images.config import COMPONENTS, KEYRING, SUITE
from zeroth.errors import ExitCode, UserError
from zeroth.system.run import run

__all__ = [
    "AptSource",
    "Mirrors",
    "acquire_options",
    "host_sources",
    "mirrors_from",
    "parse_deb822",
    "parse_one_line",
    "sources_list",
]

_RELEASES = frozenset((
    "buster", "bullseye", "bookworm", "trixie", "forky", "duke", "sid",
    "oldoldstable", "oldstable", "stable", "testing", "unstable",
))  # fmt: skip
_ONE_LINE = re.compile(r"\s*(?P<type>deb|deb-src)\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<rest>\S.*)")
_URI = re.compile(r"(?:mirror\+)?(?:https?|file|copy):/+[^/\s]\S*")


class _Serves(Enum):
    ARCHIVE = auto()
    SECURITY = auto()


@dataclass(frozen=True)
class AptSource:
    """One entry of apt's configuration.

    :param signed_by: path of a keyring, fingerprints or an inline key; empty when the entry names none.
    """

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str = ""


@dataclass(frozen=True)
class Mirrors:
    """Addresses to try, best first.

    :param archive: hold the release and its updates.
    :param security: may hold the security suite.
    :param required: whether one of ``security`` has to; False when they are guesses.
    """

    archive: tuple[str, ...]
    security: tuple[str, ...]
    required: bool = True


def parse_deb822(text: str) -> list[AptSource]:
    """The enabled binary sources of a ``*.sources`` file; stanzas that apt would refuse are left out."""
    found = []
    for stanza in Deb822.iter_paragraphs(text.splitlines(), use_apt_pkg=False):
        fields = {str(name).lower(): str(value) for name, value in stanza.items()}
        if fields.get("enabled", "yes").strip().lower() in {"no", "false", "without", "off", "disable", "0"}:
            continue
        if "deb" not in fields.get("types", "").split():
            continue
        uris, suites = fields.get("uris", "").split(), fields.get("suites", "").split()
        components = fields.get("components", "").split()
        if uris and suites:
            signed_by = fields.get("signed-by", "").strip()
            found.append(AptSource(tuple(uris), tuple(suites), tuple(components), signed_by))
    return found


def parse_one_line(text: str) -> list[AptSource]:
    """The binary sources of a ``sources.list``; lines that apt would refuse are left out."""
    found = []
    for line in text.splitlines():
        match = _ONE_LINE.fullmatch(line.partition("#")[0].rstrip())
        if match is None or match["type"] != "deb":
            continue
        uri, *rest = match["rest"].split()
        if uri.startswith("cdrom:") or not rest:
            continue
        options = dict(option.split("=", 1) for option in (match["options"] or "").split() if "=" in option)
        found.append(AptSource((uri,), (rest[0],), tuple(rest[1:]), options.get("signed-by", "")))
    return found


def host_sources(etc: Path = Path("/etc/apt")) -> list[AptSource]:
    """All sources of a machine, in the order that apt reads them.

    :raises UserError: when a file is not readable.
    """
    found = []
    parts = etc / "sources.list.d"
    files = [etc / "sources.list", *(sorted(parts.iterdir()) if parts.is_dir() else ())]
    for path in files:
        if not path.is_file() or path.suffix not in {".list", ".sources"}:
            continue
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            raise UserError(f"cannot read: {error.strerror}", where=str(path), code=ExitCode.MACHINE) from None
        found += parse_deb822(text) if path.suffix == ".sources" else parse_one_line(text)
    return found


def mirrors_from(sources: Iterable[AptSource], mirror: str = "") -> Mirrors:
    """The Debian archives among a machine's sources; third parties' repositories are not looked at.

    :param mirror: an address that replaces the archives found. Security updates then come from the same address with
        ``-security`` added, which is how mirrors name it, or else from where the machine gets them.
    :raises UserError: when nothing is found, or ``mirror`` is no address.
    """
    if mirror and not _URI.fullmatch(mirror):
        raise UserError(
            f"{mirror!r} is not the address of a mirror", "Write it as in --mirror http://mirror.example/debian"
        )
    archive: dict[str, bool] = {}
    security: dict[str, bool] = {}
    for source in sources:
        if "main" not in source.components:
            continue
        # A source that names Debian's own keyring is surely Debian's; another may be a third party that uses Debian's
        # code names, and comes last. Signatures decide in the end.
        sure = "debian-archive" in source.signed_by
        if source.signed_by and not sure:
            continue
        for served in {_serves(suite) for suite in source.suites} - {None}:
            addresses = archive if served is _Serves.ARCHIVE else security
            for uri in source.uris:
                if _URI.fullmatch(uri):
                    address = uri.rstrip("/")
                    addresses[address] = addresses.get(address, False) or sure
    if mirror:
        address = mirror.rstrip("/")
        # Next to it, as Debian's own archive has it; in the same place; or where the machine gets them.
        places = (f"{address}-security", address, *_best_first(security))
        return Mirrors((address,), tuple(dict.fromkeys(places)), required=False)
    if not archive:
        raise UserError(
            "this machine's apt configuration names no Debian archive",
            "Name one: zeroth image build --mirror http://mirror.example/debian",
            where="/etc/apt",
        )
    if security:
        return Mirrors(_best_first(archive), _best_first(security))
    return Mirrors(_best_first(archive), tuple(f"{address}-security" for address in archive), required=False)


def sources_list(archive: str, security: str = "", *, keyring: Path = KEYRING, dated: bool = False) -> str:
    """The sources of our release at these addresses, in one-line style.

    :param keyring: the keys that every index is verified with.
    :param dated: packages of a past date are wanted, so that indices may be outdated by now.
    """
    options = f"signed-by={keyring}" + (" check-valid-until=no" if dated else "")
    components = " ".join(COMPONENTS)
    suites = [(archive, SUITE), (archive, f"{SUITE}-updates")]
    if security:
        suites.append((security, f"{SUITE}-security"))
    return "".join(f"deb [{options}] {address} {suite} {components}\n" for address, suite in suites)


def acquire_options(*, proxies: bool = True) -> tuple[str, ...]:
    """How the build host reaches its mirrors (proxies, certificates, dates ...): apt options as ``Name "value"``.

    :param proxies: False where only mirrors on this machine are asked.
    """
    options = _wanted_options(run(["apt-config", "dump", "Acquire"]).stdout)
    if proxies:
        return tuple(options)
    direct = tuple(f'Acquire::{kind}::Proxy "DIRECT"' for kind in ("http", "https"))
    return (*(option for option in options if "::proxy" not in option.lower()), *direct)


_OPTION = re.compile(r'(?P<name>Acquire::[A-Za-z0-9:._-]+) "(?P<value>[^"]*)";')
_WANTED = re.compile(
    r"Acquire::((http|https|ftp)::(Proxy(::.+)?|Timeout|CaInfo|CaPath|SslCert|SslKey|Verify-Peer|Verify-Host)"
    r"|Retries|Check-Valid-Until|Check-Date|ForceIPv4|ForceIPv6)",
    re.IGNORECASE,
)


def _wanted_options(dump: str) -> Iterator[str]:
    for line in dump.splitlines():
        match = _OPTION.fullmatch(line.strip())
        if match and match["value"] and _WANTED.fullmatch(match["name"]):
            yield f'{match["name"]} "{match["value"]}"'


def _best_first(addresses: dict[str, bool]) -> tuple[str, ...]:
    return tuple(sorted(addresses, key=lambda address: not addresses[address]))


def _serves(suite: str) -> _Serves | None:
    name = suite.rstrip("/")
    for ending, served in (
        ("", _Serves.ARCHIVE), ("-updates", _Serves.ARCHIVE), ("-backports", _Serves.ARCHIVE),
        ("-proposed-updates", _Serves.ARCHIVE), ("-security", _Serves.SECURITY), ("/updates", _Serves.SECURITY),
    ):  # fmt: skip
        if name.endswith(ending) and name.removesuffix(ending) in _RELEASES:
            return served
    return None
