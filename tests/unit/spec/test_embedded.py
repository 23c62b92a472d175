"""What is embedded in a medium: its reader is handed damaged, foreign and hostile bytes too."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from zeroth.errors import UserError
from zeroth.spec.embedded import (
    AREA,
    AREA_SIZE,
    AUTHORITIES,
    Embedded,
    EmbeddedAnswer,
    embedded_in,
    read_area,
    write_area,
)
from zeroth.spec.model import HostSpec

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
ANSWER = EmbeddedAnswer(name="host1.ks", text="rootpw --lock\n")
FULL = Embedded(answer=ANSWER, authorities="PEM\n", ssh_keys=(KEY,), arguments=("a=1", "b=x y"))
_HEAD = struct.Struct("<16sII32s8x")


def area(payload: bytes, *, version: int = 1, magic: bytes = b"ZEROTH EMBEDDED\n") -> bytes:
    return (_HEAD.pack(magic, version, len(payload), hashlib.sha256(payload).digest()) + payload).ljust(4096, b"\0")


_TEXT = st.text(max_size=200)


@given(
    answer=st.none() | st.builds(EmbeddedAnswer, name=st.text(min_size=1, max_size=40), text=_TEXT),
    authorities=_TEXT,
    arguments=st.lists(_TEXT, max_size=5),
)
def test_what_is_written_is_read(answer: EmbeddedAnswer | None, authorities: str, arguments: list[str]) -> None:
    embedded = Embedded(answer=answer, authorities=authorities, ssh_keys=(KEY,), arguments=tuple(arguments))
    data = write_area(embedded)
    assert len(data) == AREA_SIZE
    assert read_area(data) == embedded
    assert write_area(embedded) == data


def test_an_area_with_nothing_in_it() -> None:
    data = write_area(Embedded())
    assert read_area(data) == Embedded()
    assert data[_HEAD.size :].strip(b"\0") == b""


@given(st.binary(max_size=300))
@example(b"")
@example(b"ZEROTH EMBEDDED\n")
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(UserError, match="not the area"):
        read_area(data)


@given(place=st.integers(0, _HEAD.size + 200), bit=st.integers(0, 7))
def test_a_flipped_bit_never_gives_another_answer(place: int, bit: int) -> None:
    data = bytearray(write_area(FULL))
    data[place] ^= 1 << bit
    # Only what nothing depends on: the unused end of the head, and the rest after the payload.
    if 56 <= place < 64 or place >= _HEAD.size + struct.unpack_from("<I", write_area(FULL), 20)[0]:
        assert read_area(bytes(data)) == FULL
    else:
        with pytest.raises(UserError) as caught:
            read_area(bytes(data))
        assert "rootpw" not in str(caught.value)


@given(st.integers(0, 400))
def test_a_short_read_is_noticed(length: int) -> None:
    packed = struct.unpack_from("<I", write_area(FULL), 20)[0]
    data = write_area(FULL)[:length]
    if length < _HEAD.size + packed:
        with pytest.raises(UserError):
            read_area(data)
    else:
        assert read_area(data) == FULL


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | _TEXT, lambda it: st.lists(it) | st.dictionaries(_TEXT, it)
    )
)
@settings(max_examples=50)
def test_well_formed_nonsense_is_refused(value: object) -> None:
    if value == {}:
        return
    with pytest.raises(UserError, match="cannot be understood"):
        read_area(area(zlib.compress(json.dumps(value).encode())))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (area(b"x", version=2), "of form 2"),
        (area(b"not compressed"), "cannot be understood"),
        (area(zlib.compress(b"{}")[:-1]), "too large, or cut short"),
        (area(zlib.compress(b"x" * (8 << 20))), "too large, or cut short"),
        (area(zlib.compress(b'{"answer": {"name": "a.ks", "text": "hunter2"}, "more": 1}')), "cannot be understood"),
        (area(zlib.compress(b'{"ssh_keys": ["nonsense"]}')), "cannot be understood"),
    ],
)
def test_why_it_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_area(data, "/medium")
    assert caught.value.where == "/medium"
    assert caught.value.hint
    assert "hunter2" not in str(caught.value)


def test_too_much_does_not_fit() -> None:
    noise = "".join(hashlib.sha256(str(number).encode()).hexdigest() for number in range(10_000))
    with pytest.raises(UserError, match=r"takes \d+ bytes, and the medium reserves 262080"):
        write_area(Embedded(answer=EmbeddedAnswer(name="a.ks", text=noise)))


def test_a_mounted_medium(tmp_path: Path) -> None:
    assert embedded_in(tmp_path) == Embedded()
    # What a boot program handed over at a netboot, where there is no area.
    (tmp_path / AUTHORITIES).parent.mkdir()
    (tmp_path / AUTHORITIES).write_text("-----BEGIN CERTIFICATE-----\n")
    assert embedded_in(tmp_path) == Embedded(authorities="-----BEGIN CERTIFICATE-----\n")
    (tmp_path / AUTHORITIES).unlink()
    (tmp_path / AUTHORITIES).parent.rmdir()
    place = tmp_path / AREA
    place.parent.mkdir()
    place.write_bytes(write_area(FULL))
    assert embedded_in(tmp_path) == FULL
    place.write_bytes(b"damaged")
    with pytest.raises(UserError, match="not the area") as caught:
        embedded_in(tmp_path)
    assert caught.value.where == str(place)
    place.unlink()
    place.mkdir()
    with pytest.raises(UserError, match="cannot be read: Is a directory"):
        embedded_in(tmp_path)


def test_keys_join_those_of_the_answer() -> None:
    other = f"{KEY} me@desk"
    spec = HostSpec.model_validate({"hostname": "h", "root": {"ssh_keys": [KEY]}, "disk": {"select": "only"}})
    joined = Embedded(ssh_keys=(other, KEY)).with_keys(spec)
    assert joined.root.ssh_keys == (KEY, other)
    assert Embedded().with_keys(spec) == spec
