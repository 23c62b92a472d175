"""What a person's keys do."""

from __future__ import annotations

from tests.lab.terminal import Keys


def test_ordinary_keys_pass() -> None:
    assert Keys().take(b"ls -l\r\x03") == b"ls -l\r\x03"


def test_ctrl_a_x_ends_and_what_follows_is_dropped() -> None:
    keys = Keys()
    assert keys.take(b"a\x01xb") == b"a"
    assert keys.ended


def test_ctrl_a_twice_sends_one_also_in_two_reads() -> None:
    keys = Keys()
    assert keys.take(b"\x01") == b""
    assert keys.take(b"ab") == b"\x01b"
    assert not keys.ended
