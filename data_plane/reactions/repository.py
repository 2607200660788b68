"""Reactions to messages of one app."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from data_plane.reactions.models import Reaction


class ReactionRepository:
    """Reads and writes reactions. Writers hold the lock of the message's channel."""

    def __init__(self, session: AsyncSession, app_id: UUID) -> None:
        self._session = session
        self._app_id = app_id

    async def own(self, message_id: UUID, user_id: str) -> list[str]:
        """What one user reacted with, in its order."""
        query = select(Reaction.emoji).where(
            Reaction.app_id == self._app_id, Reaction.message_id == message_id, Reaction.user_id == user_id
        )
        return list(await self._session.scalars(query.order_by(Reaction.seq, Reaction.emoji)))

    async def page(
        self, message_id: UUID, emoji: str | None, *, after: tuple[str, int] | None, limit: int
    ) -> Sequence[Any]:
        """Rows `emoji, seq, user_id, created_at` by emoji, the earliest first, from the one after `after` on."""
        query = select(Reaction.emoji, Reaction.seq, Reaction.user_id, Reaction.created_at).where(
            Reaction.app_id == self._app_id, Reaction.message_id == message_id
        )
        if emoji is not None:
            query = query.where(Reaction.emoji == emoji)
        if after is not None:
            query = query.where(tuple_(Reaction.emoji, Reaction.seq) > after)
        return (await self._session.execute(query.order_by(Reaction.emoji, Reaction.seq).limit(limit))).all()

    async def add(self, message_id: UUID, user_id: str, emoji: str, *, seq: int, at: datetime) -> None:
        """Insert a reaction that is not there yet."""
        row = {"message_id": message_id, "user_id": user_id, "emoji": emoji, "seq": seq, "created_at": at}
        await self._session.execute(insert(Reaction).values(app_id=self._app_id, **row))

    async def forget(self, message_id: UUID) -> None:
        """Delete all of a message's."""
        await self._session.execute(
            delete(Reaction)
            .where(Reaction.app_id == self._app_id, Reaction.message_id == message_id)
            .execution_options(synchronize_session=False)
        )

    async def remove(self, message_id: UUID, user_id: str, emoji: Sequence[str]) -> None:
        """Delete a user's reactions."""
        await self._session.execute(
            delete(Reaction)
            .where(
                Reaction.app_id == self._app_id,
                Reaction.message_id == message_id,
                Reaction.user_id == user_id,
                Reaction.emoji.in_(emoji),
            )
            .execution_options(synchronize_session=False)
        )
