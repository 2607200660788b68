"""A message as it is stored and as everybody sees it: REST, acknowledgements, events."""

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from kernel.clock import rfc3339
from kernel.ids import format_id


class MessageRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `chat.messages`, decoded."""

    id: UUID
    channel_id: str
    seq: int
    number: int
    user_id: str
    text: str
    attachments: list[Any]
    custom: dict[str, Any]
    silent: bool
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None


def message_view(row: MessageRow) -> dict[str, Any]:
    """The JSON object `{id, channel_id, number, seq, user_id, text, …}`. A deleted message keeps its place only."""
    gone = row.deleted_at is not None
    return {
        "id": format_id("msg", row.id),
        "channel_id": row.channel_id,
        "number": row.number,
        "seq": row.seq,
        "user_id": row.user_id,
        "text": "" if gone else row.text,
        "attachments": [] if gone else row.attachments,
        "custom": {} if gone else row.custom,
        "silent": row.silent,
        "created_at": rfc3339(row.created_at),
        "updated_at": rfc3339(row.updated_at),
        "deleted_at": rfc3339(row.deleted_at) if row.deleted_at is not None else None,
    }
