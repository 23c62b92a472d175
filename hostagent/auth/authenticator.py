"""Logins for the XenAPI, decided by the helper."""

from __future__ import annotations

from hostagent.auth.client import HelperClient
from hostagent.auth.protocol import Verdict
from hostagent.xenapi.errors import ApiError
from hostagent.xenapi.services import Identity

__all__ = ["HelperAuthenticator"]


class HelperAuthenticator:
    """Asks the helper, and answers in the XenAPI's words."""

    def __init__(self, client: HelperClient) -> None:
        self._client = client

    async def authenticate(self, user: str, password: str, origin: str) -> Identity:
        """Check a name and password.

        :raises ApiError: SESSION_AUTHENTICATION_FAILED [user, reason].
        """
        reply = await self._client.ask(user, password, origin)
        match reply.verdict:
            case Verdict.OK:
                return Identity(user)
            case Verdict.DENIED:
                reason = "Authentication failure"
            case Verdict.LATER:
                reason = f"Too many failed logins: try again in {reply.retry_after:.0f} s"
            case Verdict.ERROR:
                reason = "Logins cannot be checked at the moment; the host's journal says why"
        raise ApiError("SESSION_AUTHENTICATION_FAILED", user, reason)

    async def change_password(self, user: str, old: str, new: str, origin: str) -> None:
        """Refused: the helper reads password hashes and writes none.

        :raises ApiError: CHANGE_PASSWORD_REJECTED [reason], or as :meth:`authenticate`.
        """
        await self.authenticate(user, old, origin)
        raise ApiError("CHANGE_PASSWORD_REJECTED", "change it on the host itself, with passwd")
