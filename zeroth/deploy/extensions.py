"""The extensions of a host: kept on its state partition, for both slots; active where they fit the slot that runs.

Each has a folder with what an extension file holds. To activate one, its facts are checked against the trusted keys
and the running image, its image is opened with dm-verity and mounted below :data:`PLACE`, and systemd-sysext(8) puts
it over /usr and /opt. Nothing is written into the image.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from zeroth.deploy.extension import EXTENSION_NAME, FACTS, IMAGE, SIGNATURE, Extension, ExtensionFile, read_facts
from zeroth.errors import ExitCode, UserError
from zeroth.keys.signing import PublicKey
from zeroth.progress import Step
from zeroth.system.files import atomic_write, fsync_directory
from zeroth.system.run import run
from zeroth.system.size import MIB, Size

__all__ = ["PLACE", "STORE", "Extensions", "Kept", "RunningImage", "misfits", "running_image"]

STORE = Path("/run/zeroth/state/extensions")
PLACE = Path("/run/extensions")
"""Where systemd-sysext looks for folders and images that are gone after a restart."""
_MAPPED = Path("/dev/mapper")
_PREFIX = "zeroth-extension-"
_HEADROOM = 64 * MIB


@dataclass(frozen=True)
class RunningImage:
    """The image that a host runs.

    :ivar version: its ``IMAGE_VERSION``.
    :ivar packages: its packages: name and version.
    """

    version: str
    packages: Mapping[str, str]


@dataclass(frozen=True)
class Kept:
    """An extension in the store.

    :ivar extension: None when what is told of it does not count; :attr:`problem` says why.
    :ivar problem: why it is not to be activated; empty when it may be.
    """

    name: str
    extension: Extension | None
    problem: str
    active: bool


def running_image(root: Path = Path("/")) -> RunningImage:
    """What this host runs.

    :raises UserError: on a machine that runs no image of zeroth.
    """
    release = (root / "usr/lib/os-release").read_text(encoding="utf-8")
    match = re.search(r'^IMAGE_VERSION="?([^"\n]+)"?$', release, re.MULTILINE)
    if match is None:
        raise UserError("this machine runs no image of zeroth", "Run it on an installed host.", code=ExitCode.MACHINE)
    words = "${db:Status-Status} ${Package} ${Version}\n"
    lines = run(["dpkg-query", f"--admindir={root / 'usr/lib/sysimage/dpkg'}", "-W", "-f", words]).stdout.splitlines()
    rows = [line.split() for line in lines]
    return RunningImage(match[1], {row[1]: row[2] for row in rows if len(row) == 3 and row[0] == "installed"})


def misfits(extension: Extension, image: RunningImage) -> list[str]:
    """Why an extension does not fit an image; nothing when it does."""
    if extension.version != image.version:
        return [f"it was built for version {extension.version}, and this host runs {image.version}"]
    found = []
    for name, version in sorted(extension.needs.items()):
        has = image.packages.get(name)
        if has != version:
            found.append(f"it needs {name} {version}, and this image has {has or 'none'}")
    added = sorted(set(extension.packages) & set(image.packages))
    return found + [f"this image has {name} itself" for name in added]


@dataclass(frozen=True)
class Extensions:
    """The store, and what is active of it.

    :ivar trusted: keys of which one must have signed an extension.
    """

    image: RunningImage
    trusted: tuple[PublicKey, ...]
    store: Path = STORE
    place: Path = PLACE

    def kept(self) -> list[Kept]:
        """All extensions, by name."""
        names = sorted(path.name for path in self.store.iterdir()) if self.store.is_dir() else []
        return [self._look(name) for name in names if re.fullmatch(EXTENSION_NAME, name)]

    def check(self, file: ExtensionFile) -> None:
        """Check that an extension can be installed here. Nothing is written.

        :raises UserError: when it does not fit this image, or the state partition has no room.
        """
        extension = file.extension
        wrong = misfits(extension, self.image)
        if wrong:
            listed = "\n  ".join(wrong)
            raise UserError(
                f"{extension.name} does not fit this host:\n  {listed}",
                f"Build it for this image: zeroth image extension {extension.name} ...",
            )
        room = self._room()
        if room < extension.size + _HEADROOM:
            raise UserError(
                f"the state partition has {Size(room).approx()} free, and {Size(extension.size).approx()} are needed",
                "Remove another extension: zeroth extension list",
                code=ExitCode.MACHINE,
            )

    def add(self, file: ExtensionFile, step: Step) -> None:
        """Keep an extension, in place of one of the same name; :meth:`activate` puts it to use.

        :raises UserError: when its image is not the one that was signed; the one before it stays.
        """
        draft = self.store / f".{file.extension.name}.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        try:
            done = 0
            with (draft / IMAGE).open("wb") as out:
                for chunk in file.chunks():
                    out.write(chunk)
                    done += len(chunk)
                    step.update(done / file.extension.size)
                out.flush()
                os.fsync(out.fileno())
            atomic_write(draft / FACTS, file.facts)
            atomic_write(draft / SIGNATURE, file.signature)
            self.remove(file.extension.name)
            draft.rename(self.store / file.extension.name)
            fsync_directory(self.store)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def remove(self, name: str) -> bool:
        """Forget an extension; returns whether there was one. It stays over /usr until :meth:`activate`."""
        folder = self.store / name
        if not folder.is_dir():
            return False
        self._unmount(name)
        # Under another name first: half an extension would look like a damaged one.
        old = self.store / f".{name}.old"
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
        shutil.rmtree(old)
        return True

    def activate(self) -> list[Kept]:
        """Put over /usr and /opt what fits, and nothing else; returns how it is then.

        One that cannot be opened or mounted keeps none of the others out.
        """
        kept = self.kept()
        fitting = {one.name: one.extension for one in kept if one.extension and not one.problem}
        mounted = [path.name for path in self.place.iterdir() if path.is_mount()] if self.place.is_dir() else []
        for name in mounted:
            if name not in fitting:
                self._unmount(name)
        failed = {}
        for name, extension in fitting.items():
            if not (self.place / name).is_mount():
                try:
                    self._mount(name, extension)
                except UserError as error:
                    failed[name] = f"its image cannot be used: {' '.join(error.message.split())}"
        # Takes away what is not there any more, too.
        run(["systemd-sysext", "refresh" if fitting.keys() - failed.keys() else "unmerge"], timeout=120)
        wanted = {_device(extension) for extension in fitting.values()}
        for device in sorted(_MAPPED.glob(f"{_PREFIX}*")):
            if device.name not in wanted:
                # It goes when /usr lets go of it.
                run(["veritysetup", "close", "--deferred", device.name], ok=range(256))
        return [replace(one, problem=one.problem or failed.get(one.name, "")) for one in self.kept()]

    def _look(self, name: str) -> Kept:
        folder = self.store / name
        active = (self.place / name).is_mount()
        try:
            raw, signature = (folder / FACTS).read_bytes(), (folder / SIGNATURE).read_text(errors="replace")
            extension, _ = read_facts(raw, signature, self.trusted, str(folder))
        except UserError as error:
            return Kept(name, None, error.message, active)
        except OSError as error:
            return Kept(name, None, f"it is damaged: {error.strerror}", active)
        if extension.name != name:
            return Kept(name, None, f"it is damaged: it is called {extension.name}", active)
        return Kept(name, extension, "; ".join(misfits(extension, self.image)), active)

    def _mount(self, name: str, extension: Extension) -> None:
        image, device = self.store / name / IMAGE, _device(extension)
        if not (_MAPPED / device).exists():
            run(["veritysetup", "open", image, device, image, extension.tree.root_hash,
                 f"--hash-offset={extension.tree.hash_offset}"])  # fmt: skip
        folder = self.place / name
        folder.mkdir(parents=True, exist_ok=True)
        run(["mount", "-t", "squashfs", "-o", "ro,nodev", _MAPPED / device, folder])

    def _unmount(self, name: str) -> None:
        folder = self.place / name
        if folder.is_mount():
            run(["umount", folder])
            folder.rmdir()

    def _room(self) -> int:
        usage = shutil.disk_usage(self.store if self.store.is_dir() else self.store.parent)
        return usage.free


def _device(extension: Extension) -> str:
    """Another content has another device, so that the old one may be in use for a moment longer."""
    return f"{_PREFIX}{extension.name}-{extension.tree.root_hash[:12]}"
