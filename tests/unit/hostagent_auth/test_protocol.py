"""Frames between the agent and the login helper."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hostagent.auth.protocol import HEADER, MAX_FRAME, BadFrame, Reply, Request, Verdict, body_length


def body(frame: bytes) -> bytes:
    assert body_length(frame[:4]) == len(frame) - 4
    return frame[4:]


@given(
    st.text(st.characters(categories=("L", "N", "P")), min_size=1, max_size=64),
    st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=512),
    st.sampled_from(["", "192.0.2.7", "2001:db8::1"]),
)
def test_what_goes_in_comes_out(user: str, password: str, origin: str) -> None:
    request = Request(user, password, origin)
    assert Request.decode(body(request.encode())) == request


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_a_bad_frame(data: bytes) -> None:
    for decode in (Request.decode, Reply.decode):
        with contextlib.suppress(BadFrame):
            decode(data)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"user": "root"},
        {"user": "", "password": "x", "origin": ""},
        {"user": "ro\not", "password": "x", "origin": ""},
        {"user": "root", "password": 7, "origin": ""},
        {"user": "root", "password": "a\0b", "origin": ""},
        {"user": "root", "password": "x" * 513, "origin": ""},
        {"user": "u" * 257, "password": "x", "origin": ""},
        {"user": "root", "password": "x", "origin": "o" * 65},
        {"user": "\ud800", "password": "x", "origin": ""},
        ["root", "x"],
    ],
)
def test_what_is_no_request(data: object) -> None:
    with pytest.raises(BadFrame):
        Request.decode(json.dumps(data).encode())


def test_lengths_are_limited_on_both_sides() -> None:
    with pytest.raises(BadFrame):
        body_length(HEADER.pack(MAX_FRAME + 1))
    with pytest.raises(BadFrame):
        body_length(b"\0\0")
    with pytest.raises(BadFrame):
        Request("root", "x" * MAX_FRAME).encode()


def test_a_deeply_nested_body_is_refused() -> None:
    with pytest.raises(BadFrame):
        Request.decode(b"[" * 4000)


def test_the_longest_password_fits_whatever_its_characters() -> None:
    request = Request("root", "\N{GRINNING FACE}" * 512, "192.0.2.1")
    assert Request.decode(body(request.encode())) == request


def test_a_request_never_shows_its_password() -> None:
    assert "hunter2" not in repr(Request("root", "hunter2"))
    with pytest.raises(BadFrame) as caught:
        Request.decode(b'{"user": "root", "password": "hunter2" ')
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("data", [{"verdict": "yes"}, {"verdict": "ok", "retry_after": "1"}, {}, {"verdict": None}])
def test_what_is_no_reply(data: object) -> None:
    with pytest.raises(BadFrame):
        Reply.decode(json.dumps(data).encode())


def test_replies() -> None:
    for verdict in Verdict:
        assert Reply.decode(body(Reply(verdict, 1.5).encode())) == Reply(verdict, 1.5)
