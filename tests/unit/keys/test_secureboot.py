"""Keys for Secure Boot, and the lists that firmware takes."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from zeroth.errors import UserError
from zeroth.keys.cli import keys
from zeroth.keys.efi_lists import Variable
from zeroth.keys.secureboot import SecureBootFiles, make_secure_boot_keys, program_key

NOW = datetime(2026, 11, 25, 10, 20, 30, tzinfo=UTC)
X509_LIST = UUID("a5c059a1-94e4-4aa7-87b5-ab155c2bf072")
PKCS7_SIGNATURE = UUID("4aafd29d-68df-49ee-8aa9-347d375665a7")
VENDORS = {
    Variable.PK: UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c"),
    Variable.KEK: UUID("8be4df61-93ca-11d2-aa0d-00e098032b8c"),
    Variable.DB: UUID("d719b2cb-3d3a-4596-a3bc-dad00e67656f"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SecureBootFiles:
    return make_secure_boot_keys(tmp_path_factory.mktemp("keys") / "set", "Example Ltd", None, NOW)


def _never(_: Path) -> Callable[[], bytes]:
    raise AssertionError("no passphrase is needed")


def _certificate(made: SecureBootFiles, variable: Variable) -> x509.Certificate:
    return x509.load_pem_x509_certificate(made.path(variable, ".crt").read_bytes())


@pytest.mark.parametrize("variable", Variable)
def test_a_signature_list_is_as_the_uefi_specification_says(made: SecureBootFiles, variable: Variable) -> None:
    raw = made.path(variable, ".esl").read_bytes()
    whole, header, each = struct.unpack_from("<III", raw, 16)
    assert (UUID(bytes_le=raw[:16]), whole, header, each) == (X509_LIST, len(raw), 0, len(raw) - 28)
    assert str(UUID(bytes_le=raw[28:44])) == made.owner
    assert raw[44:] == made.path(variable, ".cer").read_bytes()
    assert x509.load_der_x509_certificate(raw[44:]) == _certificate(made, variable)


@pytest.mark.parametrize(
    ("variable", "signer"),
    [(Variable.PK, Variable.PK), (Variable.KEK, Variable.PK), (Variable.DB, Variable.KEK)],
)
def test_a_variable_is_signed_by_the_owner_above_it(
    made: SecureBootFiles, variable: Variable, signer: Variable
) -> None:
    raw, content = made.path(variable, ".auth").read_bytes(), made.path(variable, ".esl").read_bytes()
    assert raw.endswith(content)
    stamp, length, revision, kind = raw[:16], *struct.unpack_from("<IHH", raw, 16)
    assert struct.unpack("<HBBBBB9x", stamp) == (2026, 11, 25, 10, 20, 30)
    assert (revision, kind, UUID(bytes_le=raw[24:40])) == (0x0200, 0x0EF1, PKCS7_SIGNATURE)
    assert len(raw) == 16 + length + len(content)
    signed_data = raw[40 : 16 + length]
    # EDK2 looks for SHA-256 at this very place of a bare SignedData (AuthService.c, VerifyTimeBasedPayload).
    assert signed_data[:2] == b"\x30\x82"
    assert signed_data[13:22] == bytes.fromhex("608648016503040201")
    signed = str(variable).encode("utf-16-le") + VENDORS[variable].bytes_le + struct.pack("<I", 0x27) + stamp + content
    public = _certificate(made, signer).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    # The signature is the last element.
    public.verify(signed_data[-256:], signed, padding.PKCS1v15(), hashes.SHA256())


def test_secret_keys_are_nobody_elses(made: SecureBootFiles) -> None:
    for variable in Variable:
        path = made.path(variable, ".key")
        assert path.stat().st_mode & 0o777 == 0o600
    key = program_key(made.folder, _never)
    assert key.fingerprint == made.fingerprints[Variable.DB]
    assert str(key.secret.private_numbers().d) not in repr(key)
    assert key.certificate.subject.rfc4514_string() == "CN=Example Ltd Secure Boot db"


def test_keys_are_never_overwritten(made: SecureBootFiles) -> None:
    before = made.path(Variable.DB, ".key").read_bytes()
    with pytest.raises(UserError, match="exists already"):
        make_secure_boot_keys(made.folder, "other", None, NOW)
    assert made.path(Variable.DB, ".key").read_bytes() == before


def test_a_passphrase_guards_the_secret(tmp_path: Path) -> None:
    make_secure_boot_keys(tmp_path, "x", b"open sesame", NOW)
    assert b"ENCRYPTED" in (tmp_path / "PK.key").read_bytes()
    assert program_key(tmp_path, lambda _: lambda: b"open sesame").secret.key_size == 2048
    with pytest.raises(UserError, match="passphrase does not open"):
        program_key(tmp_path, lambda _: lambda: b"wrong")


def _foreign(folder: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    _put(folder, key)


def _elliptic(folder: Path) -> None:
    _put(folder, ec.generate_private_key(ec.SECP256R1()))


def _put(folder: Path, key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    how = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "db.key").write_bytes(key.private_bytes(*how))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "db.key").unlink(), "there is no db.key"),
        (lambda folder: (folder / "db.key").chmod(0o644), "others can read"),
        (lambda folder: (folder / "db.key").write_text("what"), "not a secret key"),
        (lambda folder: (folder / "db.crt").write_text("what"), "not a certificate"),
        (lambda folder: (folder / "db.crt").unlink(), "cannot read it"),
        (_foreign, "not that of db.key"),
        (_elliptic, "RSA keys of 2048 bits"),
    ],
)
def test_what_is_no_key_is_told(
    made: SecureBootFiles, tmp_path: Path, spoil: Callable[[Path], object], said: str
) -> None:
    for name in ("db.key", "db.crt"):
        (tmp_path / name).write_bytes((made.folder / name).read_bytes())
    (tmp_path / "db.key").chmod(0o600)
    spoil(tmp_path)
    with pytest.raises(UserError, match=said):
        program_key(tmp_path, _never)


def test_the_command(tmp_path: Path) -> None:
    words = ["secureboot", "new", str(tmp_path / "set"), "--owner", "Lab", "--no-passphrase", "--json"]
    result = CliRunner().invoke(keys, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert [row["name"] for row in json.loads(result.output)["keys"]] == ["PK", "KEK", "db"]
    assert "PRIVATE" not in result.output
    asked = CliRunner().invoke(keys, ["secureboot", "new", str(tmp_path / "b")], input="open sesame\nopen sesame\n")
    assert asked.exit_code == 0, asked.output
    assert "sesame" not in asked.output
    assert program_key(tmp_path / "b", lambda _: lambda: b"open sesame").certificate
    with pytest.raises(UserError, match="owner's name"):
        CliRunner().invoke(keys, ["secureboot", "new", str(tmp_path / "c"), "--owner", ""], catch_exceptions=False)


def test_a_folder_without_keys_is_told_how_to_get_some(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no db\.key") as caught:
        program_key(tmp_path, _never)
    assert "zeroth keys secureboot new" in caught.value.hint
