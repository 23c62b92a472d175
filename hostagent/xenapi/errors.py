"""Errors as the XenAPI has them: a code and parameters, all strings."""

from __future__ import annotations

__all__ = ["ApiError", "handle_invalid", "not_implemented"]


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
