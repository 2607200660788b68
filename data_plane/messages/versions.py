"""What messages said before they were edited: kept with each edit, listed for those who may see it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypedDict
from uuid import UUID

import orjson
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from data_plane.grants.permissions import Permission
from data_plane.identity.caller import Caller
from data_plane.messages.access import visible_message
from data_plane.messages.errors import MessageDeleted
from data_plane.messages.models import FormerContent
from data_plane.messages.views import MessageRow
from data_plane.paging import decode_cursor, page_of
from data_plane.shard import Shard
from data_plane.views import Timestamp
from kernel.clock import rfc3339
from kernel.db import UnitOfWork
from kernel.errors import InvalidInput

MAX_VERSIONS: Final = 100
"""Earlier versions of one message: the first one and the latest stay."""
_LIST: Final = "versions"

# The second oldest makes room, so that what the message said at first is always there.
_KEEP: Final = text("""
    with kept as (
        insert into chat.message_edits (app_id, message_id, seq, text, attachments, custom, edited_at, edited_by)
        values (:app, :id, :seq, :text, cast(:attachments as jsonb), cast(:custom as jsonb), :at, :by)
    )
    delete from chat.message_edits e where e.app_id = :app and e.message_id = :id and e.seq = (
        select x.seq from chat.message_edits x where x.app_id = :app and x.message_id = :id
        order by x.seq desc offset :newest limit 1
    ) and e.seq > (select min(x.seq) from chat.message_edits x where x.app_id = :app and x.message_id = :id)
""")


class MessageVersion(TypedDict):
    """What a message said until it was edited."""

    seq: int
    """The event of the channel's log that told the edit."""
    text: str
    attachments: list[dict[str, Any]]
    custom: dict[str, Any]
    edited_at: Timestamp
    """Until when it said so."""
    edited_by: str | None
    """Who changed it; null for a server that named nobody."""


class VersionPage(TypedDict):
    """A page of a message's earlier versions, the latest first."""

    versions: list[MessageVersion]
    next_cursor: str | None


class VersionRepository:
    """Earlier versions within one app. Writers hold the lock of the message's channel."""

    def __init__(self, session: AsyncSession, app_id: UUID) -> None:
        self._session = session
        self._app_id = app_id

    async def keep(self, row: MessageRow, seq: int, *, at: datetime, by: str | None) -> None:
        """Keep what a message said before the edit that the log tells at `seq`."""
        said = {
            "text": row.text,
            "attachments": orjson.dumps(row.attachments).decode() if row.attachments else None,
            "custom": orjson.dumps(row.custom).decode() if row.custom else None,
        }
        name = {"app": self._app_id, "id": row.id, "seq": seq, "at": at, "by": by, "newest": MAX_VERSIONS - 2}
        await self._session.execute(_KEEP, name | said)

    async def page(self, message_id: UUID, *, before: int | None, limit: int) -> Sequence[FormerContent]:
        """The latest first, of those that ended before a seq."""
        query = (
            select(FormerContent)
            .where(FormerContent.app_id == self._app_id, FormerContent.message_id == message_id)
            .order_by(FormerContent.seq.desc())
            .limit(limit)
        )
        if before is not None:
            query = query.where(FormerContent.seq < before)
        return (await self._session.scalars(query)).all()


async def list_versions(
    shard: Shard, uow: UnitOfWork, caller: Caller, message_id: str, *, limit: int, cursor: str | None
) -> VersionPage:
    """What a message said before, the latest first. Raises `NotFound`, `PermissionMissing`, `MessageDeleted`,
    `InvalidInput`."""
    before = _place(decode_cursor(_LIST, cursor))
    found, sight = await visible_message(shard, uow, caller, message_id)
    own = found.row.user_id == caller.user_id
    sight.require(Permission.MESSAGE_VERSIONS_OWN if own else Permission.MESSAGE_VERSIONS_ANY)
    if found.row.deleted_at is not None:
        raise MessageDeleted("A deleted message shows nothing, nor what it said before.")
    rows = await VersionRepository(uow.session, caller.app_id).page(found.row.id, before=before, limit=limit + 1)
    views, following = page_of(rows, limit, kind=_LIST, key=lambda row: str(row.seq), view=_view)
    return {"versions": views, "next_cursor": following}


def _view(row: FormerContent) -> MessageVersion:
    return {
        "seq": row.seq,
        "text": row.text,
        "attachments": row.attachments or [],
        "custom": row.custom or {},
        "edited_at": rfc3339(row.edited_at),
        "edited_by": row.edited_by,
    }


def _place(key: str | None) -> int | None:
    if key is not None and not (key.isascii() and key.isdigit() and len(key) < 16):
        raise InvalidInput("`cursor` must be the `next_cursor` of this list's page before.", field="cursor")
    return None if key is None else int(key)
