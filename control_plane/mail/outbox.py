"""Read letters back: for the outbox page, and for whatever delivers them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.mail.letters import Letter
from control_plane.mail.models import Mail
from control_plane.mail.service import PURPOSE
from control_plane.paging import Page
from kernel.errors import NotFound
from kernel.ids import format_id, parse_id
from kernel.security.vault import Vault


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A letter and when it was handed in."""

    id: UUID
    at: datetime
    letter: Letter

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
    letters = [_open(vault, row) for row in rows[:limit]]
    return Page(letters, letters[-1].public_id if len(rows) > limit else None)


async def get_letter(session: AsyncSession, vault: Vault, mail_id: UUID) -> StoredLetter:
    """One letter. Raises `NotFound`."""
    row = await session.get(Mail, mail_id)
    if row is None:
        raise NotFound("There is no such mail; mails are removed after 7 days.")
    return _open(vault, row)


def _open(vault: Vault, row: Mail) -> StoredLetter:
    opened = vault.open(PURPOSE, row.sealed, context=row.id.bytes)
    return StoredLetter(row.id, row.created_at, msgspec.json.decode(opened, type=Letter))
