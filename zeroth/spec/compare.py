"""Two hosts compared, setting by setting."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zeroth.spec.model import HIDDEN, REVEALED, SECRET_NAMES, HostSpec, RootLogin, UserSpec
from zeroth.spec.secrets import verify_password

__all__ = ["Change", "compared"]

# By which member the items of a list are told apart, so that one more in front does not change all that follow.
_NAMED_BY = ("name", "nic")
_Login = RootLogin | UserSpec


@dataclass(frozen=True)
class Change:
    """A setting that differs.

    :ivar path: ``networks[Storage].vlan``; items of a list go by their names where they have such.
    :ivar before: its value in the first host; None when it has none. A secret is ``***``.
    :ivar after: its value in the second host.
    """

    path: str
    before: Any
    after: Any

    def as_json(self) -> dict[str, Any]:
        """Flat, for ``--json``."""
        return {"field": self.path, "before": self.before, "after": self.after}


def compared(one: HostSpec, other: HostSpec) -> list[Change]:
    """What differs, in the order of HostSpec's fields. No secret is told, only that it differs.

    :param one: as is ``other``, read with ``keep_plain``: a plain password is the same as its hash. Two hashes with
        different salts are different, since what they are of is not known.
    """
    first, second = _data(one), _data(other)
    _settle(first["root"], second["root"], one.root, other.root)
    logins = {user.name: user for user in other.users}
    theirs = {user["name"]: user for user in second["users"]}
    for user, mine in zip(one.users, first["users"], strict=True):
        if user.name in logins:
            _settle(mine, theirs[user.name], user, logins[user.name])
    return list(_differences("", first, second))


def _data(spec: HostSpec) -> dict[str, Any]:
    data: dict[str, Any] = spec.model_dump(mode="json", context=REVEALED)
    for login, values in ((spec.root, data["root"]), *zip(spec.users, data["users"], strict=True)):
        # Plain ones are written as stars, which are all alike.
        values["password"] = login.password.get_secret_value() if login.password else values.pop("password_hash")
        values.pop("password_hash", None)
    return data


def _settle(mine: dict[str, Any], theirs: dict[str, Any], one: _Login, other: _Login) -> None:
    """Make the two the same where one holds the password and the other its hash."""
    for login, hashed in ((one, other.password_hash), (other, one.password_hash)):
        if login.password and hashed and verify_password(login.password.get_secret_value(), hashed):
            mine["password"] = theirs["password"] = hashed


def _differences(path: str, one: Any, other: Any) -> Iterator[Change]:  # noqa: ANN401 - JSON
    if one == other:
        return
    if isinstance(one, dict) and isinstance(other, dict):
        for name in dict.fromkeys((*one, *other)):
            yield from _differences(f"{path}.{name}".lstrip("."), one.get(name), other.get(name))
        return
    if isinstance(one, list) and isinstance(other, list) and any(isinstance(it, dict) for it in (*one, *other)):
        first, second = _by_key(one), _by_key(other)
        for key in dict.fromkeys((*first, *second)):
            yield from _differences(f"{path}[{key}]", first.get(key), second.get(key))
        return
    yield Change(path, _shown(path, one), _shown(path, other))


def _by_key(items: Sequence[Any]) -> dict[str, Any]:
    """The items by name, or by position where they have none or share one."""
    names = [next((item[it] for it in _NAMED_BY if item.get(it)), None) for item in items]
    unique = None not in names and len(set(names)) == len(names)
    return dict(zip(map(str, names if unique else range(len(items))), items, strict=True))


def _shown(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    """The value with its secrets hidden."""
    if isinstance(value, Mapping):
        return {inner: _shown(inner, item) for inner, item in value.items()}
    if isinstance(value, list):
        return [_shown(name, item) for item in value]
    return HIDDEN if name.rpartition(".")[2] in SECRET_NAMES and value is not None else value
