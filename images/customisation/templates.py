"""The user's templates: Jinja2 in its sandbox; what a template needs and does not get is an error with its line."""

from __future__ import annotations

import traceback
from collections.abc import Mapping

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.sandbox import SandboxedEnvironment

__all__ = ["TemplateProblem", "rendered"]


class TemplateProblem(Exception):
    """A template that cannot be rendered.

    :ivar line: of the template, from 1; 0 where it is not known.
    """

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


def rendered(text: str, variables: Mapping[str, object]) -> str:
    """The text of a template with these values.

    :raises TemplateProblem: it is malformed, or needs a value that is not there.
    """
    environment = SandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True,
                                       lstrip_blocks=True, autoescape=False)  # fmt: skip
    try:
        template = environment.from_string(text)
        return template.render(variables)
    except TemplateSyntaxError as error:
        raise TemplateProblem(f"this is not a template: {error.message}", error.lineno) from None
    except UndefinedError as error:
        raise TemplateProblem(str(error.message), _line(error)) from None
    except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise TemplateProblem(f"it cannot be rendered: {error}", _line(error)) from None


def _line(error: Exception) -> int:
    """The line of the template that an error came from: Jinja2 puts it into the traceback, in frames of its own."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == "<template>"]
    return lines[-1] or 0 if lines else 0
