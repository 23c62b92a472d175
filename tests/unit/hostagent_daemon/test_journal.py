"""Entries as the journal takes them, and signs of life."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from hostagent.journal import JournalHandler, encode_entry
from hostagent.notify import notify, watchdog, watchdog_seconds


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind(str(tmp_path / "journal"))
    listener.settimeout(10)
    yield listener
    listener.close()


def private_logger(name: str, handler: logging.Handler) -> logging.Logger:
    """A logger that passes records to one handler and to nobody else."""
    logger = logging.Logger(name)  # noqa: LOG001 - not one of the process's own
    logger.addHandler(handler)
    return logger


def parse(data: bytes) -> dict[str, str]:
    """Read an entry by the rules of the protocol."""
    fields = {}
    while data:
        line, _, rest = data.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack("<Q", rest[:8])
            value, rest = rest[8 : 8 + length], rest[9 + length :]
        fields[name.decode()] = value.decode()
        data = rest
    return fields


def test_an_exception_is_one_entry(journal: socket.socket, tmp_path: Path) -> None:
    handler = JournalHandler("zeroth-agent", str(tmp_path / "journal"))
    logger = private_logger("hostagent.vm", handler)
    try:
        raise ValueError("first line\nsecond = line")
    except ValueError:
        logger.exception("it %s", "failed")
    fields = parse(journal.recv(1 << 16))
    assert fields["MESSAGE"].startswith("it failed\nTraceback")
    assert fields["MESSAGE"].endswith("second = line")
    assert fields["PRIORITY"] == "3"
    assert fields["SYSLOG_IDENTIFIER"] == "zeroth-agent"
    assert fields["ZEROTH_LOGGER"] == "hostagent.vm"
    assert fields["ZEROTH_EXCEPTION"] == "ValueError"
    handler.close()


@pytest.mark.parametrize(("level", "priority"), [(logging.INFO, "6"), (logging.WARNING, "4"), (logging.DEBUG, "7")])
def test_priorities(journal: socket.socket, tmp_path: Path, level: int, priority: str) -> None:
    handler = JournalHandler("x", str(tmp_path / "journal"))
    logger = private_logger("x", handler)
    logger.log(level, "a=b")
    fields = parse(journal.recv(1 << 16))
    assert (fields["MESSAGE"], fields["PRIORITY"]) == ("a=b", priority)
    handler.close()


def test_a_huge_message_is_cut_to_fit_a_datagram() -> None:
    assert len(encode_entry({"MESSAGE": "x" * 10_000_000})) < 1 << 16


def test_without_a_journal_lines_go_to_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    handler = JournalHandler("x", str(tmp_path / "none"))
    logger = private_logger("x", handler)
    logger.error("lost?")
    assert "lost?" in capsys.readouterr().err
    handler.close()


def test_notify(journal: socket.socket, tmp_path: Path) -> None:
    assert notify("READY=1", "STATUS=x", environment={"NOTIFY_SOCKET": str(tmp_path / "journal")})
    assert journal.recv(4096) == b"READY=1\nSTATUS=x"
    assert not notify("READY=1", environment={})
    assert not notify("READY=1", environment={"NOTIFY_SOCKET": str(tmp_path / "none")})


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "60000000"}, 30.0),
        ({"WATCHDOG_USEC": "x"}, 0.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, 0.0),
    ],
)
def test_how_often_a_sign_of_life_is_due(environment: dict[str, str], seconds: float) -> None:
    assert watchdog_seconds(environment) == seconds


async def test_no_watchdog_wanted() -> None:
    await asyncio.wait_for(watchdog(0.0), 5)
