"""An answer in the making: what was said so far, in the shape of HostSpec, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from zeroth.spec.answer import AnswerText
from zeroth.spec.checks import Known
from zeroth.spec.document import Document, Path
from zeroth.spec.gaps import gaps
from zeroth.spec.judge import judged
from zeroth.spec.load import read_document
from zeroth.spec.model import HIDDEN, SECRET_NAMES, HostSpec
from zeroth.spec.plain import plain_data
from zeroth.spec.problems import Problem, Severity
from zeroth.spec.secrets import hash_password, secrets_in
from zeroth.spec.yaml_text import read_yaml, write_yaml

__all__ = ["NAME", "Draft", "Judgement", "saved_text"]

NAME = "screen.yaml"
"""What an answer that was given at the screen is called."""
_MARK = "a-secret-that-is-not-written"


@dataclass(frozen=True)
class Judgement:
    """What HostSpec says of a draft.

    :ivar spec: the host, without plain passwords; None while something is missing or wrong.
    :ivar errors: what is missing or wrong, and what the installer would refuse.
    :ivar notes: what the user should know all the same.
    """

    spec: HostSpec | None
    errors: tuple[Problem, ...]
    notes: tuple[Problem, ...]

    def about(self, paths: Sequence[Path]) -> tuple[Problem, ...]:
        """The errors that are about some settings."""
        return tuple(problem for problem in self.errors if _concerns(problem, paths))

    def noted(self, paths: Sequence[Path]) -> tuple[Problem, ...]:
        """The notes that are about some settings."""
        return tuple(problem for problem in self.notes if _concerns(problem, paths))


@dataclass
class Draft:
    """Settings by their paths; what is not said is not there.

    :ivar data: a part of a HostSpec's plain data.
    :ivar aside: choices of the screens that are no settings themselves, by name.
    :ivar known: time zones and keyboards; those of this machine when not given.
    """

    data: dict[str, Any] = field(default_factory=dict)
    aside: dict[str, str] = field(default_factory=dict)
    known: Known | None = None

    @classmethod
    def of(cls, answer: AnswerText, known: Known | None = None) -> Draft:
        """What an answer says already, however little.

        :raises AnswerErrors: it is no answer at all.
        """
        data = read_document(answer).data
        return cls(data if isinstance(data, dict) else {}, known=known)

    def __post_init__(self) -> None:
        self.aside.setdefault("@uplink", "bond" if self.get(("management", "bond")) else "nic")

    def get(self, path: Path) -> Any:  # noqa: ANN401 - plain data
        """What is said; None for nothing."""
        value: Any = self.data
        for part in path:
            if isinstance(value, dict):
                value = value.get(str(part))
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                return None
        return value

    def put(self, path: Path, value: object) -> None:
        """Say something; nothing (None, no text, an empty list) takes back what was said."""
        if value in (None, "", []):
            self.drop(path)
            return
        inner: Any = self.data
        for part in path[:-1]:
            if not isinstance(inner.get(part), dict):
                inner[part] = {}
            inner = inner[part]
        inner[path[-1]] = value

    def drop(self, path: Path) -> None:
        """Take back what was said, and the groups that are empty then."""
        around = self.get(path[:-1])
        if isinstance(around, dict):
            around.pop(path[-1], None)
            if not around and len(path) > 1:
                self.drop(path[:-1])

    def hash_passwords(self) -> None:
        """Root's plain password gives way to its hash, so that it is kept no longer than it takes to type it.

        :raises UserError: it cannot be hashed.
        """
        password = self.get(("root", "password"))
        if isinstance(password, str):
            self.put(("root", "password_hash"), hash_password(password))
            self.drop(("root", "password"))

    def secrets(self) -> frozenset[str]:
        """Every secret in it, in plain."""
        return frozenset(secrets_in(self.data))

    def judge(self) -> Judgement:
        """Ask HostSpec what is wrong with it."""
        spec, problems, _ = judged(Document(self.data), self.known)
        errors = [it for it in problems if it.severity is Severity.ERROR]
        notes = [it for it in problems if it.severity is not Severity.ERROR]
        if spec:
            refused = {".".join(map(str, gap.path)) for gap in gaps(spec) if gap.refused}
            errors += [it for it in notes if it.field in refused]
            notes = [it for it in notes if it.field not in refused]
        return Judgement(spec, tuple(errors), tuple(notes))

    def as_text(self) -> str:
        """As YAML, secrets included."""
        return write_yaml(self.data) if self.data else ""

    def take_text(self, text: str) -> tuple[Problem, ...]:
        """Take what was edited as text; when it cannot be read, the draft stays as it is.

        :returns: why it cannot be read.
        """
        document = read_yaml(text) if text.strip() else Document({})
        errors = tuple(it for it in document.problems if it.severity is Severity.ERROR)
        if not errors and not isinstance(document.data, dict):
            errors = (Problem("this is no group of settings", "As in hostname: xen1"),)
        if not errors and isinstance(document.data, dict):
            self.data = document.data
        return errors

    def answer(self, spec: HostSpec) -> AnswerText:
        """The finished answer, as the installer reads it."""
        return AnswerText(write_yaml(plain_data(spec)), NAME, "given at the screen")


def saved_text(spec: HostSpec, *, kickstart: bool) -> str:
    """The answer for a file that others may see: of passwords there are the hashes, other secrets are ``***``.

    :param kickstart: as kickstart; else as YAML.
    """
    data = _marked(plain_data(spec))
    if not kickstart:
        return write_yaml(data).replace(_MARK, HIDDEN)
    from zeroth.spec.kickstart.writer import kickstart_text  # loads pykickstart

    return kickstart_text(HostSpec.model_validate(data)).replace(_MARK, HIDDEN)


def _marked(data: Any, name: str = "") -> Any:  # noqa: ANN401 - plain data
    """With a mark that is a valid secret in the place of each that cannot be hashed."""
    if isinstance(data, dict):
        return {inner: _marked(item, inner) for inner, item in data.items()}
    if isinstance(data, list):
        return [_marked(item, name) for item in data]
    return _MARK if name in SECRET_NAMES and name != "password_hash" else data


def _concerns(problem: Problem, paths: Sequence[Path]) -> bool:
    return any(name == problem.field or _within(problem.field, name) for name in _dotted(paths))


def _within(name: str, other: str) -> bool:
    """One is a part of the other: a group that is missing is asked for where its settings are."""
    return name.startswith(f"{other}.") or (bool(name) and other.startswith(f"{name}."))


def _dotted(paths: Sequence[Path]) -> Iterator[str]:
    return (".".join(map(str, path)) for path in paths)
