"""The store of what was built: an object's name is the hash of what went into it, so nothing is ever invalidated.

An object is a folder that appears whole (by rename) or not at all. The store keeps itself below a size by removing
what was not used for the longest time. One build at a time works in it.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from zeroth.errors import ExitCode, UserError
from zeroth.system.files import atomic_write
from zeroth.system.size import GIB, Size

__all__ = ["Meta", "Store", "tree_size"]

_META = "meta.json"


@dataclass(frozen=True)
class Meta:
    """What is known of an object.

    :param step: name of the step that made it.
    :param key: SHA-256 of its inputs, hexadecimal.
    :param inputs: the inputs by name, as digests or plain values.
    :param size: bytes on disk.
    :param seconds: how long it took to make.
    """

    step: str
    key: str
    inputs: Mapping[str, str]
    size: int
    seconds: float


class Store:
    """Objects below one folder."""

    def __init__(self, folder: Path, *, limit: Size | None = None, versions: int = 3) -> None:
        """A store.

        :param limit: bytes that :meth:`prune` leaves; 16 GiB when not given.
        :param versions: objects of one step that :meth:`prune` leaves.
        """
        self.folder = folder
        self.limit = Size(16 * GIB) if limit is None else limit
        self.versions = versions
        self._objects = folder / "objects"
        self._work = folder / "work"

    def path(self, step: str, key: str) -> Path:
        """Where the content of an object lies, whether it is there or not."""
        return self._objects / f"{step}-{key[:20]}" / "out"

    def has(self, step: str, key: str) -> bool:
        """Whether an object is there."""
        meta = _read_meta(self.path(step, key).parent)
        return meta is not None and meta.key == key

    def get(self, step: str, key: str) -> Path | None:
        """The content of an object, and a note that it was used; None when it is not there."""
        if not self.has(step, key):
            return None
        out = self.path(step, key)
        os.utime(out.parent / _META)
        return out

    def put(self, step: str, key: str, inputs: Mapping[str, str], make: Callable[[Path], None]) -> Path:
        """Let ``make`` fill a new folder, and keep it as an object. A failed ``make`` leaves nothing behind."""
        final = self.path(step, key).parent
        draft = self._work / final.name
        _remove(draft)
        (draft / "out").mkdir(parents=True)
        started = time.monotonic()
        try:
            make(draft / "out")
            seconds = round(time.monotonic() - started, 2)
            meta = Meta(step, key, dict(inputs), tree_size(draft / "out"), seconds)
            atomic_write(draft / _META, json.dumps(asdict(meta), indent=1))
            _remove(final)
            final.parent.mkdir(parents=True, exist_ok=True)
            draft.rename(final)
        except BaseException:
            _remove(draft)
            raise
        return final / "out"

    def latest(self, step: str) -> Meta | None:
        """The object of a step that was used last."""
        return next((meta for meta, _, _ in self._by_use() if meta.step == step), None)

    def prune(self, keep: Iterable[str], coming: Iterable[str] = ()) -> list[Meta]:
        """Remove the objects not used for the longest time until the rest is within the limits; returns those removed.

        :param keep: keys that stay in any case.
        :param coming: names of steps that will each put one object more.
        """
        kept = set(keep)
        removed = []
        entries = self._by_use()
        total = sum(meta.size for meta, _, _ in entries)
        count = Counter([*(meta.step for meta, _, _ in entries), *coming])
        for meta, folder, _ in reversed(entries):
            if meta.key not in kept and (total > self.limit or count[meta.step] > self.versions):
                _remove(folder)
                removed.append(meta)
                total -= meta.size
                count[meta.step] -= 1
        return removed

    def clear_work(self) -> None:
        """Remove what a build that was killed left half done. Call it only with the lock held."""
        _remove(self._work)

    @contextmanager
    def locked(self, waiting: Callable[[str], None]) -> Iterator[None]:
        """Hold the store for one build; waits for another, having said so through ``waiting``."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                waiting(f"another build is running here (process {file.read().strip() or 'unknown'}); waiting for it")
                fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            file.truncate()
            file.write(str(os.getpid()))
            file.flush()
            try:
                self.clear_work()
                yield
            finally:
                file.seek(0)
                file.truncate()

    def need_space(self, size: Size) -> None:
        """Check that the file system has room for ``size`` more bytes.

        :raises UserError: when it has not.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        free = Size(shutil.disk_usage(self.folder).free)
        if free < size:
            raise UserError(
                f"not enough disk space: this build needs about {size.approx()}, {free.approx()} are free",
                f"Free some space on the file system of {self.folder}, or run `zeroth image clean`.",
                code=ExitCode.MACHINE,
            )

    def _by_use(self) -> list[tuple[Meta, Path, float]]:
        """All objects, the one used last first."""
        entries = []
        for folder in self._objects.iterdir() if self._objects.is_dir() else ():
            meta = _read_meta(folder)
            if meta is not None:
                with suppress(FileNotFoundError):  # being removed
                    entries.append((meta, folder, (folder / _META).stat().st_mtime))
        return sorted(entries, key=lambda entry: -entry[2])


def tree_size(path: Path) -> int:
    """Bytes that a file or everything below a folder takes on disk; hard links count once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    stack = [path]
    while stack:
        item = stack.pop()
        stat = item.lstat()
        if (stat.st_dev, stat.st_ino) in seen:
            continue
        seen.add((stat.st_dev, stat.st_ino))
        total += stat.st_blocks * 512
        if item.is_dir() and not item.is_symlink():
            stack.extend(item.iterdir())
    return total


def _read_meta(folder: Path) -> Meta | None:
    try:
        return Meta(**json.loads((folder / _META).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _remove(path: Path) -> None:
    """Remove a folder so that a reader sees it whole or gone: its description first."""
    (path / _META).unlink(missing_ok=True)
    if path.exists():
        shutil.rmtree(path)
