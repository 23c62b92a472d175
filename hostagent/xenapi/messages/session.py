"""Messages of class session: logging in and out."""

from __future__ import annotations

from hostagent.xenapi.context import Context
from hostagent.xenapi.registry import Messages

__all__ = ["messages"]

messages = Messages()


@messages.answers("session.login_with_password")
async def login_with_password(ctx: Context, uname: str, pwd: str, version: str = "", originator: str = "") -> str:
    """Log in; the version that a client asks for changes nothing."""
    identity = await ctx.services.authenticator.authenticate(uname, pwd, ctx.caller.address)
    return ctx.core.sessions.open(identity, originator, ctx.caller)


@messages.answers("session.slave_local_login_with_password")
async def slave_local_login_with_password(ctx: Context, uname: str, pwd: str) -> str:
    """Log in to this very host; with one host to a pool that is the same as logging in."""
    return await login_with_password(ctx, uname, pwd)


@messages.answers("session.logout")
async def logout(ctx: Context) -> None:
    """End the session; calls that wait under it return SESSION_INVALID."""
    ctx.core.sessions.close(ctx.session)


@messages.answers("session.local_logout")
async def local_logout(ctx: Context) -> None:
    """End a session made by a local login."""
    ctx.core.sessions.close(ctx.session)


@messages.answers("session.change_password")
async def change_password(ctx: Context, old_pwd: str, new_pwd: str) -> None:
    """Change the password of the user who is logged in."""
    user = ctx.session_record["auth_user_name"]
    await ctx.services.authenticator.change_password(user, old_pwd, new_pwd, ctx.caller.address)


@messages.answers("session.get_all_subject_identifiers")
async def get_all_subject_identifiers(ctx: Context) -> list[str]:
    """Identifiers of all users of outside directories who are logged in."""
    records = ctx.store.all("session").values()
    return sorted({record["auth_user_sid"] for record in records if record["auth_user_sid"]})


@messages.answers("session.logout_subject_identifier")
async def logout_subject_identifier(ctx: Context, subject_identifier: str) -> None:
    """End every session of a user of an outside directory, but for the caller's."""
    for ref, record in ctx.store.all("session").items():
        if record["auth_user_sid"] == subject_identifier != "" and ref != ctx.session:
            ctx.core.sessions.close(ref)
