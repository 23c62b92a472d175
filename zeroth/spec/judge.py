"""What is wrong with an answer whose language was read: the model's rules, the machine's lists, and doubts."""

from __future__ import annotations

from zeroth.errors import UserError
from zeroth.spec.checks import Known, checked, known_here
from zeroth.spec.document import Document
from zeroth.spec.doubts import doubts
from zeroth.spec.gaps import gaps
from zeroth.spec.model import HostSpec
from zeroth.spec.problems import Problem, Severity
from zeroth.spec.secrets import without_plain_password
from zeroth.spec.validate import validated

__all__ = ["get_ready", "judged"]


def get_ready() -> None:
    """Build what checks the model now, and not when the first answer is there."""
    HostSpec.model_rebuild()


def judged(
    document: Document, known: Known | None = None, *, keep_plain: bool = False
) -> tuple[HostSpec | None, list[Problem], bool]:
    """The host, or None; everything that is wrong; and whether a plain password was hashed.

    :param known: time zones and keyboards; those of this machine when not given.
    :param keep_plain: leave plain passwords as they are; the result is a secret then.
    """
    plain, problems = validated(document)
    wrong = {problem.field for problem in problems}
    problems.extend(it for it in checked(document, known or known_here()) if it.field not in wrong)
    if plain is None or _any_error(problems):
        return None, problems, False
    spec = plain if keep_plain else _hashed(plain, document, problems)
    problems.extend([*_not_done(spec, document), *doubts(spec, document)])
    return (None, problems, False) if _any_error(problems) else (spec, problems, spec != plain)


def _any_error(problems: list[Problem]) -> bool:
    return any(problem.severity is Severity.ERROR for problem in problems)


def _not_done(spec: HostSpec, document: Document) -> list[Problem]:
    return [
        Problem(
            str(gap),
            "The installer refuses the answer." if gap.refused else "The host is made without it.",
            document.place(gap.path),
            Severity.WARNING,
            ".".join(part for part in gap.path if isinstance(part, str)),
        )
        for gap in gaps(spec)
    ]


def _hashed(spec: HostSpec, document: Document, problems: list[Problem]) -> HostSpec:
    try:
        return without_plain_password(spec)
    except UserError as error:
        where = document.place(("root", "password"))
        problems.append(Problem(error.message, error.hint, where, field="root.password"))
        return spec
