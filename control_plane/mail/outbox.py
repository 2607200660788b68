"""Read letters back: for the outbox page, and for whatever delivers them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import audit
from control_plane.context import Context
from control_plane.mail.letters import Letter
from control_plane.mail.models import Mail
from control_plane.mail.service import PURPOSE
from control_plane.paging import Page
from kernel.errors import Conflict, NotFound
from kernel.ids import format_id, parse_id
from kernel.security.vault import Vault


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A letter, when it was handed in, and what became of it; see `Mail`."""

    id: UUID
    at: datetime
    letter: Letter
    state: str = "waiting"
    attempts: int = 0
    due_at: datetime | None = None
    delivered_at: datetime | None = None
    reply: str | None = None
    retried_at: datetime | None = None

    @property
    def public_id(self) -> str:
        """`mail_…`"""
        return format_id("mail", self.id)


async def list_letters(
    session: AsyncSession, vault: Vault, *, cursor: str | None = None, limit: int = 50
) -> Page[StoredLetter]:
    """Letters of the last 7 days, the newest first. Raises `InvalidInput` for what is no cursor."""
    query = select(Mail).order_by(Mail.id.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(Mail.id < parse_id("mail", cursor, field="cursor"))
    rows = list((await session.execute(query)).scalars())
    letters = [open_letter(vault, row) for row in rows[:limit]]
    return Page(letters, letters[-1].public_id if len(rows) > limit else None)


async def get_letter(session: AsyncSession, vault: Vault, mail_id: UUID) -> StoredLetter:
    """One letter. Raises `NotFound`."""
    row = await session.get(Mail, mail_id)
    if row is None:
        raise NotFound("There is no such mail; mails are removed after 7 days.")
    return open_letter(vault, row)


async def send_again(ctx: Context, mail_id: UUID) -> None:
    """Have a letter that failed for good tried for another day, from now on. Raises `NotFound`, and `Conflict` for one
    that did not fail: it is on its way, or arrived."""
    row = await ctx.session.get(Mail, mail_id, with_for_update=True)
    if row is None:
        raise NotFound("There is no such mail; mails are removed after 7 days.")
    if row.state != "failed":
        raise Conflict("Only a mail that was not delivered can be sent again.")
    row.state, row.attempts, row.due_at, row.retried_at = "waiting", 0, ctx.now, ctx.now
    await audit.record(ctx, "mail.sent_again", format_id("mail", row.id), kind=row.kind, reply_code=row.reply_code)


async def count_failed(session: AsyncSession) -> int:
    """How many of them will not be delivered."""
    return (await session.execute(select(func.count()).where(Mail.state == "failed"))).scalar_one()


def open_letter(vault: Vault, row: Mail) -> StoredLetter:
    """The letter of a row."""
    opened = vault.open(PURPOSE, row.sealed, context=row.id.bytes)
    return StoredLetter(
        id=row.id,
        at=row.created_at,
        letter=msgspec.json.decode(opened, type=Letter),
        state=row.state,
        attempts=row.attempts,
        due_at=row.due_at,
        delivered_at=row.delivered_at,
        reply=row.reply,
        retried_at=row.retried_at,
    )
