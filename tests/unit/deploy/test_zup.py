"""The upgrade file: what was written is read, from a pipe too, and whatever else is found."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import threading
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroth.deploy.verity import RootTree
from zeroth.deploy.zup import HEADER_LIMIT, MAGIC, Damaged, UpgradeFile, write_upgrade
from zeroth.deploy.zup_header import Header, Kind, Payload, read_header, write_header
from zeroth.errors import UserError
from zeroth.keys.signing import Purpose, SecretKey, SignatureRefused, sign

KEY, FOREIGN = SecretKey.generate("release"), SecretKey.generate("foreign")
CONTENT = {
    "manifest.json": (Kind.MANIFEST, b'{"packages": {}}'),
    "root.squashfs": (Kind.ROOT, b"hsqs" + bytes(range(256)) * 40),
    "xen.gz": (Kind.BOOT, b"xen"), "vmlinuz": (Kind.BOOT, b"linux" * 99),
}  # fmt: skip


def _payload(name: str) -> Payload:
    kind, data = CONTENT[name]
    return Payload(name=name, kind=kind, size=len(data), sha256=hashlib.sha256(data).hexdigest())


HEADER = Header(version="1.2.0", architecture="amd64", profile="dev", payloads=tuple(map(_payload, CONTENT)),
                tree=RootTree(root_hash="ab" * 32, hash_offset=8192))  # fmt: skip


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("payloads")
    for name, (_, data) in CONTENT.items():
        (folder / name).write_bytes(data)
    return {name: folder / name for name in CONTENT}


@pytest.fixture(scope="module")
def signed(sources: dict[str, Path]) -> bytes:
    out = io.BytesIO()
    write_upgrade(out, HEADER, sources, [KEY])
    return out.getvalue()


def _read(stream: BinaryIO, *keys: SecretKey) -> dict[str, bytes]:
    file = UpgradeFile.open(stream, [key.public for key in keys] or None, name="x.zup")
    assert (file.header, file.signer is None) == (HEADER, not keys)
    return {it.payload.name: b"".join(it.chunks()) for it in file.payloads()}


def test_what_was_written_is_read(signed: bytes) -> None:
    assert _read(io.BytesIO(signed), KEY) == {name: data for name, (_, data) in CONTENT.items()}


def test_it_is_the_same_file_each_time(signed: bytes, sources: dict[str, Path]) -> None:
    out = io.BytesIO()
    write_upgrade(out, HEADER, sources, [KEY])
    assert out.getvalue() == signed


def test_it_comes_through_a_pipe(signed: bytes) -> None:
    reading, writing = os.pipe()

    def feed() -> None:
        with os.fdopen(writing, "wb", buffering=0) as out:
            for at in range(0, len(signed), 777):
                out.write(signed[at : at + 777])

    thread = threading.Thread(target=feed)
    thread.start()
    with os.fdopen(reading, "rb", buffering=0) as stream:
        assert len(_read(stream, KEY)) == len(CONTENT)
    thread.join()


class _Counting(io.BytesIO):
    """Counts what was read."""

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert size >= 0
        return super().read(size)

    def seek(self, *_: object) -> int:
        raise AssertionError("a pipe cannot seek")


@pytest.mark.parametrize("keys", [[], [FOREIGN]], ids=["unsigned", "foreign"])
def test_not_a_byte_behind_the_front_is_read_unless_a_trusted_key_signed(
    keys: list[SecretKey], sources: dict[str, Path]
) -> None:
    out = io.BytesIO()
    write_upgrade(out, HEADER, sources, keys)
    stream = _Counting(out.getvalue())
    with pytest.raises(SignatureRefused):
        UpgradeFile.open(stream, [KEY.public], name="x.zup")
    assert len(out.getvalue()) - stream.tell() == HEADER.size


def test_an_unsigned_file_is_read_when_that_is_wanted(sources: dict[str, Path]) -> None:
    out = io.BytesIO()
    write_upgrade(out, HEADER, sources, [])
    assert len(_read(io.BytesIO(out.getvalue()))) == len(CONTENT)


def test_a_signature_for_something_else_is_refused(signed: bytes) -> None:
    raw = write_header(HEADER)
    other = sign(raw, [KEY], Purpose.IMAGE, "manifest.json").encode()
    file = MAGIC + struct.pack(">II", len(raw), len(other)) + raw + other + signed[-HEADER.size :]
    with pytest.raises(SignatureRefused, match="something else"):
        _read(io.BytesIO(file), KEY)


def test_every_cut_is_found(signed: bytes) -> None:
    front = len(signed) - HEADER.size
    for size in {*range(front + 40), *range(front, len(signed), 97), *range(len(signed) - 600, len(signed))}:
        with pytest.raises((Damaged, SignatureRefused)):
            _read(io.BytesIO(signed[:size]), KEY)


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_every_changed_byte_is_found(data: st.DataObject, signed: bytes) -> None:
    front = len(signed) - HEADER.size
    at = data.draw(st.integers(0, front + 30) | st.integers(0, len(signed) - 1))
    changed = bytearray(signed)
    changed[at] ^= data.draw(st.integers(1, 255))
    if _only_the_untrusted_comment(signed, bytes(changed)):
        assert _read(io.BytesIO(changed), KEY)
        return
    with pytest.raises((Damaged, SignatureRefused)):
        _read(io.BytesIO(changed), KEY)


def _only_the_untrusted_comment(one: bytes, other: bytes) -> bool:
    """Whether two files differ in nothing but words for people that no signature is over."""
    header_size, _ = struct.unpack(">II", one[8:16])
    begin = 16 + header_size + len(b"untrusted comment: ")
    end = one.index(b"\n", begin)
    return one[:begin] == other[:begin] and one[end:] == other[end:] and b"\n" not in other[begin:end]


def test_a_changed_payload_is_never_handed_out_whole(signed: bytes) -> None:
    changed = signed[:-1] + bytes([signed[-1] ^ 1])
    file = UpgradeFile.open(io.BytesIO(changed), [KEY.public], name="x.zup")
    got = {}
    with pytest.raises(Damaged, match="vmlinuz is damaged"):
        for it in file.payloads():
            got[it.payload.name] = sum(map(len, it.chunks()))
    assert "vmlinuz" not in got


def test_payloads_that_are_passed_over_are_checked_too(signed: bytes) -> None:
    changed = bytearray(signed)
    changed[-HEADER.size + 20] ^= 1
    file = UpgradeFile.open(io.BytesIO(changed), [KEY.public], name="x.zup")
    with pytest.raises(Damaged, match="root.squashfs is damaged"):
        list(file.payloads())


def test_what_follows_the_end_is_found(signed: bytes) -> None:
    with pytest.raises(Damaged, match="follows the end"):
        _read(io.BytesIO(signed + b"\0"), KEY)


@settings(max_examples=80, deadline=None)
@given(st.binary(max_size=300), st.booleans(), st.integers(0, HEADER_LIMIT * 2), st.integers(0, 1 << 32 - 1))
def test_any_bytes_are_a_clear_error(rest: bytes, ours: bool, header: int, signature: int) -> None:
    raw = MAGIC + struct.pack(">II", header, signature) + rest if ours else rest
    for keys in ([KEY.public], None):
        with pytest.raises(UserError):
            list(UpgradeFile.open(io.BytesIO(raw), keys, name="x.zup").payloads())


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*Header.model_fields, "x"]), inner),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(Header.model_fields)), _json, min_size=1))
def test_any_header_is_whole_or_a_clear_error(changes: dict[str, object]) -> None:
    document = {**HEADER.model_dump(mode="json"), **changes}
    try:
        found = read_header(json.dumps(document).encode(), "x.zup")
    except UserError:
        return
    assert read_header(write_header(found), "x.zup") == found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"payloads": HEADER.payloads[1:]}, "one manifest"),
        ({"payloads": HEADER.payloads[:2]}, "at least 3"),
        ({"payloads": HEADER.payloads[::-1]}, "comes first"),
        ({"payloads": (*HEADER.payloads, HEADER.payloads[-1])}, "one name"),
        ({"tree": RootTree(root_hash="ab" * 32, hash_offset=1 << 20)}, "behind the end"),
    ],
)
def test_headers_that_make_no_sense(change: dict[str, object], said: str) -> None:
    raw = write_header(HEADER.model_copy(update=change))
    with pytest.raises(UserError, match=said):
        read_header(raw, "x.zup")


def test_a_newer_form_is_said_to_be_newer() -> None:
    raw = write_header(HEADER).replace(b'"format": 1', b'"format": 2')
    with pytest.raises(UserError, match="not known here"):
        read_header(raw, "x.zup")


def test_a_source_that_is_not_the_one_described(sources: dict[str, Path], tmp_path: Path) -> None:
    for data in (b"xem", b"xe", b"xenon"):
        (tmp_path / "xen.gz").write_bytes(data)
        with pytest.raises(UserError):
            write_upgrade(io.BytesIO(), HEADER, {**sources, "xen.gz": tmp_path / "xen.gz"}, [])
