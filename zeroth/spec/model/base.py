"""What all parts of HostSpec have in common, and how secrets are kept out of sight.

The modules of this package do not put off their annotations (``from __future__ import annotations``): pydantic would
compile each of them by itself, which is a good part of the linter's time.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer, SecretStr, SerializationInfo

__all__ = ["HIDDEN", "REVEALED", "SECRET_NAMES", "STORED", "Model", "Password", "Secret", "Switch", "without_secrets"]

STORED = {"stored": True}
"""Validation context for a host's own stored answer, from which secrets leave once they are used."""

REVEALED = {"revealed": True}
"""Serialisation context for what only root may read: without it, secrets are written as ``***``."""

HIDDEN = "***"

SECRET_NAMES = frozenset({"password", "password_hash", "secret", "token"})
"""Every field with such a name is a secret, and no other field is one. Cf. the test of the model."""

Switch = Annotated[bool, Field(strict=True)]
"""True or false, and nothing that only looks like it."""


class Model(BaseModel):
    """Values: frozen, and nothing unknown is let through.

    Defaults that are models themselves are made by ``model_construct()``: what checks a model is built when it is
    first needed, and of most there is only need as a part of HostSpec's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


def _not_hidden(value: SecretStr) -> SecretStr:
    if value.get_secret_value() == HIDDEN:
        raise ValueError(f"{HIDDEN} stands where a secret was hidden: write the secret itself")
    return value


def _checked(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not text or len(text) > 512 or not text.isprintable():
        raise ValueError("a secret has 1 to 512 printable characters")
    return value


def _written(value: SecretStr | None, info: SerializationInfo) -> str | None:
    if value is None:
        return None
    return value.get_secret_value() if info.context == REVEALED else HIDDEN


Password = Annotated[SecretStr, AfterValidator(_not_hidden)]
"""What somebody logs in to the host with. It is hashed before anything is stored."""

Secret = Annotated[
    SecretStr,
    AfterValidator(_not_hidden),
    AfterValidator(_checked),
    PlainSerializer(_written, return_type=str, when_used="json"),
]
"""A secret that cannot be hashed, because the host has to say it to somebody: a token, a CHAP or BMC password."""


def without_secrets(data: Any) -> Any:  # noqa: ANN401 - JSON
    """Plain data of a HostSpec with null in the place of every secret."""
    if isinstance(data, dict):
        return {name: None if name in SECRET_NAMES else without_secrets(value) for name, value in data.items()}
    return [without_secrets(value) for value in data] if isinstance(data, list) else data
