"""YAML, read as data with places. Plain YAML only: what surprises or endangers is refused.

Scalars follow YAML 1.2's core rules (as JSON has them): ``no``, ``012`` and ``52:54:00:12:34:56`` are text, which
YAML 1.1 takes for false, ten and a number to base sixty.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from zeroth.spec.document import MOST_VALUES, Document, Path
from zeroth.spec.places import Places
from zeroth.spec.problems import FILE, Problem, Span

__all__ = ["read_yaml", "write_yaml"]

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
    nodes = 0

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _Refused(problem="anchors and aliases (& and *) are not supported", problem_mark=event.start_mark)
        if getattr(event, "tag", None):
            raise _Refused(problem="tags (!) are not supported", problem_mark=event.start_mark)
        self.nodes += 1
        if self.nodes > MOST_VALUES:
            raise _Refused(problem="these are more values than such a file has", problem_mark=event.start_mark)
        if self.depth >= _DEPTH:
            raise _Refused(problem="this is nested too deeply", problem_mark=event.start_mark)
        self.depth += 1
        node: Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


def read_yaml(text: str, example: str = "hostname: xen1.example.com") -> Document:
    """Read a YAML text; what is wrong with it is in the document's problems.

    :param example: how such a file may begin.
    """
    places = Places(text)
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        return Document(None, problems=[_syntax_error(error, places)])
    except yaml.reader.ReaderError as error:
        problem = Problem("a character that YAML does not allow", "Remove it.", places.span(error.position))
        return Document(None, problems=[problem])
    if node is None:
        return Document(None, problems=[Problem("the file says nothing", f"Begin with: {example}")])
    reading = _Reading(places)
    data = reading.value(node, ())
    return Document(data, reading.marks, reading.keys, reading.problems)


class _Dumper(yaml.SafeDumper):
    """Quotes what our own rules would not read as text."""


def _text(dumper: yaml.SafeDumper, value: str) -> ScalarNode:
    # Line ends of all kinds and control characters survive in double quotes only.
    style = '"' if not value.isprintable() else None if isinstance(_plain(value), str) else "'"
    return dumper.represent_scalar(f"{_TAG}str", value, style)


_Dumper.add_representer(str, _text)


def write_yaml(data: object) -> str:
    """Plain data as YAML that :func:`read_yaml` reads back the same."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def _syntax_error(error: yaml.MarkedYAMLError, places: Places) -> Problem:
    mark = error.problem_mark or error.context_mark
    where = places.span(mark.index) if mark else FILE
    said = str(error.problem or error.context or "this is not YAML")
    if error.context and said.startswith("but "):
        said = f"{error.context}, {said}"
    hint = ""
    if "character '\\t'" in said:
        hint = "Indent with spaces, YAML takes no tabs."
    elif "mapping values are not allowed" in said:
        hint = "Put quotes around a value that holds a colon and a space; check the indentation."
    elif "expected a single document" in said:
        hint = "Such a file is one document: remove the line of three hyphens and what follows."
    elif not isinstance(error, _Refused):
        hint = "Check the indentation, the quotes, and the space after each colon."
    return Problem(f"YAML: {said}", hint, where)


class _Reading:
    """Turns nodes into data, and notes where everything stands."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self.marks: dict[Path, Span] = {}
        self.keys: dict[Path, Span] = {}
        self.problems: list[Problem] = []

    def value(self, node: Node, path: Path) -> object:
        """The node's data; ``path`` leads to it."""
        self.marks.setdefault(path, self._span(node))
        if isinstance(node, SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        assert isinstance(node, ScalarNode)
        return node.value if node.style else _plain(node.value)

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in node.value:
            where = self._span(key)
            if not isinstance(key, ScalarNode):
                self.problems.append(Problem("a setting's name must be a plain word", "", where))
                continue
            inner = (*path, key.value)
            if key.value in found:
                message = f"{key.value} is given twice, first in line {self.keys[inner].line}"
                field = ".".join(map(str, inner))
                self.problems.append(Problem(message, "Leave out one of the two.", where, field=field))
                continue
            self.keys[inner] = where
            if not isinstance(value, ScalarNode) or not value.value:
                self.marks[inner] = where
            found[key.value] = self.value(value, inner)
        return found

    def _span(self, node: Node) -> Span:
        return self._places.span(node.start_mark.index, node.end_mark.index)


def _plain(text: str) -> str | int | float | bool | None:
    """A scalar without quotes, by the core rules of YAML 1.2."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if _NUMBER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text
