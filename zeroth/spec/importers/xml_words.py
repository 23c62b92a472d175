"""An XML answer being worked through: whatever nobody asked for is listed at the end."""

from __future__ import annotations

from zeroth.spec.importers.draft import Draft
from zeroth.spec.importers.xml_tree import Attribute, Element
from zeroth.spec.problems import Span, closest

__all__ = ["XmlAnswer"]

_TRUE = ("yes", "true")
_FALSE = ("no", "false")


class XmlAnswer:
    """The elements below a root, looked up as XenServer's installer does: at any depth, the first one wins.

    :param draft: gets what is to be said.
    """

    def __init__(self, root: Element, draft: Draft) -> None:
        self.root = root
        self.draft = draft
        self._elements = list(root.below())
        self._asked: set[int] = {id(root)}
        self._attributes_asked: set[tuple[int, str]] = set()
        self._texts_asked: set[int] = set()
        self._names: set[str] = set()
        self._attribute_names: dict[str, set[str]] = {}

    def every(self, *names: str) -> list[Element]:
        """All elements with one of some names (the later ones are older spellings), in the order of the file."""
        self._names.update(names)
        found = [element for element in self._elements if element.name in names]
        self._asked.update(map(id, found))
        return found

    def first(self, *names: str) -> Element | None:
        """The element that counts; further ones are listed as left out."""
        found = self.every(*names)
        found.sort(key=lambda element: names.index(element.name))
        for other in found[1:]:
            self.drop(other, f"The first one, in line {found[0].where.line}, counts.", "is given again")
        return found[0] if found else None

    def attribute(self, element: Element, *names: str) -> Attribute | None:
        """An attribute, under its present or an older name."""
        self._attribute_names.setdefault(element.name, set()).update(names)
        self._attributes_asked.update((id(element), name) for name in names)
        given = [element.attributes[name] for name in names if name in element.attributes]
        return given[0] if given else None

    def required(self, element: Element, name: str, choices: tuple[str, ...]) -> Attribute | None:
        """An attribute without which the element says nothing; None (and an error) when it is missing or nonsense."""
        found = self.attribute(element, name)
        if found is None:
            hint = f'As in <{element.name} {name}="{choices[0]}">; also: {", ".join(choices[1:])}.'
            self.draft.wrong(f"<{element.name}> has no {name}", hint, element.where)
        elif found.value not in choices:
            guess = closest(found.value, choices)
            hint = f"Did you mean {guess}?" if guess else f"One of {', '.join(choices)}."
            self.draft.wrong(f"{name}={found.value!r} of <{element.name}> is unknown", hint, found.where)
            return None
        return found

    def text(self, element: Element) -> str:
        """What stands in an element."""
        self._texts_asked.add(id(element))
        return element.text

    def flag(self, element: Element, name: str, older: str = "", *, default: bool) -> tuple[bool, Span | None]:
        """A true or false attribute, and where it is written (None: it is not).

        XenServer takes everything but ``yes`` and ``true`` for false; so does this, and says so.
        """
        found = self.attribute(element, name, *([older] if older else []))
        if found is None:
            return default, None
        value = found.value.lower()
        if value not in (*_TRUE, *_FALSE):
            message = (
                f"{name}={found.value!r} is neither true nor false: XenServer takes it for false, and so it is taken"
            )
            self.draft.warn(message, "Write true or false.", found.where)
        return value in _TRUE, found.where

    def drop(self, element: Element, why: str, what: str = "has no counterpart") -> None:
        """List an element as left out, with all that belongs to it."""
        self._asked.add(id(element))
        self._texts_asked.add(id(element))
        self._attributes_asked.update((id(element), name) for name in element.attributes)
        self.draft.left_out(f"<{element.name}> {what}", why, element.where)
        for child in element.below():
            self._asked.add(id(child))
            self._texts_asked.add(id(child))
            self._attributes_asked.update((id(child), name) for name in child.attributes)

    def leftovers(self) -> None:
        """List what nobody asked for. XenServer passes over what it does not know without a word."""
        for element in (self.root, *self._elements):
            if id(element) not in self._asked:
                guess = closest(element.name, self._names)
                hint = f"Did you mean <{guess}>?" if guess else "XenServer does not know it either."
                self.drop(element, hint, "is unknown")
                continue
            for name, attribute in element.attributes.items():
                if (id(element), name) not in self._attributes_asked:
                    guess = closest(name, self._attribute_names.get(element.name, ()))
                    hint = f"Did you mean {guess}?" if guess else "XenServer does not know it either."
                    self.draft.left_out(f"{name}= of <{element.name}> is unknown", hint, attribute.where)
            if element.text and id(element) not in self._texts_asked:
                self.draft.left_out(f"the text in <{element.name}> means nothing", "Remove it.", element.inside)
