"""The package index of a mirror: fetched and verified by apt in a folder of its own, never the build host's."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from images.config import ARCHITECTURE, SUITE
from images.packages import PackageList
from images.sources import KEYRING, Mirrors, sources_list
from zeroth.errors import ExitCode, UserError
from zeroth.system.run import CommandFailed, run

__all__ = ["PackageIndex", "Unsigned", "fetch_index"]

_UNSIGNED = re.compile(r"NO_PUBKEY|is not signed|EXPKEYSIG|BADSIG|REVKEYSIG|[Nn]ot signed|signature.*(invalid|verif)")


@dataclass(frozen=True)
class PackageIndex:
    """What a mirror offers.

    :param sources: the sources, as for sources.list.
    :param lists: folder of the verified indices, in the form of ``/var/lib/apt/lists``.
    :param options: apt options needed to reach the mirror.
    :param secure: whether the security suite is among the sources.
    """

    sources: str
    lists: Path
    options: tuple[str, ...]
    secure: bool = True

    @cached_property
    def archives(self) -> dict[str, str]:
        """SHA-256 of every package by the file name that apt gives it in its download cache."""
        found = {}
        for stanza in self._stanzas():
            version = stanza.get("Version", "").replace(":", "%3a")
            found[f"{stanza['Package']}_{version}_{stanza.get('Architecture', '')}.deb"] = stanza.get("SHA256", "")
        return found

    @cached_property
    def names(self) -> frozenset[str]:
        """Names of all packages, and of the virtual ones that they provide."""
        names = set()
        for stanza in self._stanzas():
            names.add(stanza["Package"])
            for part in stanza.get("Provides", "").split(","):
                names.add(part.split("(")[0].strip())
        return frozenset(names - {""})

    def check(self, packages: PackageList) -> None:
        """Check that all packages exist.

        :raises UserError: naming each that does not, where it is asked for, and what it may have meant.
        """
        missing = [(name, where) for name, where in packages.lines if name not in self.names]
        if not missing:
            return
        lines = []
        for name, where in missing:
            close = difflib.get_close_matches(name, self.names, n=3, cutoff=0.75)
            meant = f" (did you mean {' or '.join(close)}?)" if close else ""
            lines.append(f"{where}: {name}{meant}")
        raise UserError(
            "no such package in Debian 13:\n  " + "\n  ".join(lines), "Correct the list; nothing was built so far."
        )

    def _stanzas(self) -> Iterator[dict[str, str]]:
        wanted = ("Package", "Version", "Architecture", "SHA256", "Provides")
        for path in sorted(self.lists.glob("*_Packages")):
            stanza: dict[str, str] = {}
            with path.open(encoding="utf-8") as file:
                for line in file:
                    if line == "\n":
                        if "Package" in stanza:
                            yield stanza
                        stanza = {}
                        continue
                    name, _, value = line.partition(":")
                    if name in wanted:
                        stanza[name] = value.strip()
            if "Package" in stanza:
                yield stanza


def fetch_index(
    mirrors: Mirrors, folder: Path, options: Sequence[str], say: Callable[[str], None] = lambda _: None
) -> PackageIndex:
    """Fetch the indices of the first mirror that has them, properly signed.

    :param folder: holds the indices afterwards; what is there from an earlier fetch is not fetched again.
    :param say: told about mirrors that were tried in vain.
    :raises UserError: when no mirror answers, or what it answers is not signed by Debian.
    """
    if not KEYRING.is_file():
        raise UserError(
            f"Debian's archive keys are missing: {KEYRING}",
            "Install the package debian-archive-keyring.",
            code=ExitCode.MACHINE,
        )
    archive = _first(mirrors.archive, sources_list, folder, options, say)
    security = ""
    if mirrors.security:
        try:
            security = _first(mirrors.security, lambda uri: sources_list(archive, uri), folder, options, say)
        except Unsigned:
            raise
        except UserError:
            if mirrors.required:
                raise
    # Once more with the final sources, so that the folder holds their indices and no others.
    _update(sources_list(archive, security), folder, options, tidy=True)
    return PackageIndex(sources_list(archive, security), folder / "lists", tuple(options), bool(security))


class Unsigned(UserError):
    """What a mirror answers is not signed by Debian."""


def _first(
    addresses: Sequence[str],
    sources: Callable[[str], str],
    folder: Path,
    options: Sequence[str],
    say: Callable[[str], None],
) -> str:
    """The first address whose indices can be had.

    :raises UserError: the last one's, when there is none.
    """
    last: UserError | None = None
    for address in addresses:
        try:
            _update(sources(address), folder, options)
        except UserError as error:
            say(f"{address}: {error.message.splitlines()[0]}")
            last = error
        else:
            return address
    assert last is not None, "there is always an address to try"
    raise last


def _update(sources: str, folder: Path, options: Sequence[str], *, tidy: bool = False) -> None:
    (folder / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (folder / "empty" / "apt.conf.d").mkdir(parents=True, exist_ok=True)
    (folder / "sources.list").write_text(sources)
    (folder / "status").write_text("")
    config = [
        f'Dir::Etc "{folder}/empty"', f'Dir::Etc::sourcelist "{folder}/sources.list"',
        f'Dir::State "{folder}"', f'Dir::State::lists "{folder}/lists"', f'Dir::State::status "{folder}/status"',
        f'Dir::Cache "{folder}"', 'Dir::Cache::pkgcache ""', 'Dir::Cache::srcpkgcache ""',
        f'APT::Architecture "{ARCHITECTURE}"', f'APT::Architectures "{ARCHITECTURE}"', 'APT::Sandbox::User "root"',
        'APT::Update::Error-Mode "any"', f'APT::Get::List-Cleanup "{int(tidy)}"',
        'Acquire::Languages "none"', 'Acquire::GzipIndexes "false"',
        'Acquire::Retries "1"', 'Acquire::http::Timeout "20"', 'Acquire::https::Timeout "20"',
        'Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false"', *options,
    ]  # fmt: skip
    (folder / "apt.conf").write_text("".join(f"{line};\n" for line in config))
    try:
        run(["apt-get", "update", "-q"], env={"APT_CONFIG": str(folder / "apt.conf")}, timeout=600)
    except CommandFailed as error:
        _explain(error)


def _explain(error: CommandFailed) -> None:
    text = error.completed.stderr + error.completed.stdout
    lines = [line for line in text.splitlines() if line.startswith(("E:", "Err:", "W:"))]
    seen = "\n  ".join(dict.fromkeys(lines[:6]))
    if _UNSIGNED.search(text):
        raise Unsigned(
            f"the mirror's index is not signed by Debian:\n  {seen}",
            "Use another mirror, or bring the package debian-archive-keyring up to date. "
            "Packages that nobody signed are never installed.",
            code=ExitCode.MACHINE,
        ) from None
    raise UserError(
        f"cannot reach a mirror of Debian 13 ({SUITE}):\n  {seen}",
        "Check the network and the proxy settings of apt, or name another mirror with --mirror URL.",
        code=ExitCode.MACHINE,
    ) from None
