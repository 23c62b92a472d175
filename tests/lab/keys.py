"""The ssh key with which the lab logs in to its machines; made once, never leaves this machine."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.lab.paths import CACHE
from zeroth.system.run import run

__all__ = ["public_key", "test_key"]

_lock = threading.Lock()


def test_key() -> Path:
    """The private key's file."""
    path = CACHE / "key"
    with _lock:
        if not path.exists():
            CACHE.mkdir(parents=True, exist_ok=True)
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "zeroth-lab", "-f", path])
    return path


def public_key() -> str:
    """The public key, one line as in ``authorized_keys``."""
    return test_key().with_suffix(".pub").read_text().strip()
