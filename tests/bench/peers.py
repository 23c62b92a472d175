"""What other builders need for a comparable thing from the same list of packages, on this machine, in the same run."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from images.config import BuildConfig, Profile, checkout
from images.isolate import isolated
from images.packages import read_list
from images.sources import parse_one_line
from tests.bench.build import WHOLE, build_seconds
from tests.bench.figures import Figures
from tests.lab.needs import LOCK_WAIT
from zeroth.errors import UserError
from zeroth.system.run import CommandFailed, run
from zeroth.system.size import Size

__all__ = ["peer_figures"]

SUITE = "trixie"
AREAS = ("main", "non-free-firmware")


@dataclass(frozen=True)
class Mirrors:
    """Where Debian's packages are, as this machine's own configuration says.

    :ivar security: of security updates; empty when there is no mirror of them.
    """

    archive: str
    security: str


@dataclass(frozen=True)
class Peer:
    """Another builder.

    :ivar packages: Debian's packages that it is and needs.
    :ivar makes: what comes out.
    :ivar build: does it in an empty folder, for these package names; returns the result.
    """

    name: str
    packages: tuple[str, ...]
    makes: str
    build: Callable[[Path, Sequence[str], Mirrors], Path]


def peer_figures(say: Callable[[str], None]) -> list[Figures]:
    """Build once with every peer, and with zeroth's dev profile: everything fetched anew, as the peers do."""
    root = checkout()
    packages = read_list(BuildConfig(root).packages / "base.list").names
    rows: list[tuple[str, str, float | None, str]] = []
    with TemporaryDirectory(prefix="peers-", dir=root / ".cache") as name:
        work = Path(name)
        say("zeroth, dev profile, with nothing here")
        clone = work / "clone"
        run(["git", "clone", "-q", "--local", root, clone])
        seconds = build_seconds(clone, Profile.DEV)[WHOLE]
        rows.append(("zeroth", "ISO for BIOS and UEFI", seconds, _size(clone / "dist" / "zeroth.iso")))
        mirrors = _mirrors(clone / ".cache" / "zeroth" / "index" / "sources.list")
        for peer in PEERS:
            say(peer.name)
            folder = work / peer.name
            folder.mkdir()
            try:
                run(["apt-get", "-o", LOCK_WAIT, "install", "-y", "--no-install-recommends", *peer.packages],
                    env={"DEBIAN_FRONTEND": "noninteractive"})  # fmt: skip
                started = time.monotonic()
                made = peer.build(folder, packages, mirrors)
                rows.append((peer.name, peer.makes, time.monotonic() - started, _size(made)))
            except (CommandFailed, UserError, FileNotFoundError) as error:
                rows.append((peer.name, f"none: {_last(str(error))}", None, ""))
    return [Figures("peers", f"Other builders, the same {len(packages)} packages, everything fetched",
                    ("builder", "makes", "s", "size"), tuple(rows))]  # fmt: skip


def _mirrors(sources: Path) -> Mirrors:
    """Those that our own build chose."""
    found = parse_one_line(sources.read_text())
    archive = next(source.uris[0] for source in found if SUITE in source.suites)
    security = [source.uris[0] for source in found if f"{SUITE}-security" in source.suites]
    return Mirrors(archive, security[0] if security else "")


def _size(path: Path) -> str:
    return Size(path.stat().st_size).approx()


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:100] if lines else "it said nothing"


def _diskimage_builder(folder: Path, packages: Sequence[str], mirrors: Mirrors) -> Path:
    """Its own Debian element; the packages that it installs beside ours are its choice."""
    binaries = Path(sys.executable).parent
    sources = [f"default:deb {mirrors.archive} {SUITE} {' '.join(AREAS)}"]
    if mirrors.security:
        sources.append(f"security:deb {mirrors.security} {SUITE}-security {' '.join(AREAS)}")
    environment = {
        "PATH": f"{binaries}:{os.environ['PATH']}", "HOME": os.fspath(folder), "TMPDIR": os.fspath(folder),
        "DIB_RELEASE": SUITE, "DIB_DISTRIBUTION_MIRROR": mirrors.archive, "DIB_NO_TMPFS": "1",
        "DIB_DEBIAN_COMPONENTS": ",".join(AREAS), "DIB_APT_SOURCES_CONF": "\n".join(sources),
        "DIB_IMAGE_CACHE": os.fspath(folder / "cache"), "DIB_PYTHON_EXEC": sys.executable,
        "DEBIAN_FRONTEND": "noninteractive",
    }  # fmt: skip
    words = [f"{name}={value}" for name, value in environment.items()]
    create = ["disk-image-create", "-n", "-a", "amd64", "-t", "squashfs", "-o", str(folder / "image")]
    run(isolated(["env", *words, *create, "-p", ",".join(packages), "debian-minimal"]), cwd=folder)
    return folder / "image.squashfs"


def _live_build(folder: Path, packages: Sequence[str], mirrors: Mirrors) -> Path:
    security = mirrors.security
    options = {
        "distribution": SUITE, "archive-areas": " ".join(AREAS), "apt-recommends": "false", "apt-indices": "false",
        "binary-images": "iso-hybrid", "memtest": "none", "debian-installer": "none", "cache": "false",
        "chroot-squashfs-compression-type": "zstd", "firmware-chroot": "false", "firmware-binary": "false",
        "mirror-bootstrap": mirrors.archive, "mirror-chroot": mirrors.archive, "mirror-binary": mirrors.archive,
        "security": str(bool(security)).lower(),
        **({f"mirror-{stage}-security": security for stage in ("chroot", "binary")} if security else {}),
    }  # fmt: skip
    config = [word for name, value in options.items() for word in (f"--{name}", value)]
    run(["lb", "config", *config], cwd=folder)
    lists = folder / "config" / "package-lists"
    lists.mkdir(parents=True, exist_ok=True)
    (lists / "ours.list.chroot").write_text("\n".join([*packages, ""]))
    run(isolated(["lb", "build"]), cwd=folder)
    return next(folder.glob("*.iso"))


def _mkosi(folder: Path, packages: Sequence[str], mirrors: Mirrors) -> Path:
    # It boots by EFI alone, and knows no Xen: an archive of the tree is what all its versions make of such a list.
    names = [word for name in packages for word in ("--package", name)]
    run(isolated(["mkosi", "--distribution", "debian", "--release", SUITE, "--mirror", mirrors.archive, "--format",
                  "tar", "--compress-output", "zstd", "--bootable", "no", "--with-docs", "yes", "--output",
                  "image.tar", *names, "build"]), cwd=folder)  # fmt: skip
    return next(folder.glob("image.tar*"))


PEERS = (
    Peer("diskimage-builder", ("debootstrap", "squashfs-tools", "sudo"), "squashfs, xz", _diskimage_builder),
    Peer("live-build", ("live-build",), "ISO for BIOS and UEFI, zstd", _live_build),
    Peer("mkosi", ("mkosi", "systemd-container"), "archive of the tree, zstd, not bootable", _mkosi),
)
