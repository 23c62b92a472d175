"""Addresses as people write them into a browser."""

from __future__ import annotations

__all__ = ["url_host"]


def url_host(address: str) -> str:
    """An address or name as the host of a URL: IPv6 addresses are in brackets there (RFC 3986, 3.2.2)."""
    return f"[{address}]" if ":" in address else address
