"""``python -m tests.reproducible``: build twice under different circumstances, and compare (make reproducible).

The builds share nothing: each has a clone of the commit that is checked out, in a folder of another name and depth,
an empty cache, a host name, a locale, a time zone, a umask, a number of jobs of its own. The second one runs on
another release of Debian with another date, takes the packages that the first one fetched, and has no network: what is
compared is the builder, not the mirror of the moment.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from images.cache import Store
from images.config import BuildConfig
from tests.reproducible.compare import first_difference
from tests.reproducible.debian import inside, other_debian
from zeroth.cli import run_command
from zeroth.errors import ExitCode, UserError
from zeroth.system.files import sha256_file
from zeroth.system.run import run
from zeroth.system.size import Size

ROOT = Path(__file__).parents[2]
# In the order in which they are made; what differs first is the cause. The tree of packages is left out: a difference
# there that does not reach the finished tree is none.
STEPS = ("rooms", "wheels", "system", "tree", "root", "boot", "manifest", "bills", "upgrade", "iso")


@dataclass(frozen=True)
class Circumstances:
    """What a build must not depend on.

    :ivar folder: of the clone, below a folder for temporary files.
    :ivar umask: octal, as a shell writes it.
    :ivar other_debian: on another release of Debian than this machine's.
    :ivar clock: what the programs of that Debian take for the date, relative to now, as ``faketime`` has it.
    :ivar network: whether there is one.
    """

    folder: str
    host_name: str
    umask: str
    environment: dict[str, str]
    jobs: int
    other_debian: bool = False
    clock: str = "+0d"
    network: bool = True


ONE = Circumstances("one", "builder", "022", {"LC_ALL": "C.UTF-8", "TZ": "UTC", "HOME": "/root"}, 1)
TWO = Circumstances(
    "another/much/longer/place-for_it", "host-2.example.org", "077",
    {"LC_ALL": "tr_TR.UTF-8", "LANG": "de_DE.UTF-8", "TZ": "Pacific/Kiritimati", "HOME": "/nonexistent"}, 2,
    other_debian=True, clock="+417d", network=False,
)  # fmt: skip


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--profile", type=click.Choice(["dev", "release"]), default="release", show_default=True)
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Build here, and leave it there.")
def reproducible(profile: str, keep: Path | None) -> int:
    """Build the image twice under different circumstances; name the first file that differs, and end with 1.

    \b
    Examples:
      python -m tests.reproducible
      python -m tests.reproducible --profile dev --keep /var/tmp/reproducible
    """
    if os.geteuid() != 0:
        raise UserError("building an image needs root", "Run it as root.", code=ExitCode.MACHINE)
    with tempfile.TemporaryDirectory(prefix="zeroth-reproducible-", dir=keep or "/var/tmp") as temporary:
        work = keep or Path(temporary)
        one = _build(work, ONE, profile, None)
        two = _build(work, TWO, profile, _cache(work, ONE))
        sums = {sha256_file(path) for path in (one, two)}
        if len(sums) == 1:
            size = Size(one.stat().st_size).approx()
            click.echo(f"the same ISO twice: {size}, SHA-256 {sums.pop()}")
            return ExitCode.DONE
        click.echo(f"error: the two ISO images differ, first in {_cause(work)}", err=True)
        return ExitCode.INPUT


def _build(work: Path, how: Circumstances, profile: str, packages_of: Path | None) -> Path:
    """Build; returns the ISO image."""
    clone, cache = work / how.folder, _cache(work, how)
    for folder in (clone, cache):
        shutil.rmtree(folder, ignore_errors=True)
    clone.parent.mkdir(parents=True, exist_ok=True)
    run(["git", "clone", "--quiet", ROOT, clone])
    cache.mkdir(parents=True)
    if packages_of:
        for name in ("index", "packages"):
            shutil.copytree(packages_of / name, cache / name, symlinks=True)
        shutil.copy2(packages_of / "packages-as-of", cache)
    python, tree = Path(sys.executable), None
    if how.other_debian and packages_of:
        tree, python = other_debian(work, clone, packages_of), clone / ".venv" / "bin" / "python"
    command = (
        f"hostname {how.host_name} && umask {how.umask} && ip link set lo up && cd '{clone}' && exec "
        + (f"env NO_FAKE_STAT=1 faketime -f {how.clock} " if tree else "")
        + f"'{python}' -m zeroth image build --profile {profile} --jobs {how.jobs}"
        + ("" if how.network else " --offline")
    )
    click.echo(f"building in {clone}, {how.jobs} jobs, umask {how.umask}, {how.environment['TZ']}")
    environment = {**how.environment, "PYTHONPATH": str(clone), "ZEROTH_CACHE": str(cache)}
    namespaces = ["unshare", "--uts", *([] if how.network else ["--net"])]
    argv = inside(tree, work, command) if tree else ["sh", "-c", command]
    run([*namespaces, *argv], env=environment, on_line=lambda line: click.echo(f"  {line}"))
    return (clone / "dist" / "zeroth.iso").resolve()


def _cache(work: Path, how: Circumstances) -> Path:
    return work / "caches" / how.host_name


def _cause(work: Path) -> str:
    """The first step whose results differ, and the first file."""
    stores = [Store(_cache(work, how)) for how in (ONE, TWO)]
    for name in STEPS:
        metas = [store.latest(name) for store in stores]
        if None in metas:
            continue
        folders = [store.path(name, meta.key) for store, meta in zip(stores, metas, strict=True) if meta]
        found = first_difference(*folders, latest=BuildConfig(ROOT).epoch)
        if found:
            return f"the step {name}: {found}"
    return "nothing that the steps keep; compare the ISO images themselves: zeroth iso diff"


if __name__ == "__main__":
    sys.exit(run_command(reproducible, "python -m tests.reproducible"))
