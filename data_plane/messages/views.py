"""A message as it is stored and as everybody sees it: REST, acknowledgements, events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypedDict
from uuid import UUID

import msgspec

from data_plane.views import Timestamp
from kernel.clock import rfc3339, rfc3339_of_millis
from kernel.ids import encode_all, format_id


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


class MessageView(TypedDict):
    """A message. A deleted one keeps its place and shows no content."""

    id: str
    channel_id: str
    number: int
    """Counts the channel's messages that make unread; a silent one has the number of the message before it."""
    seq: int
    """The event of the channel's log that created it: messages are in this order."""
    user_id: str
    """The author."""
    text: str
    attachments: list[dict[str, Any]]
    custom: dict[str, Any]
    silent: bool
    """It makes nothing unread."""
    created_at: Timestamp
    updated_at: Timestamp
    """When the content changed last."""
    deleted_at: Timestamp | None


class PageMessage(msgspec.Struct, frozen=True, gc=False):
    """A `MessageView` of a page: the same members, for an encoder in C. `attachments` and `custom` are JSON already."""

    id: str
    channel_id: str
    number: int
    seq: int
    user_id: str
    text: str
    attachments: msgspec.Raw
    custom: msgspec.Raw
    silent: bool
    created_at: str
    updated_at: str
    deleted_at: str | None


class Page(msgspec.Struct, frozen=True, gc=False):
    """A `MessagePage`, likewise."""

    messages: list[PageMessage]
    has_before: bool
    has_after: bool


class OneMessage(TypedDict):
    """A message as it is now."""

    message: MessageView


class MessagePage(TypedDict):
    """A page of a channel's history, oldest first."""

    messages: list[MessageView]
    has_before: bool
    """There are older messages than the first of these."""
    has_after: bool
    """There are newer messages than the last of these."""


_NO_ATTACHMENTS: Final = msgspec.Raw(b"[]")
_NO_CUSTOM: Final = msgspec.Raw(b"{}")


def page_messages(rows: Sequence[Any], channel_id: str) -> list[PageMessage]:
    """What `message_view` says of each, of rows of `chat.history_page`."""
    return [
        PageMessage(
            f"msg_{id}",
            channel_id,
            number,
            seq,
            user_id,
            text if deleted is None else "",
            msgspec.Raw(attachments) if attachments and deleted is None else _NO_ATTACHMENTS,
            msgspec.Raw(custom) if custom and deleted is None else _NO_CUSTOM,
            silent,
            (at := rfc3339_of_millis(created)),
            at if updated is None else rfc3339_of_millis(updated),
            None if deleted is None else rfc3339_of_millis(deleted),
        )
        for id, (_, _, seq, number, user_id, text, attachments, custom, silent, created, updated, deleted) in zip(
            encode_all([row[1] for row in rows]), rows, strict=True
        )
    ]


class ReadPosition(TypedDict):
    """How far somebody has read a channel."""

    channel_id: str
    read_number: int
    last_number: int
    unread: int


def message_view(row: MessageRow) -> MessageView:
    """The message as everybody who may see it sees it."""
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
