"""Messages to a syslog server: RFC 5424, by UDP (RFC 5426), TCP (RFC 6587, octet counting) or TLS (RFC 5425)."""

from __future__ import annotations

import select
import socket
import ssl
from contextlib import suppress

from zeroth.errors import ExitCode, UserError
from zeroth.notify.courier import Message
from zeroth.progress import Event, EventKind
from zeroth.sinks import line_of
from zeroth.spec.fetch.found import failed, unreachable
from zeroth.spec.model import SyslogProtocol, SyslogTarget
from zeroth.spec.render import printable

__all__ = ["SyslogSender", "syslog_body"]

_FACILITY = 3  # system daemons
_SEVERITY = {EventKind.FAIL: 3, EventKind.START: 5, EventKind.DONE: 5}  # error, notice; the others are informational
_INFORMATIONAL = 6
_LONGEST = 2048  # bytes: what RFC 5426 says that a receiver should take
_TIMEOUT = 10.0  # seconds
_BOM = b"\xef\xbb\xbf"
_APP = "zeroth-installer"
_VERB = "send to"


def syslog_body(event: Event, hostname: str) -> bytes:
    """An event as a message of RFC 5424, at most 2048 bytes."""
    priority = _FACILITY * 8 + _SEVERITY.get(event.kind, _INFORMATIONAL)
    stamp = event.time.replace("+00:00", "Z")
    head = f"<{priority}>1 {stamp} {hostname} {_APP} - {event.kind.upper()} - ".encode()
    above = "".join(f"{name}: " for name in event.path[:-1] if event.kind is not EventKind.LOG)
    text = printable((above + line_of(event)).replace("\n", " ")).encode()
    # Not in the middle of a character.
    return head + _BOM + text[: _LONGEST - len(head) - len(_BOM)].decode(errors="ignore").encode()


class SyslogSender:
    """Delivers messages to one server; keeps its connection, and makes it anew when it is lost."""

    def __init__(self, target: SyslogTarget, authorities: str = "") -> None:
        self._target, self._authorities = target, authorities
        tls = target.protocol is SyslogProtocol.TLS
        self._address = (target.server, target.port or (6514 if tls else 514))
        self.name = f"syslog {target.server} port {self._address[1]}"
        self._socket: socket.socket | None = None

    def __call__(self, message: Message) -> None:
        """Deliver one.

        :raises Unreachable: it may go better later.
        :raises UserError: the server is not the right one.
        """
        try:
            if self._target.protocol is SyslogProtocol.UDP:
                self._datagram(message.body)
            else:
                self._connection().sendall(b"%d %s" % (len(message.body), message.body))
        except ssl.SSLCertVerificationError as error:
            self._drop()
            reason = f"the server's certificate does not verify ({error.verify_message})"
            raise failed(self.name, reason, verb=_VERB) from None
        except OSError as error:
            self._drop()
            raise unreachable(self.name, error.strerror or type(error).__name__, verb=_VERB) from None

    def _datagram(self, body: bytes) -> None:
        family, kind, protocol, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as sock:
            sock.sendto(body, address)

    def _connection(self) -> socket.socket:
        if self._socket is not None and _closed(self._socket):
            self._drop()
        if self._socket is None:
            plain = socket.create_connection(self._address, _TIMEOUT)
            try:
                self._socket = self._secured(plain) if self._target.protocol is SyslogProtocol.TLS else plain
            except BaseException:
                plain.close()
                raise
        return self._socket

    def _secured(self, plain: socket.socket) -> socket.socket:
        context = ssl.create_default_context()
        # Python 3.13 and later also want extensions that many sites' own authorities never wrote (RFC 5280, 4.2.1.1);
        # the servers of webhooks and answers are not asked for them either.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if self._authorities:
            try:
                context.load_verify_locations(cadata=self._authorities)
            except ssl.SSLError:
                raise UserError("the medium's authorities are damaged", code=ExitCode.MACHINE) from None
        return context.wrap_socket(plain, server_hostname=self._target.server)

    def _drop(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
            self._socket = None


def _closed(sock: socket.socket) -> bool:
    """Whether the server has hung up. It never says anything; TLS 1.3 sends its tickets, which is not hanging up."""
    if not select.select([sock], [], [], 0)[0]:
        return False
    sock.settimeout(0)
    try:
        return not sock.recv(4096)
    except (BlockingIOError, ssl.SSLWantReadError):
        return False
    except OSError:
        return True
    finally:
        sock.settimeout(_TIMEOUT)
