"""YAML, read as data with places. Plain YAML only: what surprises or endangers is refused.

Scalars follow YAML 1.2's core rules (as JSON has them): ``no``, ``012`` and ``52:54:00:12:34:56`` are text, which
YAML 1.1 takes for false, ten and a number to base sixty.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from zeroth.spec.document import Document, Path
from zeroth.spec.problems import Problem, Span

__all__ = ["read_yaml", "write_yaml"]

_Places = tuple[dict[Path, Span], dict[Path, Span]]
"""Marks and keys, as in :class:`Document`."""
_DEPTH = 16
_TAG = "tag:yaml.org,2002:"
_NUMBER = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]{1,18}|[0-9]{1,18}(\.[0-9]{0,18})?)([eE][-+]?[0-9]{1,3})?")


class _Refused(yaml.MarkedYAMLError):
    """Something that YAML allows and we do not."""


class _Loader(yaml.SafeLoader):
    """Composes nodes; no aliases, no tags, not too deep."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's class attribute
    depth = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _Refused(problem="anchors and aliases (& and *) are not supported", problem_mark=event.start_mark)
        if getattr(event, "tag", None):
            raise _Refused(problem="tags (!) are not supported", problem_mark=event.start_mark)
        if self.depth >= _DEPTH:
            raise _Refused(problem="this is nested too deeply", problem_mark=event.start_mark)
        self.depth += 1
        node: Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read_yaml(text: str) -> Document:
    """Read a YAML text; what is wrong with it is in the document's problems."""
    problems: list[Problem] = []
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        return Document(None, problems=[_syntax_error(error)])
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = len(before) - (before.rfind("\n") + 1) + 1
        where = Span(before.count("\n") + 1, column, column + 1)
        return Document(None, problems=[Problem("a character that YAML does not allow", "Remove it.", where)])
    if node is None:
        return Document(None, problems=[Problem("the file says nothing", "Begin with: hostname: xen1.example.com")])
    marks: dict[Path, Span] = {}
    keys: dict[Path, Span] = {}
    data = _value(node, (), (marks, keys), problems)
    return Document(data, marks, keys, problems)


class _Dumper(yaml.SafeDumper):
    """Quotes what our own rules would not read as text."""


def _text(dumper: yaml.SafeDumper, value: str) -> ScalarNode:
    style = None if isinstance(_plain(value), str) else "'"
    return dumper.represent_scalar(f"{_TAG}str", value, style)


_Dumper.add_representer(str, _text)


def write_yaml(data: object) -> str:
    """Plain data as YAML that :func:`read_yaml` reads back the same."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def _syntax_error(error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    where = Span(mark.line + 1, mark.column + 1, mark.column + 2) if mark else Span(0)
    said = str(error.problem or error.context or "this is not YAML")
    if error.context and said.startswith("but "):
        said = f"{error.context}, {said}"
    hint = ""
    if "character '\\t'" in said:
        hint = "Indent with spaces, YAML takes no tabs."
    elif "mapping values are not allowed" in said:
        hint = "Put quotes around a value that holds a colon and a space; check the indentation."
    elif "expected a single document" in said:
        hint = "An answer is one document: remove the line of three hyphens and what follows."
    elif not isinstance(error, _Refused):
        hint = "Check the indentation, the quotes, and the space after each colon."
    return Problem(f"YAML: {said}", hint, where)


def _value(node: Node, path: Path, places: _Places, problems: list[Problem]) -> object:
    places[0].setdefault(path, _span(node))
    if isinstance(node, SequenceNode):
        return [_value(item, (*path, index), places, problems) for index, item in enumerate(node.value)]
    if isinstance(node, MappingNode):
        return _mapping(node, path, places, problems)
    assert isinstance(node, ScalarNode)
    return node.value if node.style else _plain(node.value)


def _mapping(node: MappingNode, path: Path, places: _Places, problems: list[Problem]) -> dict[str, Any]:
    marks, keys = places
    found: dict[str, Any] = {}
    first: dict[str, Span] = {}
    for key, value in node.value:
        where = _span(key)
        if not isinstance(key, ScalarNode):
            problems.append(Problem("a setting's name must be a plain word", "", where))
            continue
        name = key.value
        if name in found:
            message = f"{name} is given twice, first in line {first[name].line}"
            problems.append(
                Problem(message, "Leave out one of the two.", where, field=".".join(map(str, (*path, name))))
            )
            continue
        first[name] = keys[*path, name] = where
        if not isinstance(value, ScalarNode) or not value.value:
            marks[*path, name] = where
        found[name] = _value(value, (*path, name), places, problems)
    return found


def _span(node: Node) -> Span:
    start, end = node.start_mark, node.end_mark
    last = end.column + 1 if end.line == start.line else start.column + 2
    return Span(start.line + 1, start.column + 1, max(last, start.column + 2))


def _plain(text: str) -> str | int | float | bool | None:
    """A scalar without quotes, by the core rules of YAML 1.2."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if _NUMBER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
