"""One-time tokens: what the links in mails hold. 256 random bits, kept as an HMAC, each good for one purpose, once."""

import secrets
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.accounts.errors import LinkInvalid
from control_plane.accounts.models import OneTimeToken
from control_plane.context import Context
from kernel.security import keys
from kernel.security.vault import Vault

Purpose = Literal["verify", "reset", "outbox", "second_step", "email_change", "email_revert"]

LIFETIMES: Final[dict[Purpose, timedelta]] = {
    "verify": timedelta(hours=24),
    "reset": timedelta(hours=1),
    "outbox": timedelta(hours=24),
    "second_step": timedelta(minutes=10),
    "email_change": timedelta(hours=24),
    "email_revert": timedelta(days=7),
}


def digest(vault: Vault, token: str) -> str:
    """What is stored instead of the token."""
    return keys.digest(vault.key("one-time-tokens"), token if token.isascii() else "")


def issue(
    ctx: Context,
    purpose: Purpose,
    account_id: UUID | None,
    *,
    lifetime: timedelta | None = None,
    name: str | None = None,
    password_hash: str | None = None,
    email: str | None = None,
) -> tuple[str, UUID]:
    """A fresh token and the id of its row, which is in the transaction now. The token itself is known here only."""
    token, token_id = secrets.token_urlsafe(32), ctx.ids.uuid7()
    ctx.session.add(
        OneTimeToken(
            id=token_id,
            purpose=purpose,
            account_id=account_id,
            digest=digest(ctx.vault, token),
            created_at=ctx.now,
            expires_at=ctx.now + (lifetime or LIFETIMES[purpose]),
            name=name,
            password_hash=password_hash,
            email=email,
        )
    )
    return token, token_id


async def find(session: AsyncSession, vault: Vault, purpose: Purpose, token: str, *, now: datetime) -> OneTimeToken:
    """The row of a token that could be spent now. Raises `LinkInvalid`, the same for every reason."""
    query = select(OneTimeToken).where(
        OneTimeToken.digest == digest(vault, token),
        OneTimeToken.purpose == purpose,
        OneTimeToken.used_at.is_(None),
        OneTimeToken.expires_at > now,
    )
    found = (await session.execute(query)).scalar_one_or_none()
    if found is None:
        raise LinkInvalid()
    return found


async def spend(session: AsyncSession, token_id: UUID, *, now: datetime) -> None:
    """Use a token up. Of any number of callers at once one succeeds; the others get `LinkInvalid`.

    Lock the account before, where there is one: whoever spends goes on to remove the account's other tokens.
    """
    statement = (
        update(OneTimeToken)
        .where(OneTimeToken.id == token_id, OneTimeToken.used_at.is_(None), OneTimeToken.expires_at > now)
        .values(used_at=now)
        .returning(OneTimeToken.id)
        .execution_options(synchronize_session=False)
    )
    if (await session.execute(statement)).one_or_none() is None:
        raise LinkInvalid()


async def withdraw(session: AsyncSession, account_id: UUID) -> None:
    """End every link of an account that is still open, but for those that undo a change of its address: whoever took
    an account over must not end them by a change of the password."""
    statement = delete(OneTimeToken).where(
        OneTimeToken.account_id == account_id, OneTimeToken.used_at.is_(None), OneTimeToken.purpose != "email_revert"
    )
    await session.execute(statement.execution_options(synchronize_session=False))
