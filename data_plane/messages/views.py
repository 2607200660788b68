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
    thread_id: UUID | None = None
    extra: dict[str, Any] | None = None
    """What it is besides its content, and what others added to it; null for a plain one."""
    beside: dict[str, Any] | None = None
    """What is shown beside it and kept elsewhere: the quoted message, a reply's thread."""
    seen_from: int = 0
    """From which seq on whoever this was read for sees messages."""

    def with_extra(self, **values: Any) -> "MessageRow":
        """The message with these members of `extra`; null takes one away."""
        extra = {key: value for key, value in {**(self.extra or {}), **values}.items() if value is not None}
        return msgspec.structs.replace(self, extra=extra or None)


class QuotedView(TypedDict):
    """A quoted message, small, as it is now."""

    id: str
    seq: int
    user_id: str
    text: str
    """The first 200 characters."""
    attachment_count: int
    deleted: bool


class MentionsView(TypedDict):
    """Whom a message mentions."""

    users: list[str]
    """Members; whoever else was named is left out."""
    channel: NotRequired[bool]
    here: NotRequired[bool]
    roles: NotRequired[list[str]]


class ThreadView(TypedDict):
    """A thread as it is now."""

    id: str
    """The message that it hangs on."""
    seq: int
    """That message's."""
    user_id: str
    """Who wrote it."""
    reply_count: int
    """Replies that are not deleted."""
    last_number: int
    """The number of the last reply: replies count from 1, deleted ones included."""
    last_reply_at: Timestamp | None
    participants: list[str]
    """Who replied, the last ten, the latest first."""
    participant_count: int


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
    thread_id: NotRequired[str]
    """The message that this one answers in its thread. A reply is not in the channel's history, and is silent there."""
    reply_number: NotRequired[int]
    """Its number in its thread, from 1: what is read of a thread is told by it."""
    also_in_channel: NotRequired[bool]
    """The reply is in the channel as well."""
    quoted_id: NotRequired[str]
    quoted: NotRequired[QuotedView]
    """The message that it quotes, as it is now. Left out when that is older than what the reader sees."""
    mentions: NotRequired[MentionsView]
    hidden: NotRequired[bool]
    """You have deleted it for yourself, and what it says is left out. Only in events that are read later."""
    purged: NotRequired[bool]
    """It was deleted for good."""
    system: NotRequired[bool]
    """Nobody's words: the system says so."""
    reply_count: NotRequired[int]
    """Replies in its thread that are not deleted. Left out, as are the next three, when there never was one."""
    last_reply_at: NotRequired[Timestamp]
    thread_participants: NotRequired[list[str]]
    """Who replied, the last ten, the latest first."""
    thread_participant_count: NotRequired[int]


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


class HiddenMessage(TypedDict):
    """A message that somebody has deleted for itself."""

    channel_id: str
    message_id: str
    number: int | None
    """It is not unread any more; null when it never made anything unread in the channel."""
    thread_id: str | None
    reply_number: int | None


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
    """What is shown beside a message. A deleted one keeps its place in threads, and whom it mentioned: that is counted
    on, for as long as it is unread."""
    shown: dict[str, Any] = {name: extra[name] for name in _ALWAYS if name in extra}
    if "thread_id" in extra:
        shown["thread_id"] = format_id("msg", UUID(extra["thread_id"]))
    if gone:
        return shown
    shown |= {name: extra[name] for name in _UNLESS_GONE if name in extra}
    if "quoted_id" in extra:
        shown["quoted_id"] = format_id("msg", UUID(extra["quoted_id"]))
        if (quoted := extra.get("quoted")) is not None:
            shown["quoted"] = {**quoted, "id": shown["quoted_id"]}
    return shown


_ALWAYS: Final = (
    "reply_number",
    "also_in_channel",
    "mentions",
    "system",
    "reply_count",
    "last_reply_at",
    "thread_participants",
    "thread_participant_count",
    "purged",
)
_UNLESS_GONE: Final = ("reactions", "own_reactions")


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
        extra = {**(row.beside or {}), **row.extra}
        if "quoted" in extra and extra["quoted"]["seq"] < row.seen_from:
            del extra["quoted"]
        if own_reactions is not None:
            extra["own_reactions"] = own_reactions
        view.update(extra_view(extra, gone=gone))  # type: ignore[typeddict-item]
    return view


def message_data(row: MessageRow) -> dict[str, Any]:
    """What an event about the message holds: the message, and with a reply its thread as it is then. For everybody;
    `Entry.without` is for those who do not see all of it."""
    data: dict[str, Any] = {"message": message_view(msgspec.structs.replace(row, seen_from=0))}
    thread = (row.beside or {}).get("thread") or (row.extra or {}).get("thread")
    if thread is not None:
        data["thread"] = thread_view(thread)
    return data


def thread_view(thread: dict[str, Any]) -> ThreadView:
    """A thread, from its message's `extra` with `id`, `seq` and `user_id`."""
    return {
        "id": format_id("msg", UUID(thread["id"])),
        "seq": thread["seq"],
        "user_id": thread["user_id"],
        "reply_count": thread.get("reply_count", 0),
        "last_number": thread.get("thread_last_number", 0),
        "last_reply_at": thread.get("last_reply_at"),
        "participants": thread.get("thread_participants", []),
        "participant_count": thread.get("thread_participant_count", 0),
    }
