"""What people see at the host itself: a line on every console, and the text above the login prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from firstboot.paths import Paths
from firstboot.system import System
from zeroth.errors import UserError
from zeroth.system.address import url_host
from zeroth.system.certificate import fingerprint
from zeroth.system.product import product_name
from zeroth.system.run import CommandFailed

__all__ = ["Consoles", "failed_banner", "ready_banner", "ready_line", "show_banner"]

Consoles = Callable[[str], None]
"""Writes lines to every console."""


def ready_line(hostname: str, address: str) -> str:
    """The line that says where to connect to."""
    return f"zeroth host {hostname} is ready: https://{url_host(address)}/"


def ready_banner(hostname: str, addresses: Sequence[str], certificate: bytes) -> str:
    """The text above the login prompt of a host that works.

    :param addresses: where it is reached, at least one.
    """
    try:
        print_of = fingerprint(certificate)
    except ValueError:
        print_of = "unknown: the certificate is damaged"
    # Two lines, so that it fits into 80 columns.
    head, tail = print_of[:48], print_of[48:]
    places = "\n".join(
        f"  {'' if number else 'Web page, XenAPI':<18} https://{url_host(address)}/"
        for number, address in enumerate(addresses)
    )
    return (
        f"\n  {product_name()} host {hostname}\n\n{places}\n  Certificate        SHA-256 {head}\n{' ' * 29}{tail}\n\n"
    )


def failed_banner(hostname: str, step: str, error: Exception) -> str:
    """The text above the login prompt of a host whose first boot failed."""
    hint = f"  {error.hint}\n" if isinstance(error, UserError) and error.hint else ""
    return (
        f"\n  {product_name()} host {hostname}: first boot FAILED at {step}\n\n  {error}\n{hint}\n"
        "  Log in as root: zeroth firstboot status; zeroth firstboot run tries again.\n\n"
    )


def show_banner(paths: Paths, system: System, text: str) -> bool:
    """Put the text above every login prompt, those already waiting included; returns whether it changed."""
    # agetty takes backslashes for its own escapes (agetty(8), ISSUE FILES).
    issue = text.replace("\\", "\\\\")
    if paths.issue.exists() and paths.issue.read_text() == issue:
        return False
    system.write(paths.issue, issue)
    try:
        system.run(["agetty", "--reload"])
    except CommandFailed:
        # The prompts show it when they are drawn next.
        return True
    return True
