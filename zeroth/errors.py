"""The one error that a user sees.

Everything that is not a bug of ours is raised as a :class:`UserError`; the command line prints its message and
hint and exits with its code. Any other exception is a bug and may traceback (exit code 70).
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ExitCode", "UserError"]


class ExitCode(IntEnum):
    """Exit codes of every zeroth command; part of the contract other programs rely on."""

    DONE = 0
    INPUT = 1
    """What the user gave is wrong."""
    USAGE = 2
    """The command was called wrongly (click's own code)."""
    RESERVATIONS = 3
    """Done, with reservations that were listed."""
    MACHINE = 4
    """The machine refused: a tool failed, a device is missing, a disk is full."""
    BUG = 70
    """Our own bug (sysexits' EX_SOFTWARE)."""
    INTERRUPTED = 130
    """Stopped by the user (128 + SIGINT)."""


class UserError(Exception):
    """Something the user can understand and act on.

    :param message: what is wrong, one sentence, without a trailing full stop being required.
    :param hint: what to do about it.
    :param where: the place, as ``file:line`` or ``file: field.path``, when there is one.
    :param code: the exit code; :attr:`ExitCode.MACHINE` when the machine, not the input, is the cause.
    """

    def __init__(self, message: str, hint: str = "", *, where: str = "", code: ExitCode = ExitCode.INPUT) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.where = where
        self.code = code

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message
