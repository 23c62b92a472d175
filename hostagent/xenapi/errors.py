"""Errors as the XenAPI has them: a code and parameters, all strings."""

from __future__ import annotations

import logging

from hostagent.store import NotFound
from zeroth.errors import UserError

__all__ = ["ApiError", "describe", "handle_invalid", "not_implemented"]

log = logging.getLogger(__name__)


class ApiError(Exception):
    """What a client gets as ``ErrorDescription``.

    :param code: the documented code, ``VM_BAD_POWER_STATE``.
    :param params: its parameters, as documented for the code.
    """

    def __init__(self, code: str, *params: str) -> None:
        super().__init__(code, *params)
        self.code = code
        self.params = params

    @property
    def description(self) -> list[str]:
        """Code and parameters, as on the wire."""
        return [self.code, *self.params]


def handle_invalid(cls: str, ref: str) -> ApiError:
    """There is no such object."""
    return ApiError("HANDLE_INVALID", cls, ref)


def not_implemented(name: str) -> ApiError:
    """The message is part of the XenAPI, and not done here yet."""
    return ApiError("NOT_IMPLEMENTED", name)


def describe(error: Exception, name: str) -> list[str]:
    """Any exception as code and parameters.

    What is not meant for clients is logged here and shows them no more than its kind.

    :param name: the message that raised it.
    """
    match error:
        case ApiError():
            return error.description
        case NotFound():
            return ["HANDLE_INVALID", error.cls, error.ref]
        case UserError():
            log.error("%s: %s", name, error)
            return ["INTERNAL_ERROR", str(error)]
    log.error("%s failed", name, exc_info=error)
    return ["INTERNAL_ERROR", f"{name}: {type(error).__name__} (details are in the host's journal)"]
