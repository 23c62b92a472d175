"""One build from beginning to end: checks, steps, results."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from images.cache import Store
from images.config import BuildConfig, checkout
from images.customise import element_hooks
from images.graph import Planned, Step, execute, plan
from images.index import PackageIndex, cached_index, fetch_index
from images.log import BuildLog, open_log
from images.origin import check_dates, mirrors_for
from images.pool import PackagePool, need_here
from images.publish import Published, publish
from images.sources import Mirrors, acquire_options, host_sources
from images.steps import Steps
from images.tools import ToolsTree
from zeroth import progress
from zeroth.errors import ExitCode, UserError
from zeroth.keys.secureboot import ProgramKey
from zeroth.keys.signing import SecretKey
from zeroth.spec import AnswerText, load_answer
from zeroth.system.files import atomic_write
from zeroth.system.size import Size

if TYPE_CHECKING:
    from images.customisation.prepared import Customisation
    from images.extension import Made, Wanted

__all__ = ["build", "build_extension", "check_folders", "existing_tools", "finished_tree", "planned", "tools_tree"]

_HOST_TOOLS = {
    "mmdebstrap": "mmdebstrap", "apt-get": "apt", "dpkg": "dpkg", "unshare": "util-linux", "findmnt": "util-linux",
    "fstrim": "util-linux", "chroot": "coreutils", "ps": "procps", "lsattr": "e2fsprogs",
}  # fmt: skip
_PLAIN = re.compile(r"[\w./+@,:=-]+")
_FROM_PACKAGES = frozenset({"tools", "base"})


@dataclass
class _Session:
    """A build in progress."""

    config: BuildConfig
    store: Store
    log: BuildLog
    as_of: str
    keys: tuple[SecretKey, ...] = ()
    customisation: Customisation | None = None
    program_key: ProgramKey | None = None
    index: PackageIndex | None = None

    def steps(self) -> Steps:
        return Steps(
            self.config, self.log, self.store.folder / "work" / "scratch", self.as_of, self.need_index, self.keys,
            self.customisation, self.program_key,
        )  # fmt: skip

    def need_index(self) -> PackageIndex:
        assert self.index is not None, "steps that install packages run only after the index was fetched"
        return self.index


def build(
    config: BuildConfig,
    stream: progress.Stream,
    keys: Sequence[SecretKey] = (),
    program_key: ProgramKey | None = None,
) -> Published:
    """Build everything and put it into ``dist/``.

    :param keys: what is built is signed with them.
    :param program_key: programs for Secure Boot are made, and signed with it.
    :raises UserError: when something is missing, wrong or fails; nothing half made is left.
    """
    with stream.step("Build") as report, _session(config, stream, report, keys, program_key) as session:
        element_hooks(config.elements)
        if config.answer is not None:
            # An installation that nobody watches is no place to find a mistake.
            load_answer(AnswerText.from_file(config.answer))
        steps = session.steps()
        iso = steps.iso()
        results = _make(session, _targets(config, steps), report)
        own = session.customisation.warnings if session.customisation else ()
        return publish(config, results, iso, keys, tuple(problem.message for problem in own))


def tools_tree(stream: progress.Stream, config: BuildConfig | None = None) -> ToolsTree:
    """The tools tree, made first when it is not there: for who needs its QEMU, firmware or packing tools."""
    config = config or BuildConfig(checkout())
    found = existing_tools(config)
    if found is None:
        with stream.step("Tools") as report, _session(config, stream, report) as session:
            step = session.steps().tools()
            found = ToolsTree(_make(session, [step], report)[step.name])
    return found


def build_extension(
    config: BuildConfig, wanted: Wanted, stream: progress.Stream, keys: Sequence[SecretKey]
) -> tuple[Path, Made]:
    """Build an extension for the image that ``config`` gives, whose tree is made first when it is not there.

    :param keys: it is signed with them.
    :returns: the extension file in ``dist/``, and what it holds.
    :raises UserError: when the packages do not fit the image, or something cannot be had.
    """
    from images.extension import make_extension
    from zeroth.deploy.extension import SUFFIX, write_extension

    with stream.step("Extension") as report, _session(config, stream, report, keys) as session:
        steps = session.steps()
        with report.step("Package index") as step:
            session.index = _index(session, step)
            wanted.check(session.index)
        results = _make(session, [steps.tree(), steps.tools()], report)
        with report.step("Packages") as step:
            made = make_extension(
                wanted, results["tree"] / "tree", index=session.index, pool=PackagePool(config.pool),
                tools=ToolsTree(results["tools"]), version=config.version, epoch=config.epoch,
                work=steps.scratch("extension"), progress=step.update, alone=_mirrors(config) is None,
            )  # fmt: skip
            target = config.dist / f"{wanted.name}-{config.version}{SUFFIX}"
            target.parent.mkdir(parents=True, exist_ok=True)
            draft = target.with_name(f".{target.name}.new")
            with draft.open("wb") as out:
                write_extension(out, made.extension, made.image, keys)
            draft.replace(target)
        return target, made


def finished_tree(config: BuildConfig, stream: progress.Stream) -> Path:
    """The tree that goes into the root image, made first when it is not there. It is the store's: read it only."""
    with stream.step("Tree") as report, _session(config, stream, report) as session:
        step = session.steps().tree()
        return _make(session, [step], report)[step.name] / "tree"


def existing_tools(config: BuildConfig) -> ToolsTree | None:
    """The tools tree, if an earlier build left it."""
    store = Store(config.cache)
    with _no_log() as log:
        step = _Session(config, store, log, _as_of(config)).steps().tools()
    folder = store.get(step.name, step.key)
    return ToolsTree(folder) if folder else None


def planned(config: BuildConfig) -> list[Planned]:
    """What :func:`build` would do about each step, and why. Changes nothing."""
    with _no_log() as log:
        session = _Session(config, Store(config.cache), log, _as_of(config), customisation=_customisation(config))
    steps = session.steps()
    return plan(_targets(config, steps), session.store)


def _targets(config: BuildConfig, steps: Steps) -> list[Step]:
    """The steps whose results are published."""
    made = [steps.iso(), steps.root(), steps.boot(), steps.netboot(), steps.manifest(), steps.bills()]
    return [*made, steps.upgrade()] if config.upgrade else made


def _customisation(config: BuildConfig) -> Customisation | None:
    if config.customise is None:
        return None
    from images.customisation.read import read_customisation

    return read_customisation(config.customise, config.packages)


@contextmanager
def _no_log() -> Iterator[BuildLog]:
    """A log that is not kept."""
    with Path(os.devnull).open("w") as out:
        yield BuildLog(out)


@contextmanager
def _session(
    config: BuildConfig,
    stream: progress.Stream,
    report: progress.Step,
    keys: Sequence[SecretKey] = (),
    program_key: ProgramKey | None = None,
) -> Iterator[_Session]:
    store = Store(config.cache)
    _check_machine()
    check_folders((config.root, config.cache, Path(sys.prefix)))
    with _common_umask(), store.locked(report.log), open_log(config.log) as log:
        stream.add(log)
        try:
            yield _Session(config, store, log, _as_of(config), tuple(keys), _customisation(config), program_key)
        finally:
            store.clear_work()


@contextmanager
def _common_umask() -> Iterator[None]:
    """Debian's own umask: packages' scripts and ours make files, whose modes go into the image."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def _check_machine() -> None:
    """Check what a build needs of this machine, before anything is done.

    :raises UserError: naming what is missing.
    """
    if os.geteuid() != 0:
        raise UserError("building an image needs root", "Run it as root: sudo make iso", code=ExitCode.MACHINE)
    missing = {package for tool, package in _HOST_TOOLS.items() if shutil.which(tool) is None}
    if missing:
        raise UserError(
            f"this machine lacks {', '.join(sorted(missing))}",
            f"Run tools/bootstrap, or: apt-get install --no-install-recommends {' '.join(sorted(missing))}",
            code=ExitCode.MACHINE,
        )
    machine = platform.machine()
    if machine != "x86_64":
        raise UserError(
            f"images are built on x86-64 machines, and this is {machine}",
            "Xen hosts of other architectures are not supported.",
            code=ExitCode.MACHINE,
        )


def check_folders(folders: Iterable[Path]) -> None:
    """Check the names of the folders that a build works in: diskimage-builder's shell scripts do not quote them.

    :raises UserError: for a name with blanks or other signs that a shell reads.
    """
    for folder in folders:
        if not _PLAIN.fullmatch(os.fspath(folder)):
            raise UserError(
                "a build cannot work in a folder with blanks or special signs in its name",
                "Move the checkout, or set ZEROTH_CACHE to another folder.",
                where=os.fspath(folder),
            )


def _make(session: _Session, targets: Sequence[Step], report: progress.Step) -> dict[str, Path]:
    config, store = session.config, session.store
    todo = [item.step for item in plan(targets, store) if item.run]
    store.need_space(Size(sum(step.space for step in todo)))
    if _FROM_PACKAGES & {step.name for step in todo}:
        with report.step("Package index") as step:
            session.index = _index(session, step)
            if session.customisation:
                from images.customisation.pins import check_pins

                check_pins(session.customisation, session.index.archives)
        if config.snapshot is None:
            atomic_write(_stamp(config), session.as_of + "\n")
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="prune") as pool:
        # Beside the steps: to remove a tree of forty thousand files takes seconds.
        pruning = pool.submit(store.prune, _keys(targets), [step.name for step in todo])
        results = execute(targets, store, jobs=config.jobs, report=report)
        removed = pruning.result()
    removed += store.prune(_keys(targets))
    if removed:
        size = Size(sum(meta.size for meta in removed))
        report.log(f"{len(removed)} old results removed from the store ({size.approx()})")
    return results


def _index(session: _Session, report: progress.Step) -> PackageIndex:
    """The package index, checked: all packages exist, fit together, and are here when nobody may be asked.

    :raises UserError: when something is missing, before anything is installed.
    """
    config, steps = session.config, session.steps()
    mirrors = _mirrors(config)
    options = acquire_options(proxies=not config.offline)
    if mirrors is None:
        index = cached_index(config.index, options)
    else:
        index = fetch_index(
            mirrors, config.index, options, report.log, keyring=config.keyring, dated=config.snapshot is not None
        )
    if config.snapshot:
        check_dates(index.lists, config.snapshot)
    lists = (steps.tools_list(), steps.image_list())
    index.check(lists[0] + lists[1])
    wanted = {archive.file: archive for packages in lists for archive in index.needed(packages.names)}
    missing = PackagePool(config.pool).missing(index, wanted.values())
    size = Size(sum(archive.size for archive in missing))
    if mirrors is None:
        need_here(missing, len(wanted))
    report.log(f"{len(wanted)} packages, of which {len(missing)} have to be fetched ({size.approx()})")
    return index


def _mirrors(config: BuildConfig) -> Mirrors | None:
    """Whom to ask for packages; None to ask nobody."""
    return mirrors_for(host_sources(), config.mirror, config.snapshot, offline=config.offline)


def _keys(targets: Sequence[Step]) -> set[str]:
    return {step.key for step in targets} | {key for step in targets for key in _keys(step.needs)}


def _stamp(config: BuildConfig) -> Path:
    return config.cache / "packages-as-of"


def _as_of(config: BuildConfig) -> str:
    if config.snapshot is not None:
        return str(config.snapshot)
    if not config.update and _stamp(config).is_file():
        return _stamp(config).read_text().strip()
    return datetime.now(UTC).isoformat(timespec="seconds")
