"""An answer by HTTP or HTTPS: verified, tried again, limited in size."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.retry import Retry

from zeroth.errors import ExitCode, UserError
from zeroth.spec.answer import SIZE_LIMIT, AnswerText

__all__ = ["fetch_answer", "without_password"]

_TIMEOUT = (10.0, 30.0)  # seconds to connect, and between two pieces
_RETRY = Retry(
    total=6, backoff_factor=1, status_forcelist=(429, 500, 502, 503, 504), allowed_methods=("GET",), redirect=5
)  # fmt: skip
_CHUNK = 1 << 16
_AS_IN = "As in https://server.example.com/host1.ks"


def fetch_answer(
    url: str, *, authorities: str = "", retry: Retry = _RETRY, session: requests.Session | None = None
) -> AnswerText:
    """Fetch an answer.

    The certificate is verified against the system's authorities and those that are given. An address that begins with
    https never leads to one that does not. A user and password in the address are used, and left out of what is shown.

    :param authorities: certificates in PEM.
    :raises UserError: it cannot be had; the reason is named.
    """
    try:
        where = urlsplit(url)
        shown = without_password(url)
    except ValueError:
        raise UserError("the address of the answer is malformed", _AS_IN) from None
    if not where.hostname:
        raise UserError(f"{shown} names no server", _AS_IN)
    client = session or requests.Session()
    # No proxies or .netrc of whoever runs this.
    client.trust_env = False
    client.mount("https://", HTTPAdapter(max_retries=retry))
    client.mount("http://", HTTPAdapter(max_retries=retry))
    try:
        with (
            client,
            _trusting(client, authorities),
            client.get(url, timeout=_TIMEOUT, stream=True, allow_redirects=False) as first,
        ):
            response = _followed(client, first, where.scheme)
            with response:
                if response.status_code != requests.codes.ok:
                    raise _failed(shown, f"the server answered {response.status_code} {response.reason}")
                data = _limited(response)
    except requests.exceptions.SSLError as error:
        hint = (
            "The installer trusts the usual authorities, and those embedded in the medium (zeroth iso embed --ca); "
            "check the server's certificate and the machine's clock."
        )
        raise _failed(shown, f"the server's certificate does not verify ({_reason(error)})", hint) from None
    except requests.exceptions.RequestException as error:
        raise _failed(shown, _reason(error)) from None
    name = PurePosixPath(unquote(where.path)).name or "answer"
    return AnswerText.from_stream(io.BytesIO(data), name, shown)


@contextmanager
def _trusting(client: requests.Session, authorities: str) -> Iterator[None]:
    """For the time of the block, the client trusts further authorities too."""
    if not authorities:
        yield
        return
    # requests takes one file: it holds the usual authorities as well.
    with tempfile.NamedTemporaryFile(suffix=".pem") as bundle:
        bundle.write(Path(DEFAULT_CA_BUNDLE_PATH).read_bytes() + b"\n" + authorities.encode())
        bundle.flush()
        client.verify = bundle.name
        yield


def _followed(client: requests.Session, response: requests.Response, scheme: str) -> requests.Response:
    for _ in range(5):
        following = response.next
        if following is None:
            return response
        if scheme == "https" and not str(following.url).startswith("https://"):
            raise _failed(without_password(response.url), "it leads from https to an address without it")
        response.close()
        response = client.send(following, timeout=_TIMEOUT, stream=True, allow_redirects=False)
    raise _failed(without_password(response.url), "it leads on and on")


def _limited(response: requests.Response) -> bytes:
    """The body, or a little more than the limit of it: what reads it then says that it is too large."""
    data = bytearray()
    for piece in response.iter_content(_CHUNK):
        data += piece
        if len(data) > SIZE_LIMIT:
            break
    return bytes(data)


def _failed(shown: str, reason: str, hint: str = "") -> UserError:
    hint = hint or "Check the address, and that this machine's network reaches the server."
    return UserError(f"cannot fetch the answer from {shown}: {reason}", hint, code=ExitCode.MACHINE)


def _reason(error: Exception) -> str:
    """The innermost cause, which is the one that says something; never the address, which may hold a password."""
    cause: object = error
    while isinstance(cause, BaseException):
        inner = getattr(cause, "reason", None) or (cause.args[0] if cause.args else None)
        if not isinstance(inner, BaseException):
            break
        cause = inner
    text = str(getattr(cause, "strerror", None) or getattr(cause, "verify_message", None) or type(cause).__name__)
    return text.removeprefix("HTTPSConnectionPool").strip()


def without_password(url: str) -> str:
    """An address as it may be shown: without user, password and query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
