"""XML, read as elements with places, by a parser that follows nothing.

A DTD is refused altogether, and with it entities of one's own and references to other files (XML external entities,
"billion laughs"); size, depth and number of elements have limits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl, InputSource, Locator

from defusedxml.common import DefusedXmlException
from defusedxml.sax import make_parser

from zeroth.spec.document import MOST_VALUES
from zeroth.spec.places import Places
from zeroth.spec.problems import Problem, Span

__all__ = ["Attribute", "Element", "XmlWrong", "read_tree"]

_DEPTH = 16
_NAME = re.compile(r"<([^\s/>]+)")
_ATTRIBUTE = re.compile(r"""\s+([^\s=]+)\s*=\s*("[^"]*"|'[^']*')""")
_TEXT = re.compile(r"\s*/?>\s*([^<]*)")


class XmlWrong(Exception):
    """It cannot be read.

    :param problem: why, and where.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True)
class Attribute:
    """The value of an attribute, without spaces around it.

    :ivar where: of the value.
    """

    value: str
    where: Span


@dataclass
class Element:
    """An element.

    :ivar where: of its name in the start tag.
    :ivar inside: of its text, or of its name when it has none.
    """

    name: str
    where: Span
    inside: Span
    attributes: dict[str, Attribute] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    text: str = ""

    def below(self) -> Iterator[Element]:
        """All elements in this one, at any depth, in the order of the file."""
        for child in self.children:
            yield child
            yield from child.below()


def read_tree(text: str) -> Element:
    """Read a text.

    :returns: its root element.
    :raises XmlWrong: it is not XML, or XML of a kind that is refused.
    """
    # A lone carriage return is a space to us and a line end to the parser, whose line numbers would then differ.
    text = text.replace("\r", " ")
    handler = _Handler(text)
    parser = make_parser()
    parser.forbid_dtd = True
    parser.setContentHandler(handler)
    source = InputSource()
    # The text was decoded already, whatever its declaration says.
    source.setEncoding("utf-8")  # type: ignore[no-untyped-call]
    source.setByteStream(BytesIO(text.encode()))  # type: ignore[no-untyped-call]
    try:
        parser.parse(source)
    except SAXParseException as error:
        where = handler.place(error.getLineNumber() or 1, error.getColumnNumber() or 0)
        hint = "Check tags, quotes and `&` (which is written `&amp;`) at this place and just before it."
        raise XmlWrong(Problem(f"XML: {error.getMessage()}", hint, where)) from None
    except DefusedXmlException:
        message = "a DTD (<!DOCTYPE ...>) is refused: it could define entities or fetch other files"
        raise XmlWrong(Problem(message, "Remove it.", handler.here())) from None
    assert handler.root is not None
    return handler.root


class _Handler(ContentHandler):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.root: Element | None = None
        self._text = text
        self._places = Places(text)
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._open: list[Element] = []
        self._count = 0
        self._locator: Locator | None = None

    def setDocumentLocator(self, locator: Locator) -> None:  # noqa: N802 - the names that xml.sax calls
        self._locator = locator

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        self._count += 1 + len(attrs)
        if self._count > MOST_VALUES:
            raise XmlWrong(Problem("these are more elements than an answer has", "Is it the right file?", self.here()))
        if len(self._open) >= _DEPTH:
            raise XmlWrong(Problem("this is nested too deeply", "Is it the right file?", self.here()))
        element = self._element(name, attrs)
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def endElement(self, name: str) -> None:  # noqa: N802
        element = self._open.pop()
        element.text = element.text.strip()

    def characters(self, content: str) -> None:
        self._open[-1].text += content

    def here(self) -> Span:
        """Where the parser is."""
        offset = self._offset()
        return self._places.span(offset, offset + 1)

    def place(self, line: int, column: int) -> Span:
        """One character, of a line from 1 and a column from 0."""
        return self._places.span(self._starts[min(line, len(self._starts)) - 1] + column)

    def _offset(self) -> int:
        assert self._locator is not None
        line: int = self._locator.getLineNumber() or 1  # type: ignore[no-untyped-call]
        column: int = self._locator.getColumnNumber() or 0  # type: ignore[no-untyped-call]
        return self._starts[min(line, len(self._starts)) - 1] + column

    def _element(self, name: str, attrs: AttributesImpl) -> Element:
        start = self._offset()
        match = _NAME.match(self._text, start)
        if match is None:
            where = self._places.span(start)
            places: dict[str, Span] = {}
            inside = where
        else:
            where = self._places.span(match.start(1), match.end(1))
            places, at = {}, match.end()
            while given := _ATTRIBUTE.match(self._text, at):
                places[given[1]] = self._places.span(given.start(2) + 1, given.end(2) - 1)
                at = given.end()
            words = _TEXT.match(self._text, at)
            inside = self._places.span(*words.span(1)) if words and words[1].strip() else where
        attributes = {key: Attribute(str(value).strip(), places.get(key, where)) for key, value in attrs.items()}
        return Element(name, where, inside, attributes)
