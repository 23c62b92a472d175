"""Templates: a value that a template needs and does not get is an error, never an empty string."""

from __future__ import annotations

from jinja2 import Environment, PackageLoader, StrictUndefined

__all__ = ["render"]

_ENVIRONMENT = Environment(
    loader=PackageLoader("images"),
    undefined=StrictUndefined,
    keep_trailing_newline=True,
    trim_blocks=True,
    lstrip_blocks=True,
    autoescape=False,  # noqa: S701 - these are configuration files, not HTML
)


def render(template: str, **values: object) -> str:
    """The text of a template of this package with these values."""
    return _ENVIRONMENT.get_template(template).render(**values)
