"""The host's certificate: made with name and address in it, renewed with the same key when one of them changes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from firstboot.context import Context, Step
from firstboot.paths import Paths
from firstboot.system import System
from zeroth.system.certificate import Names, certificate_names, new_key, self_signed

__all__ = ["CERTIFICATE", "GROUP", "ensure_certificate"]

GROUP = "zeroth"
"""The group that the agent runs in: it reads the key."""


def ensure_certificate(paths: Paths, system: System, names: Names, now: datetime) -> bool:
    """Make key and certificate, or renew the certificate, if need be.

    A certificate that the administrator put there himself (its names are enough) stays.

    :returns: whether the certificate is a new one.
    """
    key = paths.key.read_bytes() if paths.key.exists() else b""
    old = paths.certificate.read_bytes() if paths.certificate.exists() else b""
    wanted = {*names.dns, *map(str, names.ips)}
    if wanted <= certificate_names(old, key, now=now):
        system.write(paths.key, key, mode=0o640, group=GROUP)
        return False
    try:
        new = _sign(paths, key, names, now)
    except ValueError:
        # There is no key yet, or a damaged one.
        key = new_key()
        new = _sign(paths, key, names, now)
    system.write(paths.key, key, mode=0o640, group=GROUP)
    system.write(paths.certificate, new, mode=0o644)
    return True


def _sign(paths: Paths, key: bytes, names: Names, now: datetime) -> bytes:
    # The clock may be ahead now and be set right by the time servers later. The image is older than the certificate.
    release = paths.of("usr/lib/os-release")
    built = datetime.fromtimestamp(release.stat().st_mtime, UTC) if release.exists() else now
    return self_signed(key, names, now=now, not_before=min(built, now) - timedelta(days=1))


def _apply(context: Context) -> str:
    names = Names(context.spec.hostname, context.management.addresses.ips)
    if ensure_certificate(context.paths, context.system, names, context.clock()):
        context.say(f"certificate for {context.spec.hostname}, {', '.join(context.addresses)}")
    return ""


CERTIFICATE = Step(
    "certificate",
    "TLS certificate",
    lambda context: [context.spec.hostname, *context.addresses],
    _apply,
)
