"""Passwords: hashed as soon as they are read, and never shown.

Python 3.13 has no ``crypt`` module any more. libxcrypt's ``libcrypt.so.1`` is what login itself uses to check the
result, is part of every Debian (libpam-modules needs it) and knows yescrypt, so it is called here by ctypes;
docs/decisions/0005-password-hashes.md says what else there was.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from functools import cache
from typing import Any, TypeVar

from zeroth.errors import ExitCode, UserError
from zeroth.spec.model import HIDDEN, REVEALED, SECRET_NAMES, HostSpec, RootLogin, UserSpec

__all__ = ["hash_password", "redacted", "secret_values", "secrets_in", "verify_password", "without_plain_password"]

_YESCRYPT = b"$y$"
_OUTPUT_SIZE = 384  # CRYPT_OUTPUT_SIZE and CRYPT_GENSALT_OUTPUT_SIZE are no larger
_DATA_SIZE = 32768  # sizeof(struct crypt_data)
_LONGEST = 512  # CRYPT_MAX_PASSPHRASE_SIZE
_Login = TypeVar("_Login", RootLogin, UserSpec)


def hash_password(password: str) -> str:
    """A yescrypt hash with a salt of its own, at libcrypt's default cost.

    :raises UserError: the password cannot be hashed (too long, a NUL in it), or there is no libcrypt.
    """
    salt = os.urandom(16)
    setting = ctypes.create_string_buffer(_OUTPUT_SIZE)
    made = _libcrypt().crypt_gensalt_rn(_YESCRYPT, 0, salt, len(salt), setting, _OUTPUT_SIZE)
    if not made:
        raise UserError("libcrypt knows no yescrypt", "libxcrypt 4.3 or newer is needed.", code=ExitCode.MACHINE)
    return _crypt(password, setting.value)


def verify_password(password: str, hashed: str) -> bool:
    """Whether a password fits a hash."""
    try:
        return _crypt(password, hashed.encode()) == hashed
    except UserError:
        return False


def without_plain_password(spec: HostSpec) -> HostSpec:
    """The same host with the hashes of its passwords in the place of the passwords.

    :raises UserError: as :func:`hash_password`.
    """
    users = tuple(_hashed(user) for user in spec.users)
    return spec.model_copy(update={"root": _hashed(spec.root), "users": users})


def _hashed(login: _Login) -> _Login:
    if login.password is None:
        return login
    hashed = hash_password(login.password.get_secret_value())
    return login.model_copy(update={"password": None, "password_hash": hashed})


def redacted(spec: HostSpec) -> dict[str, Any]:
    """A HostSpec as plain JSON data with its secrets hidden; fit to show and to log."""
    return {name: _hidden(name, value) for name, value in spec.model_dump(mode="json").items()}


def secret_values(spec: HostSpec) -> frozenset[str]:
    """Every secret of a HostSpec, in plain: what must stand in no log."""
    return frozenset(secrets_in(spec.model_dump(mode="json", context=REVEALED)))


def secrets_in(data: Any, name: str = "") -> Iterator[str]:  # noqa: ANN401 - JSON
    """The secrets in plain data of a HostSpec.

    :param name: of the field that the data is of.
    """
    if isinstance(data, dict):
        for inner, item in data.items():
            yield from secrets_in(item, inner)
    elif isinstance(data, list):
        for item in data:
            yield from secrets_in(item, name)
    elif name in SECRET_NAMES and isinstance(data, str):
        yield data


def _hidden(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {inner: _hidden(inner, item) for inner, item in value.items()}
    if isinstance(value, list):
        return [_hidden(name, item) for item in value]
    return HIDDEN if name in SECRET_NAMES and value is not None else value


def _crypt(password: str, setting: bytes) -> str:
    phrase = password.encode()
    if b"\0" in phrase or len(phrase) >= _LONGEST:
        raise UserError(f"a password is at most {_LONGEST - 1} bytes long and holds no NUL", "Choose another.")
    data = ctypes.create_string_buffer(_DATA_SIZE)
    try:
        result = _libcrypt().crypt_rn(phrase, setting, data, _DATA_SIZE)
        if not result:
            raise UserError("libcrypt does not know this kind of password hash", code=ExitCode.MACHINE)
        return bytes(result).decode("ascii")
    finally:
        # It holds the password.
        ctypes.memset(data, 0, _DATA_SIZE)


@cache
def _libcrypt() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libcrypt.so.1", use_errno=True)
        library.crypt_rn.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int]
        library.crypt_rn.restype = ctypes.c_char_p
        library.crypt_gensalt_rn.argtypes = [
            ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_int,
        ]  # fmt: skip
        library.crypt_gensalt_rn.restype = ctypes.c_char_p
    except (OSError, AttributeError):
        raise UserError(
            "libcrypt.so.1 is missing, without which passwords cannot be hashed",
            "Install libcrypt1 (Debian), or give the password's hash instead.",
            code=ExitCode.MACHINE,
        ) from None
    return library
