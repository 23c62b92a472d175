"""The host's TLS certificate: self-signed, so that it is its own CA, and verifiable by the clients people have.

RSA, because clients with TLS 1.2 offer nothing but ECDHE-RSA. CA:TRUE with path length 0, so that OpenSSL's strict
checks (RFC 5280; Python 3.13 turns them on) take it as a trust anchor as well as the server's own certificate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Names", "certificate_names", "fingerprint", "new_key", "self_signed"]

KEY_BITS = 2048
_YEARS = 10
_NAME_LIMIT = 64  # ub-common-name, RFC 5280


@dataclass(frozen=True)
class Names:
    """What a certificate is for.

    :ivar host: the host's name, fully qualified or not.
    :ivar addresses: the addresses under which clients reach it.
    """

    host: str
    addresses: tuple[IPv4Address | IPv6Address, ...]

    @property
    def dns(self) -> tuple[str, ...]:
        """All names: the full one, the short one, and localhost for tools on the host itself."""
        return tuple(dict.fromkeys((self.host, self.host.partition(".")[0], "localhost")))

    @property
    def ips(self) -> tuple[IPv4Address | IPv6Address, ...]:
        """All addresses, the loopback ones last."""
        return tuple(dict.fromkeys((*self.addresses, ip_address("127.0.0.1"), ip_address("::1"))))


def new_key() -> bytes:
    """A new RSA key, PEM (PKCS 8), without a passphrase."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def self_signed(key_pem: bytes, names: Names, *, now: datetime, not_before: datetime | None = None) -> bytes:
    """A certificate for these names, PEM.

    :param now: the time it is made; it is valid for ten years from then.
    :param not_before: when its validity begins, if earlier: a clock that is set right later must not make it invalid.
    :raises ValueError: when the key is damaged or not RSA.
    """
    key = serialization.load_pem_private_key(key_pem, None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("the key is not RSA")  # noqa: TRY004 - a value that does not fit, for the caller
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "zeroth host"),
            x509.NameAttribute(NameOID.COMMON_NAME, names.host[:_NAME_LIMIT]),
        ]
    )
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, not_before or now))
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False)
        .add_extension(_alternative_names(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


def certificate_names(pem: bytes, key_pem: bytes, *, now: datetime | None = None) -> frozenset[str]:
    """The names and addresses that a certificate is good for; empty when it is damaged, expired or of another key."""
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        key = serialization.load_pem_private_key(key_pem, None)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, x509.ExtensionNotFound):
        return frozenset()
    moment = now or datetime.now(UTC)
    if certificate.public_key() != key.public_key() or certificate.not_valid_after_utc <= moment:
        return frozenset()
    return frozenset([*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))])


def fingerprint(pem: bytes) -> str:
    """SHA-256 of the certificate, upper-case pairs with colons, as browsers and ``openssl x509`` show it.

    :raises ValueError: when it is no certificate.
    """
    digest = x509.load_pem_x509_certificate(pem).fingerprint(hashes.SHA256())
    return digest.hex(":").upper()


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_encipherment=True, key_cert_sign=True, crl_sign=False, content_commitment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _alternative_names(names: Names) -> x509.SubjectAlternativeName:
    entries: Sequence[x509.GeneralName] = [
        *(x509.DNSName(name) for name in names.dns),
        *(x509.IPAddress(address) for address in names.ips),
    ]
    return x509.SubjectAlternativeName(entries)
