"""The files, packages and elements that ``zeroth-image.yaml`` names: found, and looked at before anything is built."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from debian.deb822 import Deb822

from images.config import ARCHITECTURE
from images.customisation.fields import forbidden
from images.customisation.model import FileEntry
from images.customisation.prepared import LocalDeb, OwnElement, PlacedFile
from images.customisation.templates import TemplateProblem, rendered
from images.customise import element_hooks
from images.inputs import files_below
from zeroth.errors import UserError
from zeroth.spec.document import Document
from zeroth.spec.document import Path as Way
from zeroth.spec.problems import Problem, Severity, closest
from zeroth.system.files import sha256_file
from zeroth.system.run import CommandFailed, run

__all__ = ["PHASES", "Sources"]

PHASES = ("extra-data.d", "pre-install.d", "install.d", "post-install.d", "environment.d")
"""Of an own element. Other phases would undo how the tree leaves diskimage-builder, or come too late to be kept."""
_TEMPLATE_LIMIT = 1 << 20
_ELEMENT_NAME = re.compile(r"[a-z][a-z0-9-]{0,40}")
_PRIVATE_KEY = re.compile(rb"-----BEGIN [A-Z0-9 ]*PRIVATE KEY")
_DEB_MAGIC = b"!<arch>\ndebian-binary"


class Sources:
    """Looks at sources; what is wrong is gathered in :attr:`problems`."""

    def __init__(self, folder: Path, document: Document) -> None:
        """Sources with paths relative to ``folder``, named in ``document``."""
        self.problems: list[Problem] = []
        self._folder = folder
        self._document = document

    def files(self, entries: Sequence[FileEntry], variables: Mapping[str, object]) -> tuple[PlacedFile, ...]:
        """The files, with templates rendered and folders spelt out."""
        return tuple(file for at, entry in enumerate(entries) for file in self._entry(entry, ("files", at), variables))

    def debs(self, paths: Sequence[str]) -> tuple[LocalDeb, ...]:
        """The package files."""
        found: dict[str, LocalDeb] = {}
        for at, text in enumerate(paths):
            way: Way = ("debs", at)
            path = self._file(text, way)
            deb = self._deb(path, way) if path else None
            if deb and deb.package in found:
                self._wrong(
                    f"{deb.package} is in {found[deb.package].path.name} too", "Leave out one of the two.", way
                )
            elif deb:
                found[deb.package] = deb
        return tuple(found.values())

    def elements(self, paths: Sequence[str]) -> tuple[OwnElement, ...]:
        """The elements."""
        found: dict[str, OwnElement] = {}
        for at, text in enumerate(paths):
            way: Way = ("elements", at)
            folder = self._folder / text
            name = folder.resolve().name
            if not folder.is_dir():
                self._wrong(f"there is no folder {folder}", self._near(folder), way)
            elif name in found:
                self._wrong(f"two elements are called {name}", "Rename one of the folders.", way)
            elif self._is_element(folder, name, way):
                found[name] = OwnElement(name, folder.resolve())
        return tuple(found.values())

    def _entry(self, entry: FileEntry, way: Way, variables: Mapping[str, object]) -> Iterator[PlacedFile]:
        mode = int(entry.mode, 8) if entry.mode else None
        if entry.content is not None:
            content = self._text(entry.content.encode(), entry, (*way, "content"), "the content", variables)
            yield PlacedFile(entry.target, content, 0o644 if mode is None else mode, entry.owner)
            return
        assert entry.source is not None, "the model has one of the two"
        place: Way = (*way, "source")
        source = self._folder / entry.source
        if source.is_dir():
            if mode is not None:
                self._wrong("a folder's files have the modes that they have there", "Leave out mode.", (*way, "mode"))
            for path in files_below(source):
                target = f"{entry.target}/{path.relative_to(source)}"
                reason = forbidden(target)
                if reason:
                    self._wrong(reason, "Take it out of the folder.", place)
                elif path.is_symlink() or not path.is_file():
                    self._wrong(f"{path} is no plain file", "Links are made by an element of yours.", place)
                else:
                    yield self._placed(path, target, None, entry, place, variables)
        elif file := self._file(entry.source, place):
            yield self._placed(file, entry.target, mode, entry, place, variables)

    def _placed(
        self, path: Path, target: str, mode: int | None, entry: FileEntry, way: Way, variables: Mapping[str, object]
    ) -> PlacedFile:
        own = 0o755 if os.access(path, os.X_OK) else 0o644
        content: bytes | Path = path
        with path.open("rb") as file:
            begins = file.read(_TEMPLATE_LIMIT + 1)
        if entry.template and len(begins) > _TEMPLATE_LIMIT:
            self._wrong(f"{path} is too large for a template: 1 MiB is the most", "", way)
        elif entry.template:
            content = self._text(begins, entry, way, str(path), variables)
        else:
            self._warn_of_keys(begins, str(path), way)
        return PlacedFile(target, content, own if mode is None else mode, entry.owner)

    def _text(self, raw: bytes, entry: FileEntry, way: Way, called: str, variables: Mapping[str, object]) -> bytes:
        """The content of a file that was read, rendered where it is a template."""
        self._warn_of_keys(raw, called, way)
        if not entry.template:
            return raw
        try:
            return rendered(raw.decode(), variables).encode()
        except UnicodeDecodeError:
            self._wrong(f"{called} is no UTF-8 text, so it cannot be a template", "", way)
        except TemplateProblem as problem:
            word = re.match(r"'([^']+)' is undefined", str(problem))
            guess = closest(word[1], variables) if word else ""
            hint = f"Did you mean {guess}?" if guess else f"Known here: {', '.join(variables) or 'no variables'}."
            line = f", line {problem.line}" if problem.line else ""
            self._wrong(f"{called}{line}: {problem}", hint if word else "", way)
        return b""

    def _warn_of_keys(self, content: bytes, called: str, way: Way) -> None:
        if _PRIVATE_KEY.search(content):
            message = f"{called} holds a private key: who has the image can read it"
            hint = "Give secrets to hosts when they run, not to images."
            self.problems.append(Problem(message, hint, self._document.place(way), Severity.WARNING, "files"))

    def _file(self, text: str, way: Way) -> Path | None:
        path = self._folder / text
        try:
            found = path.stat()
            if not stat.S_ISREG(found.st_mode):
                self._wrong(f"{path} is no file", "", way)
                return None
            with path.open("rb"):
                return path
        except FileNotFoundError:
            self._wrong(f"there is no file {path}", self._near(path), way)
        except OSError as error:
            self._wrong(f"{path} cannot be read: {error.strerror}", "", way)
        return None

    def _near(self, path: Path) -> str:
        try:
            guess = closest(path.name, [entry.name for entry in path.parent.iterdir()])
        except OSError:
            guess = ""
        return f"Did you mean {path.with_name(guess)}?" if guess else "Paths are relative to the file that names them."

    def _deb(self, path: Path, way: Way) -> LocalDeb | None:
        with path.open("rb") as file:
            if not file.read(len(_DEB_MAGIC)).startswith(_DEB_MAGIC):
                self._wrong(
                    f"{path} is no Debian package", "A package file ends in .deb and was made by dpkg-deb.", way
                )
                return None
        try:
            control = Deb822(run(["dpkg-deb", "--field", path]).stdout)
            # The whole archive is read, so that one that was cut short is not found in the middle of a build.
            run(["dpkg-deb", "--contents", path])
        except CommandFailed as error:
            said = error.completed.stderr.strip().splitlines()[-1:] or [error.message]
            self._wrong(f"{path} is damaged: {said[0]}", "Get it again.", way)
            return None
        architecture = str(control.get("Architecture", ""))
        if architecture not in (ARCHITECTURE, "all"):
            self._wrong(f"{path} is for {architecture or 'no architecture'}, not for {ARCHITECTURE} or all", "", way)
            return None
        return LocalDeb(path, str(control["Package"]), str(control["Version"]), architecture, sha256_file(path))

    def _is_element(self, folder: Path, name: str, way: Way) -> bool:
        if not _ELEMENT_NAME.fullmatch(name) or name.startswith("zeroth"):
            self._wrong(f"{name!r} cannot be an element's name", "Lower-case letters, digits, -; not zeroth...", way)
            return False
        phases = sorted(path.name for path in folder.glob("*.d") if path.is_dir())
        known = [phase for phase in phases if phase in PHASES]
        for phase in phases:
            if phase not in PHASES:
                self._wrong(f"{folder / phase}: this phase cannot be used", f"There are: {', '.join(PHASES)}.", way)
        if not known:
            self._wrong(f"{folder} is no element: it has no phase", f"As in {folder.name}/install.d/10-mine.", way)
        if (folder / "package-installs.yaml").exists():
            self._wrong(f"{folder} has a package-installs.yaml", "Name its packages under packages.", way)
        try:
            element_hooks(folder.parent, [folder.name])
        except UserError as error:
            self._wrong(str(error), error.hint, way)
        return bool(known)

    def _wrong(self, message: str, hint: str, way: Way) -> None:
        field = ".".join(part for part in way if isinstance(part, str))
        self.problems.append(Problem(message, hint, self._document.place(way), field=field))
