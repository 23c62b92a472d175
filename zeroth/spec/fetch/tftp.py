"""An answer by TFTP (RFC 1350), with BusyBox's client. Nothing protects it on its way: sign it."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from zeroth.errors import UserError
from zeroth.keys.signing import SIGNATURE_LIMIT, SIGNATURE_SUFFIX
from zeroth.spec.answer import SIZE_LIMIT
from zeroth.spec.fetch.found import Found, Unreachable, failed, unreachable
from zeroth.system.run import CommandFailed, run

__all__ = ["fetch_tftp"]

_PORT = 69
_LONGEST = 60.0  # seconds; BusyBox gives up by itself after about 15 s of silence
_MISSING = ("file not found", "(1)")


def fetch_tftp(url: str, *, signature: bool = False, longest: float = _LONGEST) -> Found:
    """Fetch ``tftp://SERVER[:PORT]/PATH``.

    :param signature: fetch what lies beside the answer as ``.minisig`` too, if there is such.
    :param longest: seconds that the answer may take to come.
    :raises Unreachable: the server is silent, or stops in the middle.
    :raises UserError: it cannot be had.
    """
    try:
        parts = urlsplit(url)
        server, port = parts.hostname, parts.port or _PORT
    except ValueError:
        server, port = None, _PORT
    path = unquote(parts.path).lstrip("/") if server else ""
    if not server or not path or server.startswith("-") or not path.isprintable():
        raise UserError("the address of the answer is malformed", "As in tftp://192.0.2.1/host1.ks")
    data = _get(url, server, port, path, SIZE_LIMIT, longest)
    beside = b""
    if signature:
        try:
            beside = _get(url, server, port, path + SIGNATURE_SUFFIX, SIGNATURE_LIMIT, longest)
        except Unreachable:
            raise
        except UserError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
    return Found(data, PurePosixPath(path).name, url, beside.decode(errors="replace"))


def _get(url: str, server: str, port: int, path: str, limit: int, longest: float) -> bytes:
    with tempfile.TemporaryDirectory(prefix="zeroth-tftp-") as folder:
        target = Path(folder) / "answer"
        # What is larger than an answer may be ends with a signal, and not with a full memory.
        limited = ["prlimit", f"--fsize={limit + 1}", "busybox", "tftp"]
        try:
            run([*limited, "-g", "-r", path, "-l", os.fspath(target), server, str(port)], timeout=longest)
        except CommandFailed as error:
            if target.exists() and target.stat().st_size > limit:
                return target.read_bytes()
            said = error.completed.stderr.lower()
            if "server error" in said:
                missing = FileNotFoundError() if any(it in said for it in _MISSING) else None
                raise failed(url, f"the server says: {_last(said)}") from missing
            if error.completed.status in (126, 127):
                raise
            raise unreachable(url, _last(said) or f"it did not come within {longest:g} s") from None
        return target.read_bytes()


def _last(said: str) -> str:
    lines = [line.removeprefix("tftp: ").removeprefix("server error: ") for line in said.splitlines() if line.strip()]
    return "".join(char for char in lines[-1] if char.isprintable()) if lines else ""
