"""A message as it is stored and as everybody sees it: REST, acknowledgements, events."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NotRequired, TypedDict
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
    extra: dict[str, Any] | None = None
    """What others added to it; null when nobody did."""

    def with_extra(self, **values: Any) -> "MessageRow":
        """The message with these members of `extra`; null takes one away."""
        extra = {key: value for key, value in {**(self.extra or {}), **values}.items() if value is not None}
        return msgspec.structs.replace(self, extra=extra or None)


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
    reactions: NotRequired[dict[str, int]]
    """How many reacted with each emoji. Left out when nobody did."""
    own_reactions: NotRequired[list[str]]
    """What the caller reacted with. Only in answers to a user, never in an event, and left out when nobody reacted."""


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

    messages: list[PageMessage | dict[str, Any]]
    """Messages with something added are dictionaries."""
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


def page_messages(rows: Sequence[Any], channel_id: str) -> list[PageMessage | dict[str, Any]]:
    """What `message_view` says of each, of rows of `chat.message_page`."""
    plain: list[PageMessage | dict[str, Any]] = [
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
        for id, (_, _, seq, number, user_id, text, attachments, custom, silent, created, updated, deleted, _) in zip(
            encode_all([row[1] for row in rows]), rows, strict=True
        )
    ]
    for place, row in enumerate(rows):
        if row[12] is not None:
            plain[place] = msgspec.structs.asdict(plain[place]) | extra_view(  # type: ignore[arg-type]
                msgspec.json.decode(row[12]), gone=row[11] is not None
            )
    return plain


def extra_view(extra: dict[str, Any], *, gone: bool) -> dict[str, Any]:
    """What is shown beside a message: a deleted one shows no reactions."""
    shown = {}
    if (reactions := extra.get("reactions")) and not gone:
        shown["reactions"] = reactions
        if "own_reactions" in extra:
            shown["own_reactions"] = extra["own_reactions"]
    return shown


def message_view(row: MessageRow, *, own_reactions: list[str] | None = None) -> MessageView:
    """The message as everybody who may see it sees it; with its own reactions, as one user does."""
    gone = row.deleted_at is not None
    view: MessageView = {
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
    if row.extra is not None:
        extra = row.extra if own_reactions is None else {**row.extra, "own_reactions": own_reactions}
        view.update(extra_view(extra, gone=gone))  # type: ignore[typeddict-item]
    return view
