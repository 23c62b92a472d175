"""A TOML answer being worked through: whatever nobody asked for is wrong, as it is to Proxmox's own installer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zeroth.spec.document import Path
from zeroth.spec.importers.draft import Draft
from zeroth.spec.problems import FILE, Span, closest

__all__ = ["Table"]


class Table:
    """A table of the answer.

    Keys are written with hyphens; the older spelling with underscores is understood as well.

    :param path: to it, as it is written.
    """

    def __init__(
        self,
        data: Mapping[str, Any],
        path: Path,
        draft: Draft,
        places: tuple[Mapping[Path, Span], Mapping[Path, Span]],
    ) -> None:
        self.draft = draft
        self._data = data
        self._path = path
        self._marks, self._keys = places
        self._written: dict[str, str] = {}
        self._asked: dict[str, None] = {}
        for name in data:
            plain = name.replace("_", "-")
            if plain in self._written:
                draft.wrong(f"{plain} is given twice, in both spellings", "Leave out one of the two.", self._key(name))
            self._written.setdefault(plain, name)

    @property
    def name(self) -> str:
        """As in ``disk-setup.zfs``; empty for the whole file."""
        return ".".join(str(part).replace("_", "-") for part in self._path)

    @property
    def where(self) -> Span:
        """Of its head."""
        return self._marks.get(self._path, FILE)

    @property
    def names(self) -> list[str]:
        """The keys that are given, in their present spelling."""
        return list(self._written)

    def full(self, name: str) -> str:
        """The name of a key with its table's."""
        return f"{self.name}.{name}" if self.name else name

    def place(self, name: str, *more: str | int) -> Span:
        """Of a value; of the table when it is not there."""
        written = self._written.get(name)
        if written is None:
            return self.where
        path: Path = (*self._path, written, *more)
        while path not in self._marks and len(path) > len(self._path):
            path = path[:-1]
        return self._marks.get(path, FILE)

    def _key(self, written: str) -> Span:
        return self._keys.get((*self._path, written), self.where)

    def has(self, name: str) -> bool:
        """Whether a key is given."""
        self._asked[name] = None
        return name in self._written

    def is_table(self, name: str) -> bool:
        """Whether a key holds a table."""
        return isinstance(self._value(name), dict)

    def text(self, name: str, *choices: str) -> str | None:
        """A text, one of some where choices are given; None (and an error) when it is something else."""
        value = self._value(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.draft.wrong(f"{self.full(name)} is not text", "Put quotes around it.", self.place(name))
            return None
        if choices and value not in choices:
            guess = closest(value, choices)
            hint = f"Did you mean {guess}?" if guess else f"One of {', '.join(choices)}."
            self.draft.wrong(f"{self.full(name)}: {value!r} is unknown", hint, self.place(name))
            return None
        return value

    def flag(self, name: str) -> bool | None:
        """True or false."""
        value = self._value(name)
        if value is not None and not isinstance(value, bool):
            hint = "Write true or false, without quotes."
            self.draft.wrong(f"{self.full(name)} is neither true nor false", hint, self.place(name))
            return None
        return value

    def texts(self, name: str) -> list[str]:
        """A list of texts."""
        value = self._value(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            hint = 'As in ["one", "two"].'
            self.draft.wrong(f"{self.full(name)} is not a list of texts", hint, self.place(name))
            return []
        return value

    def table(self, name: str) -> Table | None:
        """A table in this one."""
        value = self._value(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            hint = f"Write [{self.full(name)}]."
            # What it would have said is not missing as well.
            self.draft.wrong(f"{self.full(name)} is not a table", hint, self.place(name), "hostname", "root")
            return None
        return Table(value, (*self._path, self._written[name]), self.draft, (self._marks, self._keys))

    def patterns(self, name: str) -> dict[str, str]:
        """A table of texts under names that are not settings; empty when there is none."""
        table = self.table(name)
        if table is None:
            return {}
        return table.all_texts()

    def all_texts(self) -> dict[str, str]:
        """Everything in this table, which must be texts."""
        for key, value in self._data.items():
            if not isinstance(value, str):
                self.draft.wrong(f"{self.full(key)} is not text", "Put quotes around it.", self._key(key))
        return {key: value for key, value in self._data.items() if isinstance(value, str)}

    def drop(self, name: str, why: str) -> None:
        """List a key as left out, if it is given."""
        if self.has(name):
            self.draft.left_out(f"{self.full(name)} has no counterpart", why, self._key(self._written[name]))

    def finish(self) -> None:
        """Refuse what nobody asked for."""
        for plain, written in self._written.items():
            if plain not in self._asked:
                guess = closest(plain, self._asked)
                hint = f"Did you mean {guess}?" if guess else f"Known here: {', '.join(self._asked)}."
                self.draft.wrong(f"unknown setting {self.full(plain)}", hint, self._key(written))

    def _value(self, name: str) -> Any:  # noqa: ANN401 - what TOML holds
        return self._data[self._written[name]] if self.has(name) else None
