"""Keys for UEFI Secure Boot: the platform's, those that change db, and the one that programs are signed with.

Firmware reads X.509 certificates with RSA keys, so these are keys of their own beside those of
:mod:`zeroth.keys.signing`. Each is self-signed: firmware follows no chain and looks at no dates.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from zeroth.errors import UserError
from zeroth.keys.efi_lists import Variable, authenticated, signature_list
from zeroth.keys.keyring import read_limited, read_secret, write_secret
from zeroth.system.certificate import KEY_BITS
from zeroth.system.files import atomic_write, fsync_directory

__all__ = ["ProgramKey", "SecureBootFiles", "make_secure_boot_keys", "program_key"]

_YEARS = 20
_AGAIN = "Make a set of keys: zeroth keys secureboot new DIR"


@dataclass(frozen=True)
class ProgramKey:
    """What programs are signed with. Its text form never shows the secret.

    :ivar certificate: what the firmware has in db.
    """

    secret: rsa.RSAPrivateKey = field(repr=False)
    certificate: x509.Certificate

    @property
    def name(self) -> str:
        """What the certificate calls its owner."""
        return str(self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, hexadecimal."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()

    @property
    def secret_pem(self) -> bytes:
        """The secret key for a program that reads PEM, not encrypted."""
        return _pem(self.secret, None)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate, PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


@dataclass(frozen=True)
class SecureBootFiles:
    """The files of one set of keys in a folder.

    :ivar owner: the id that the lists carry.
    """

    folder: Path
    owner: str
    fingerprints: dict[Variable, str]

    def path(self, variable: Variable, suffix: str) -> Path:
        """A file of one key: ``.key``, ``.crt``, ``.cer``, ``.esl`` or ``.auth``."""
        return _path(self.folder, variable, suffix)


def make_secure_boot_keys(folder: Path, name: str, passphrase: bytes | None, now: datetime) -> SecureBootFiles:
    """Make PK, KEK and db: for each NAME.key (secret), NAME.crt (PEM), and for enrolment NAME.cer (DER), NAME.esl and
    NAME.auth.

    :param name: of their owner, for people.
    :param passphrase: None to leave the secret keys unencrypted.
    :raises UserError: when one of the files exists already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for variable in Variable:
        for suffix in (".key", ".crt", ".cer", ".esl", ".auth"):
            if _path(folder, variable, suffix).exists():
                raise UserError("this exists already", "Choose an empty folder; keys are never overwritten.",
                                where=str(_path(folder, variable, suffix)))  # fmt: skip
    made = {variable: _new(f"{name} Secure Boot {variable}", now) for variable in Variable}
    owner = uuid5(NAMESPACE_OID, made[Variable.PK].fingerprint)
    # Each variable is changed by the owner of the one above it, PK by its own.
    above = {Variable.PK: Variable.PK, Variable.KEK: Variable.PK, Variable.DB: Variable.KEK}
    for variable, key in made.items():
        write_secret(_path(folder, variable, ".key"), _pem(key.secret, passphrase))
        atomic_write(_path(folder, variable, ".crt"), key.certificate_pem)
        atomic_write(_path(folder, variable, ".cer"), key.certificate.public_bytes(serialization.Encoding.DER))
        content = signature_list(key.certificate, owner)
        atomic_write(_path(folder, variable, ".esl"), content)
        signer = made[above[variable]]
        atomic_write(
            _path(folder, variable, ".auth"),
            authenticated(variable, content, signer.secret, signer.certificate, now),
        )
    fsync_directory(folder)
    return SecureBootFiles(folder, str(owner), {variable: key.fingerprint for variable, key in made.items()})


def program_key(folder: Path, passphrase: Callable[[Path], Callable[[], bytes]]) -> ProgramKey:
    """Read what programs are signed with: ``db.key`` and ``db.crt``. The other keys need not be there.

    :param passphrase: gives a function that gets the passphrase of a file; called when the key is encrypted.
    :raises UserError: when one of them cannot be read or is something else, or they do not belong together.
    """
    path, beside = _path(folder, Variable.DB, ".key"), _path(folder, Variable.DB, ".crt")
    if not path.exists():
        hint = "Make a set of keys: zeroth keys secureboot new DIR"
        raise UserError(f"there is no {path.name} in this folder", hint, where=str(folder))
    pem = read_secret(path)
    encrypted = b"ENCRYPTED" in pem
    try:
        secret = serialization.load_pem_private_key(pem, passphrase(path)() if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if encrypted:
            raise UserError("the passphrase does not open this key", "Try again.", where=str(path)) from None
        raise UserError("this is not a secret key", _AGAIN, where=str(path)) from None
    if not isinstance(secret, rsa.RSAPrivateKey) or secret.key_size < KEY_BITS:
        raise UserError(f"programs are signed with RSA keys of {KEY_BITS} bits and more, and this is another kind",
                        _AGAIN, where=str(path))  # fmt: skip
    try:
        certificate = x509.load_pem_x509_certificate(read_limited(beside))
    except ValueError:
        raise UserError("this is not a certificate (PEM)", _AGAIN, where=str(beside)) from None
    if not certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        raise UserError("this certificate has no common name", _AGAIN, where=str(beside))
    if certificate.public_key() != secret.public_key():
        raise UserError(f"this certificate is not that of {path.name}", "Keep both files of a set.", where=str(beside))
    return ProgramKey(secret, certificate)


def _path(folder: Path, variable: Variable, suffix: str) -> Path:
    return folder / f"{variable}{suffix}"


def _new(name: str, now: datetime) -> ProgramKey:
    secret = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(secret.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(secret, hashes.SHA256())
    )
    return ProgramKey(secret, certificate)


def _pem(key: rsa.RSAPrivateKey, passphrase: bytes | None) -> bytes:
    how: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
