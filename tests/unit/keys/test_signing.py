"""Signatures: what is accepted, and that nothing else is."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zeroth.errors import UserError
from zeroth.keys.signing import PublicKey, Purpose, SecretKey, SignatureRefused, read_signatures, sign, verify

OLD, NEW, FOREIGN = (SecretKey.generate(name) for name in ("old", "new", "foreign"))
CONTENT = b"hostname xen1\n"
SIGNED = sign(CONTENT, [OLD], Purpose.ANSWER, "xen1.ks")
# Made once with minisign 0.11 from Debian: minisign -SHm m -t "zeroth:answer host1.ks"
MINISIGN_KEY = """\
untrusted comment: minisign public key AF74620E05101ED
RWTtAVHgIEb3ClJRPKmL4J2dRzd/jHl+1OCo2l9594cMYBdlsweaUiJh
"""
MINISIGN_SIGNATURE = """\
untrusted comment: signature from minisign secret key
RUTtAVHgIEb3Cu5zz3R6bHChtOIJJqMpRIrDjV66D0yiUV3I/Q2MxkxWhJautdHHL8AqweZqvak9oVBQmHEGWQbrF7MNhIVUVw0=
trusted comment: zeroth:answer host1.ks
Twzl4jnZmBuczV7ykVlTdeJ1ZuCDE2kwC/MORfZ3EtYr+wLegu2nXZb+GRM6gubvYzcU0WslFakfZ3bvyLwACQ==
"""


def test_a_good_signature_tells_the_key_and_the_name() -> None:
    found = verify(CONTENT, SIGNED, [FOREIGN.public, OLD.public], Purpose.ANSWER)
    assert (found.key, found.name) == (OLD.public, "xen1.ks")


def test_the_same_content_and_key_give_the_same_signature() -> None:
    assert sign(io.BytesIO(CONTENT), [OLD], Purpose.ANSWER, "xen1.ks") == SIGNED


def test_what_minisign_made_is_accepted() -> None:
    key = PublicKey.parse(MINISIGN_KEY)
    assert verify(b"signed by minisign\n", MINISIGN_SIGNATURE, [key], Purpose.ANSWER).name == "host1.ks"
    with pytest.raises(SignatureRefused, match="does not match"):
        verify(b"signed by minisign", MINISIGN_SIGNATURE, [key], Purpose.ANSWER)


def test_old_and_new_key_together_satisfy_those_who_know_either() -> None:
    both = sign(CONTENT, [NEW, OLD], Purpose.ANSWER, "xen1.ks")
    for key in (NEW, OLD):
        assert verify(CONTENT, both, [key.public], Purpose.ANSWER).key == key.public
    with pytest.raises(SignatureRefused, match="not trusted"):
        verify(CONTENT, both, [FOREIGN.public], Purpose.ANSWER)


def test_a_signature_for_one_purpose_is_none_for_another() -> None:
    with pytest.raises(SignatureRefused, match="something else"):
        verify(CONTENT, SIGNED, [OLD.public], Purpose.UPGRADE)


def test_an_unknown_key_is_named_with_those_that_are_known() -> None:
    with pytest.raises(SignatureRefused, match=OLD.public.name) as caught:
        verify(CONTENT, SIGNED, [FOREIGN.public], Purpose.ANSWER, where="xen1.ks")
    assert FOREIGN.public.name in caught.value.hint
    assert caught.value.where == "xen1.ks"


def test_a_key_that_claims_anothers_id_is_not_believed() -> None:
    liar = PublicKey(OLD.public.id, FOREIGN.public.raw)
    with pytest.raises(SignatureRefused, match="does not match"):
        verify(CONTENT, SIGNED, [liar], Purpose.ANSWER)
    assert verify(CONTENT, SIGNED, [liar, OLD.public], Purpose.ANSWER).key == OLD.public


def test_the_signed_comment_cannot_be_changed() -> None:
    forged = SIGNED.replace("zeroth:answer", "zeroth:upgrade")
    with pytest.raises(SignatureRefused, match="does not match"):
        verify(CONTENT, forged, [OLD.public], Purpose.UPGRADE)


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(SIGNED) - 1), char=st.characters(codec="utf-8"))
def test_a_changed_signature_is_refused(at: int, char: str) -> None:
    changed = SIGNED[:at] + char + SIGNED[at + 1 :]
    if changed.split("\n", 1)[-1] == SIGNED.split("\n", 1)[-1]:
        return  # Only the untrusted comment changed: nobody looks at it.
    if changed.replace("\r\n", "\n") == SIGNED:
        return
    with pytest.raises(SignatureRefused):
        verify(CONTENT, changed, [OLD.public], Purpose.ANSWER)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=400) | st.binary(max_size=400).map(lambda raw: raw.decode("latin-1")))
def test_any_text_is_a_signature_or_refused(text: str) -> None:
    with pytest.raises(SignatureRefused):
        verify(CONTENT, text, [OLD.public], Purpose.ANSWER)
    with pytest.raises(UserError):
        PublicKey.parse(text)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=2000), st.binary(max_size=2000))
def test_only_the_same_content_verifies(one: bytes, other: bytes) -> None:
    text = sign(one, [OLD], Purpose.IMAGE, "manifest.json")
    assert verify(one, text, [OLD.public], Purpose.IMAGE)
    if one != other:
        with pytest.raises(SignatureRefused):
            verify(other, text, [OLD.public], Purpose.IMAGE)


@pytest.mark.parametrize("name", ["", "a/b", "two\nlines", "a" * 201, "ä"])
def test_names_that_a_signature_cannot_hold(name: str) -> None:
    with pytest.raises(UserError):
        sign(CONTENT, [OLD], Purpose.ANSWER, name)


def test_keys_survive_their_files() -> None:
    assert PublicKey.parse(OLD.public.text) == OLD.public
    assert PublicKey.parse(OLD.public.text).comment == "old"
    for word in (None, b"word"):
        again = SecretKey.parse(OLD.pem(word), lambda: b"word")
        assert again.public == OLD.public
    with pytest.raises(UserError, match="passphrase"):
        SecretKey.parse(OLD.pem(b"word"), lambda: b"other")
    with pytest.raises(UserError, match="passphrase"):
        SecretKey.parse(OLD.pem(b"word"), lambda: b"")
    with pytest.raises(UserError, match="not a public key") as caught:
        PublicKey.parse(OLD.pem(None).decode())
    assert "secret" in caught.value.hint
    with pytest.raises(UserError, match="not a secret key"):
        SecretKey.parse(OLD.public.text.encode(), lambda: b"")


def test_a_secret_key_does_not_show_itself() -> None:
    shown = f"{OLD!r} {OLD}"
    assert "Ed25519PrivateKey" not in shown


def test_read_signatures_names_the_key() -> None:
    (one,) = read_signatures(SIGNED)
    assert one.key == OLD.public.id
    assert one.text == SIGNED
