"""Logging to systemd's journal, with fields, in its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL).

A record of several lines stays one entry, and ``journalctl ZEROTH_LOGGER=hostagent.vm.follow`` finds the entries of a
part. Where standard error is not the journal, lines go there.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import sys
from collections.abc import Mapping
from typing import Final

__all__ = ["JournalHandler", "encode_entry", "log_to_journal"]

_SOCKET: Final = "/run/systemd/journal/socket"
_LONGEST: Final = 48 << 10
"""Bytes of a message that is sent: the rest of a longer one is cut, so that a datagram always fits."""
_PRIORITIES: Final = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6, logging.DEBUG: 7}


class JournalHandler(logging.Handler):
    """Sends each record to the journal.

    :param identifier: shown by journalctl as the program's name.
    """

    def __init__(self, identifier: str, path: str = _SOCKET) -> None:
        super().__init__()
        self._identifier = identifier
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # A journal that does not read must not stop the agent.
        self._socket.setblocking(False)

    def emit(self, record: logging.LogRecord) -> None:
        """Send it; on failure it goes to standard error."""
        try:
            self._socket.sendto(encode_entry(self._fields(record)), self._path)
        except OSError:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - the contract of logging handlers
            self.handleError(record)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
        super().close()

    def _fields(self, record: logging.LogRecord) -> dict[str, str]:
        priority = next((number for level, number in _PRIORITIES.items() if record.levelno >= level), 7)
        fields = {
            "MESSAGE": self.format(record),
            "PRIORITY": str(priority),
            "SYSLOG_IDENTIFIER": self._identifier,
            "ZEROTH_LOGGER": record.name,
            "CODE_FILE": record.pathname,
            "CODE_LINE": str(record.lineno),
            "CODE_FUNC": record.funcName or "",
        }
        if record.exc_info and record.exc_info[0]:
            fields["ZEROTH_EXCEPTION"] = record.exc_info[0].__name__
        return fields


def encode_entry(fields: Mapping[str, str]) -> bytes:
    """One entry as the journal takes it."""
    parts = []
    for name, text in fields.items():
        value = text.encode("utf-8", "replace")[:_LONGEST]
        if b"\n" in value:
            # Of several lines: name, newline, length as 64 bits little-endian, value.
            parts.append(name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n")
        else:
            parts.append(name.encode() + b"=" + value + b"\n")
    return b"".join(parts)


def log_to_journal(identifier: str, level: int = logging.INFO) -> None:
    """Send everything that is logged to the journal, or to standard error where that is not the journal's."""
    handler: logging.Handler
    handler = JournalHandler(identifier) if "JOURNAL_STREAM" in os.environ else logging.StreamHandler()
    form = "%(message)s" if isinstance(handler, JournalHandler) else "%(asctime)s %(levelname)s %(name)s: %(message)s"
    handler.setFormatter(logging.Formatter(form))
    logging.basicConfig(level=level, handlers=[handler], force=True)
