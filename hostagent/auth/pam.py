"""Checking a name and a password with Linux-PAM, by ctypes.

Only what a password check needs: start, authenticate, account, end. The numbers are those of Linux-PAM's
``_pam_types.h``. Why not a binding: docs/decisions/0004-login.md.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_size_t, c_uint, c_void_p
from dataclasses import dataclass
from typing import Final, Protocol

__all__ = ["PamBackend", "PamOutcome", "PasswordBackend"]

_SUCCESS: Final = 0
_CONV_ERR: Final = 19
_BUF_ERR: Final = 5
_PROMPT_ECHO_OFF: Final = 1
_PROMPT_ECHO_ON: Final = 2
_RHOST: Final = 4
_FAIL_DELAY: Final = 10
_DISALLOW_NULL_AUTHTOK: Final = 0x1
_SILENT: Final = 0x8000
# Outcomes that mean "this user may not", as against "PAM does not work": PERM_DENIED, AUTH_ERR, CRED_INSUFFICIENT,
# USER_UNKNOWN, MAXTRIES, NEW_AUTHTOK_REQD, ACCT_EXPIRED, AUTHTOK_EXPIRED.
_REFUSALS: Final = frozenset({6, 7, 8, 10, 11, 12, 13, 27})


class _Message(Structure):
    _fields_ = (("style", c_int), ("text", c_char_p))


class _Response(Structure):
    # The answer is a void pointer, not a char pointer, since PAM frees it.
    _fields_ = (("text", c_void_p), ("code", c_int))


_CONVERSE = CFUNCTYPE(c_int, c_int, POINTER(POINTER(_Message)), POINTER(POINTER(_Response)), c_void_p)
_DELAY = CFUNCTYPE(None, c_int, c_uint, c_void_p)


class _Conversation(Structure):
    _fields_ = (("converse", _CONVERSE), ("data", c_void_p))


@dataclass(frozen=True)
class PamOutcome:
    """What PAM said.

    :ivar ok: the password is right and the account may be used.
    :ivar broken: PAM could not decide (a module is missing, a service is down): not the user's fault.
    :ivar text: PAM's own words, for the journal.
    """

    ok: bool
    broken: bool = False
    text: str = ""


class PasswordBackend(Protocol):
    """Checks one password. May block for as long as PAM's modules like."""

    def check(self, user: str, password: str, origin: str) -> PamOutcome:
        """Try the password; never raises for a wrong one."""


class PamBackend:
    """The real PAM, with a service file in ``/etc/pam.d``.

    :param service: its name.
    :param confdir: a folder to read service files from in place of ``/etc/pam.d``; for tests.
    """

    def __init__(self, service: str = "zeroth", confdir: str | None = None) -> None:
        self._service = service.encode()
        self._confdir = confdir.encode() if confdir else None
        self._pam = _load("pam", "libpam.so.0")
        self._libc = _load("c", "libc.so.6")
        self._libc.calloc.restype = c_void_p
        self._libc.calloc.argtypes = [c_size_t, c_size_t]
        self._libc.strdup.restype = c_void_p
        self._libc.strdup.argtypes = [c_char_p]
        self._libc.free.restype = None
        self._libc.free.argtypes = [c_void_p]
        pam = self._pam
        pam.pam_start.argtypes = [c_char_p, c_char_p, POINTER(_Conversation), POINTER(c_void_p)]
        pam.pam_set_item.argtypes = [c_void_p, c_int, c_void_p]
        pam.pam_authenticate.argtypes = [c_void_p, c_int]
        pam.pam_acct_mgmt.argtypes = [c_void_p, c_int]
        pam.pam_end.argtypes = [c_void_p, c_int]
        pam.pam_strerror.argtypes = [c_void_p, c_int]
        pam.pam_strerror.restype = c_char_p

    def check(self, user: str, password: str, origin: str) -> PamOutcome:
        """Authenticate, then ask whether the account may be used (not expired, not locked).

        Empty passwords are never accepted, whatever the service file says. PAM's own delay after a failure is
        switched off: the helper does the waiting, the same for every kind of failure.
        """
        converse = _CONVERSE(self._answer_with(password.encode()))
        conversation = _Conversation(converse, None)
        no_delay = _DELAY(lambda _status, _microseconds, _data: None)
        handle = c_void_p()
        status = self._start(user.encode(), conversation, handle)
        if status != _SUCCESS:
            return PamOutcome(ok=False, broken=True, text=f"pam_start: {status}")
        try:
            self._pam.pam_set_item(handle, _FAIL_DELAY, ctypes.cast(no_delay, c_void_p))
            if origin:
                self._pam.pam_set_item(handle, _RHOST, ctypes.cast(c_char_p(origin.encode()), c_void_p))
            flags = _SILENT | _DISALLOW_NULL_AUTHTOK
            status = self._pam.pam_authenticate(handle, flags)
            if status == _SUCCESS:
                status = self._pam.pam_acct_mgmt(handle, flags)
            text = (self._pam.pam_strerror(handle, status) or b"").decode("utf-8", "replace")
            ok = status == _SUCCESS and password != ""
            return PamOutcome(ok, broken=status != _SUCCESS and status not in _REFUSALS, text=text)
        finally:
            self._pam.pam_end(handle, status)

    def _start(self, user: bytes, conversation: _Conversation, handle: c_void_p) -> int:
        if self._confdir is None:
            return int(self._pam.pam_start(self._service, user, ctypes.byref(conversation), ctypes.byref(handle)))
        start = self._pam.pam_start_confdir
        start.argtypes = [c_char_p, c_char_p, POINTER(_Conversation), c_char_p, POINTER(c_void_p)]
        return int(start(self._service, user, ctypes.byref(conversation), self._confdir, ctypes.byref(handle)))

    def _answer_with(self, password: bytes):  # type: ignore[no-untyped-def]  # noqa: ANN202 - ctypes has no types
        """The conversation: every hidden prompt gets the password; a visible one cannot be answered."""

        def converse(count: int, messages, responses, _data):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            # PAM takes over the array and the texts in it, and frees them with free(3).
            array = self._libc.calloc(count, ctypes.sizeof(_Response))
            if not array:
                return _BUF_ERR
            answers = ctypes.cast(array, POINTER(_Response))
            for index in range(count):
                style = messages[index].contents.style
                if style == _PROMPT_ECHO_OFF:
                    answers[index].text = self._libc.strdup(password)
                elif style == _PROMPT_ECHO_ON:
                    for done in range(index):
                        self._libc.free(answers[done].text)
                    self._libc.free(array)
                    return _CONV_ERR
            responses[0] = answers
            return _SUCCESS

        return converse


def _load(name: str, soname: str) -> ctypes.CDLL:
    # By soname first: find_library() starts a compiler or ldconfig, which the sandbox has not.
    try:
        return ctypes.CDLL(soname)
    except OSError:
        found = ctypes.util.find_library(name)
        if found is None:
            raise
        return ctypes.CDLL(found)
