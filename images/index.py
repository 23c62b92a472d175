"""The package index of a mirror: fetched and verified by apt in a folder of its own, never the build host's."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from images.config import ARCHITECTURE, COMPONENTS, KEYRING, SUITE
from images.packages import PackageList
from images.releases import release_files
from images.sources import Mirrors, sources_list
from zeroth.errors import ExitCode, UserError
from zeroth.system.files import sha256_file
from zeroth.system.run import CommandFailed, run

__all__ = ["Archive", "PackageIndex", "Untrusted", "cached_index", "fetch_index"]

_MACHINE = ExitCode.MACHINE
_UNSIGNED = re.compile(
    r"NO_PUBKEY|is not signed|EXPKEYSIG|BADSIG|REVKEYSIG|[Nn]ot signed|[Ss]ignature.*(invalid|verif)"
    r"|NODATA|Sub-process /usr/bin/sqv"
)
_OUTDATED = re.compile(r"is expired|not valid yet")
_DAMAGED = re.compile(r"Hash Sum mismatch|unexpected size|Clearsigned file isn't valid")


@dataclass(frozen=True)
class Archive:
    """A package file that a mirror offers.

    :param file: its name in apt's download cache.
    :param size: bytes.
    """

    file: str
    size: int


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

    def needed(self, packages: Sequence[str]) -> list[Archive]:
        """All package files that an installation of packages into an empty tree takes.

        :raises UserError: when they cannot be installed together.
        """
        return self._archives(["?essential", "apt", *packages])

    def added(self, packages: Sequence[str], status: Path) -> list[Archive]:
        """The package files that an installation of packages beside others takes; none of those is removed.

        :param packages: names, and absolute paths of package files, which are not among what is returned.
        :param status: dpkg's, of what is installed.
        :raises UserError: when they cannot be installed together.
        """
        own = {Path(name).name for name in packages if name.startswith("/")}
        found = self._archives(["--no-remove", "-o", f"Dir::State::status={status}", *packages])
        return [archive for archive in found if archive.file in self.archives and archive.file not in own]

    def download(self, archives: Sequence[Archive], folder: Path) -> None:
        """Fetch package files into a folder, checked against the signed index.

        :raises UserError: when one cannot be had.
        """
        # Names are name_version_architecture.deb, with colons written as %3a.
        words = [archive.file.rsplit("_", 1)[0].replace("_", "=", 1).replace("%3a", ":") for archive in archives]
        try:
            run(["apt-get", "-q", "download", *words], cwd=folder, env=self._env)
        except CommandFailed as error:
            _explain(error)

    @property
    def _env(self) -> dict[str, str]:
        return {"APT_CONFIG": str(self.lists.parent / "apt.conf")}

    def _archives(self, words: Sequence[str]) -> list[Archive]:
        try:
            done = run(
                ["apt-get", "--print-uris", "-q", "-y", "--no-install-recommends", "install", *words], env=self._env
            )
        except CommandFailed as error:
            said = error.completed.stdout.splitlines() + error.completed.stderr.splitlines()
            told = [line.strip() for line in said if re.match(r"E:| \S+ : \w+: | {5,}", line)]
            raise UserError(
                "these packages cannot be installed together:\n  " + "\n  ".join(told[:12]),
                "Correct the lists in images/packages, or name a mirror that is whole with --mirror URL.",
                code=_MACHINE,
            ) from None
        # 'address' file size SHA256:hash
        found = [line.split() for line in done.stdout.splitlines() if line.startswith("'")]
        return [Archive(file, int(size)) for _, file, size, *_ in found]

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
    mirrors: Mirrors,
    folder: Path,
    options: Sequence[str],
    say: Callable[[str], None] = lambda _: None,
    *,
    keyring: Path = KEYRING,
    dated: bool = False,
) -> PackageIndex:
    """Fetch the indices of the first mirror that has them, properly signed.

    :param folder: holds the indices afterwards; what is there from an earlier fetch is not fetched again.
    :param say: told about mirrors that were tried in vain.
    :param keyring: the keys that sign the mirror's Release files.
    :param dated: packages of a past date are wanted: indices may be outdated by now.
    :raises UserError: when no mirror answers, or what it answers cannot be trusted.
    """
    if not keyring.is_file():
        raise UserError(
            f"the archive keys are missing: {keyring}", "Install the package debian-archive-keyring.", code=_MACHINE
        )
    sources = partial(sources_list, keyring=keyring, dated=dated)
    archive = _first(mirrors.archive, sources, folder, options, say)
    security = ""
    if mirrors.security:
        try:
            security = _first(mirrors.security, lambda uri: sources(archive, uri), folder, options, say)
        except Untrusted:
            raise
        except UserError:
            if mirrors.required:
                raise
    # Once more with the final sources, so that the folder holds their indices and no others.
    _update(sources(archive, security), folder, options, tidy=True)
    return PackageIndex(sources(archive, security), folder / "lists", tuple(options), bool(security))


def cached_index(folder: Path, options: Sequence[str]) -> PackageIndex:
    """The indices that :func:`fetch_index` left in ``folder``, without asking anybody.

    :raises UserError: when there are none, or they are damaged.
    """
    try:
        sources = (folder / "sources.list").read_text()
    except FileNotFoundError:
        sources = ""
    found = list(release_files(folder / "lists")) if sources else []
    if not found:
        raise UserError(
            "--offline, and no earlier build fetched a package index",
            "Build once without --offline, or name a mirror on this machine: --mirror file:/srv/debian",
            code=_MACHINE,
        )
    damaged = [f"{path.name}: {problem}" for path, said in found for problem in _damage(path, str(said["SHA256"]))]
    if damaged:
        raise UserError(
            "the package index of an earlier build is damaged:\n  " + "\n  ".join(damaged),
            "Build once without --offline.",
            where=str(folder),
            code=_MACHINE,
        )
    # The folder may have been copied here, and its settings hold its path.
    _configure(sources, folder, options)
    return PackageIndex(sources, folder / "lists", tuple(options), f" {SUITE}-security " in sources)


def _damage(release: Path, sums: str) -> Iterator[str]:
    """What is wrong with the indices that lie beside a Release file and belong to it."""
    for digest, size, name in (line.split() for line in sums.splitlines() if line.strip()):
        # Of an empty list apt keeps nothing.
        if int(size) and name in {f"{component}/binary-{ARCHITECTURE}/Packages" for component in COMPONENTS}:
            stem = re.sub(r"(In)?Release$", "", release.name)
            path = release.with_name(stem + name.replace("/", "_"))
            if not path.is_file() or sha256_file(path) != digest:
                yield f"{name} is not what it names"


class Untrusted(UserError):
    """What a mirror answers is not signed by whom it should be, or not of this time."""


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
    _configure(sources, folder, options, tidy=tidy)
    try:
        run(["apt-get", "update", "-q"], env={"APT_CONFIG": str(folder / "apt.conf")}, timeout=300)
    except CommandFailed as error:
        _explain(error)


def _configure(sources: str, folder: Path, options: Sequence[str], *, tidy: bool = False) -> None:
    """Write apt's settings for the indices in ``folder``, apart from this machine's own."""
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


def _explain(error: CommandFailed) -> None:
    text = error.completed.stderr + error.completed.stdout
    lines = [line for line in text.splitlines() if line.startswith(("E:", "Err:", "W:"))]
    # Without a word of apt's it was cut off: the mirror took the connection and then sent nothing.
    seen = "\n  ".join(dict.fromkeys(lines[:6] or error.message.splitlines()[:1]))
    if _OUTDATED.search(text):
        raise Untrusted(
            f"the mirror's index is outdated, or not of this time:\n  {seen}",
            "Check this machine's clock; use a mirror that is kept up to date, or ask for the packages of a date: "
            "--snapshot DATE.",
            code=_MACHINE,
        ) from None
    if _DAMAGED.search(text):
        raise UserError(
            f"the mirror's index is damaged, or just being changed:\n  {seen}",
            "Try again in a while, or name another mirror with --mirror URL.",
            code=_MACHINE,
        ) from None
    if _UNSIGNED.search(text):
        raise Untrusted(
            f"the mirror's index is not signed by whom it should be:\n  {seen}",
            "Use another mirror, bring the package debian-archive-keyring up to date, or name the keys of your own "
            "mirror with --keyring FILE. Packages that nobody signed are never installed.",
            code=_MACHINE,
        ) from None
    raise UserError(
        f"cannot reach a mirror of Debian 13 ({SUITE}):\n  {seen}",
        "Check the network and the proxy settings of apt, or name another mirror with --mirror URL.",
        code=_MACHINE,
    ) from None
