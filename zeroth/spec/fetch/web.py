"""An answer by HTTP or HTTPS, from one address, in one try."""

from __future__ import annotations

import http.client
import ssl
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from zeroth.errors import UserError
from zeroth.keys.signing import SIGNATURE_BEGINS, SIGNATURE_LIMIT, SIGNATURE_SUFFIX
from zeroth.spec.answer import ENDINGS, SIZE_LIMIT
from zeroth.spec.fetch.found import Found, failed, unreachable, without_password
from zeroth.spec.fetch.pins import CertificatePin, Pin, PinnedAdapter, WrongKey

__all__ = ["BUSY", "Trust", "explained", "fetch_web", "trusting"]

_TIMEOUT = (10.0, 30.0)  # seconds to connect, and between two pieces
_LONGEST = 120.0  # seconds for a body: an answer is a page or two
_CHUNK = 1 << 16
_MOST_REDIRECTIONS = 5
_AS_IN = "As in https://server.example.com/host1.ks"
BUSY = (408, 425, 429, 500, 502, 503, 504)
# What an address that has no ending holds; text/plain is what servers say of kickstart files.
_ENDING_OF = {
    "application/json": ".json", "application/yaml": ".yaml", "application/x-yaml": ".yaml", "text/yaml": ".yaml",
    "text/x-yaml": ".yaml", "application/toml": ".toml", "application/xml": ".xml", "text/xml": ".xml",
    "text/plain": ".ks", "text/x-kickstart": ".ks",
}  # fmt: skip
_TRUST_HINT = (
    "The installer trusts the usual authorities, and those embedded in the medium (zeroth iso embed --ca); check the "
    "server's certificate, or name its key: zeroth.answer_pin=sha256//..."
)
# X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED.
_DATES = (9, 10)


@dataclass(frozen=True)
class Trust:
    """By what a server is known, and what it is told.

    :ivar authorities: certificates in PEM, besides the usual ones.
    :ivar pins: keys or certificates that it may have; where there are any, authorities and dates do not count.
    :ivar token: sent as bearer token, by https only, and to no other server that the first one leads to.
    """

    authorities: str = ""
    pins: tuple[Pin | CertificatePin, ...] = ()
    token: str = field(default="", repr=False)


_USUAL = Trust()


def fetch_web(
    url: str,
    trust: Trust = _USUAL,
    *,
    headers: Mapping[str, str] | None = None,
    signature: bool = False,
    longest: float = _LONGEST,
) -> Found:
    """Fetch an answer.

    An address that begins with https never leads to one that does not. A user and password in the address are used,
    and left out of what is shown.

    :param headers: sent with the request, so that the server can choose the answer.
    :param signature: fetch what lies beside the answer as ``.minisig`` too, if there is such.
    :param longest: seconds that the answer may take to come.
    :raises Unreachable: it cannot be had now; the reason is named.
    :raises UserError: it cannot be had.
    """
    where, shown = _split(url)
    with requests.Session() as client, trusting(client, trust):
        # No proxies or .netrc of whoever runs this.
        client.trust_env = False
        # A packed answer could unpack to anything.
        client.headers.update({"Accept-Encoding": "identity", **(headers or {})})
        data, name = _get(client, where, shown, trust, SIZE_LIMIT, longest)
        beside = b""
        if signature:
            path = where.path + SIGNATURE_SUFFIX
            beside, _ = _get(client, where._replace(path=path), f"{shown}{SIGNATURE_SUFFIX}", trust, SIGNATURE_LIMIT,
                             longest, may_be_missing=True)  # fmt: skip
            # A server that gives its answer at every path has no signature there.
            beside = beside if beside.startswith(SIGNATURE_BEGINS) else b""
    return Found(data, name, shown, beside.decode(errors="replace"))


def _split(url: str) -> tuple[SplitResult, str]:
    try:
        where, shown = urlsplit(url), without_password(url)
        hostname, _ = where.hostname, where.port
    except ValueError:
        raise UserError("the address of the answer is malformed", _AS_IN) from None
    if not hostname:
        raise UserError(f"{shown} names no server", _AS_IN)
    return where, shown


@contextmanager
def trusting(client: requests.Session, trust: Trust) -> Iterator[None]:
    """For the time of the block, the client knows servers as it shall."""
    if trust.pins:
        client.mount("https://", PinnedAdapter(trust.pins))
        yield
        return
    client.mount("https://", HTTPAdapter())
    if not trust.authorities:
        yield
        return
    # requests takes one file: it holds the usual authorities as well.
    with tempfile.NamedTemporaryFile(suffix=".pem") as bundle:
        bundle.write(Path(DEFAULT_CA_BUNDLE_PATH).read_bytes() + b"\n" + trust.authorities.encode())
        bundle.flush()
        client.verify = bundle.name
        yield


def _get(
    client: requests.Session,
    where: SplitResult,
    shown: str,
    trust: Trust,
    limit: int,
    longest: float,
    *,
    may_be_missing: bool = False,
) -> tuple[bytes, str]:
    """The body, and a name for it."""
    request = requests.Request("GET", urlunsplit(where))
    if trust.token and where.scheme == "https":
        request.headers["Authorization"] = f"Bearer {trust.token}"
    with explained(shown):
        first = client.send(client.prepare_request(request), timeout=_TIMEOUT, stream=True, allow_redirects=False)
        with _followed(client, first, where.scheme) as response:
            if may_be_missing and response.status_code in (403, 404, 410):
                return b"", ""
            if response.status_code in BUSY:
                raise unreachable(shown, f"the server answered {response.status_code} {response.reason}")
            if response.status_code != requests.codes.ok:
                raise failed(shown, f"the server answered {response.status_code} {response.reason}")
            return _body(response, shown, limit, longest), _name(where, response)


@contextmanager
def explained(shown: str, verb: str = "fetch") -> Iterator[None]:
    """For the time of the block, what goes wrong with an address is said in words.

    :param shown: the address, without secrets.
    :param verb: what is done with it.
    :raises Unreachable: it may go better later.
    :raises UserError: it will not.
    """
    try:
        yield
    except requests.exceptions.SSLError as error:
        raise _distrusted(shown, error, verb) from None
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader) as error:
        raise failed(shown, _reason(error), verb=verb) from None
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise unreachable(shown, _reason(error), verb=verb) from None


def _followed(client: requests.Session, response: requests.Response, scheme: str) -> requests.Response:
    """What the server leads to. requests leaves out the token when that is another server."""
    for _ in range(_MOST_REDIRECTIONS):
        following = response.next
        if following is None:
            return response
        if scheme == "https" and not str(following.url).startswith("https://"):
            raise failed(without_password(response.url), "it leads from https to an address without it")
        response.close()
        response = client.send(following, timeout=_TIMEOUT, stream=True, allow_redirects=False)
    raise failed(without_password(response.url), "it leads on and on")


def _body(response: requests.Response, shown: str, limit: int, longest: float) -> bytes:
    """The body, or a little more than the limit of it: what reads it then says that it is too large."""
    if "Content-Length" not in response.headers and "Transfer-Encoding" not in response.headers:
        reason = "the server does not say how long the answer is, so nobody would notice if it were cut short"
        raise failed(shown, reason, "Serve it as a plain file.")
    end = time.monotonic() + longest
    data = bytearray()
    # Piece by piece as they come: a server that sends a byte now and then must not keep us for ever.
    while len(data) <= limit and (piece := response.raw.read1(_CHUNK)):
        data += piece
        if time.monotonic() > end:
            raise unreachable(shown, f"it did not come within {longest:g} s")
    return bytes(data[: limit + 1])


def _name(where: SplitResult, response: requests.Response) -> str:
    """The name in the address; where it does not tell the language, what the server says."""
    name = PurePosixPath(unquote(where.path)).name or "answer"
    if PurePosixPath(name).suffix.lower() in ENDINGS:
        return name
    header = Message()
    header["Content-Type"] = response.headers.get("Content-Type", "")
    header["Content-Disposition"] = response.headers.get("Content-Disposition", "")
    given = PurePosixPath(header.get_filename() or "").name
    if PurePosixPath(given).suffix.lower() in ENDINGS:
        return given
    return name + _ENDING_OF.get(header.get_content_type() if response.headers.get("Content-Type") else "", "")


def _distrusted(shown: str, error: Exception, verb: str) -> UserError:
    cause = _cause(error)
    if isinstance(cause, WrongKey):
        return failed(
            shown,
            str(cause.args[-1]),
            "Is it the right server? Its key may have been changed: see the pin.",
            verb=verb,
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        hint = _TRUST_HINT
        if cause.verify_code in _DATES:
            hint = f"This machine's clock says {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC. {_TRUST_HINT}"
        return failed(shown, f"the server's certificate does not verify ({_reason(error)})", hint, verb=verb)
    if isinstance(cause, ssl.SSLError):
        return failed(shown, f"the server does not speak TLS as it should ({_reason(error)})", _TRUST_HINT, verb=verb)
    return unreachable(shown, _reason(error), verb=verb)


def _cause(error: BaseException) -> BaseException:
    """The innermost cause, which is the one that says something."""
    inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
    return _cause(inner) if isinstance(inner, BaseException) else error


def _reason(error: Exception) -> str:
    """In words; never the address, which may hold a password."""
    cause = _cause(error)
    if any(isinstance(it, http.client.IncompleteRead) for it in (cause, *cause.args)):
        return "the answer was cut short"
    return str(getattr(cause, "strerror", None) or getattr(cause, "verify_message", None) or type(cause).__name__)
