"""Log entries, and the one form in which they travel: an event as JSON bytes, encoded once."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import orjson

from data_plane.messages.views import MessageRow, message_data
from kernel.clock import rfc3339

CHANNEL: Final = "c:"
USER: Final = "u:"
PROFILES: Final = "p:"
"""No log: where changes of profiles pass by on their way to those who watch a channel that the user is in."""
APP_LOG: Final = "a:"
"""The one log of the app itself: what concerns all its users."""

ITSELF: Final = 1
QUOTED: Final = 2
THREAD: Final = 4
"""What an event may show of older messages: the one that it is about, one that this quotes, the one it answers."""
SKIPPED: Final = "event.skipped"


class LogKey(NamedTuple):
    """Names one log of one app. `log` is `c:<channel id>`, `u:<user id>`, or `a:`, the app's own."""

    app_id: UUID
    log: str

    @property
    def channel_id(self) -> str | None:
        """The channel, when this is a channel's log."""
        return self.log[2:] if self.log.startswith(CHANNEL) else None


def channel_log(channel_id: str) -> str:
    """The log of a channel."""
    return CHANNEL + channel_id


def user_log(user_id: str) -> str:
    """The log of a user's own state: memberships, read positions, settings."""
    return USER + user_id


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One entry as nodes pass it around, and as it crosses the bus (MessagePack array).

    `event` is the finished JSON object that clients get. `subject` is what a node itself must act on: the user who is
    removed by a `member.removed`, the channel and position of a `membership.added`, the channel of a
    `membership.removed` or of a `membership.arranged`, whatever may end somebody's watching (a
    `channel.updated` that changes grants, a `user.updated`); null for all else. Of an entry about an older message,
    `position` is that message's seq. `first_seq` is from where on the user of a `membership.added`, or of a
    `membership.arranged`, sees messages of the channel. `shows` are the seqs of the older messages that the event shows
    something of: the quoted one and the thread's, 0 for none. `seq` 0 is what happens in passing and is in
    no log, such as who types; its `subject` is whoever does it.
    """

    app_id: UUID
    log: str
    seq: int
    type: str
    event: bytes
    subject: str | None = None
    position: int = 0
    first_seq: int = 0
    shows: tuple[int, ...] = ()

    @property
    def about(self) -> int:
        """The seq of the older message that this entry is about; 0 when it is about none."""
        return self.position if self.subject is None else 0

    def unseen(self, first: int) -> int:
        """What is kept from somebody who sees messages from the seq `first` on: the sum of `ITSELF`, `QUOTED`,
        `THREAD`; 0 when nothing is."""
        if self.about < first and self.about:
            return ITSELF
        return sum(part for part, seq in zip((QUOTED, THREAD), self.shows, strict=False) if 0 < seq < first)

    def without(self, unseen: int) -> "Entry":
        """The entry as somebody hears it from whom these parts are kept. Its place in the log it keeps."""
        if not unseen:
            return self
        said = orjson.loads(self.event)
        if unseen == ITSELF:
            said |= {"type": SKIPPED, "actor": None, "data": {}}
            return Entry(self.app_id, self.log, self.seq, SKIPPED, orjson.dumps(said))
        if unseen & QUOTED:
            said["data"]["message"].pop("quoted", None)
        if unseen & THREAD:
            said["data"].pop("thread", None)
        return Entry(self.app_id, self.log, self.seq, self.type, orjson.dumps(said), position=self.position)

    def hidden(self) -> "Entry":
        """The entry as somebody hears it who hides its message: with the place of that, and nothing that it says."""
        said = orjson.loads(self.event)
        message = said["data"].get("message")
        if message is None:
            return self
        for name in ("reactions", "quoted", "quoted_id"):
            message.pop(name, None)
        message |= {"text": "", "attachments": [], "custom": {}, "hidden": True}
        return Entry(
            self.app_id, self.log, self.seq, self.type, orjson.dumps(said), self.subject, self.position, self.first_seq
        )

    @property
    def key(self) -> LogKey:
        """The log this entry belongs to."""
        return LogKey(self.app_id, self.log)


def render_event(*, log: str, seq: int, epoch: str, type: str, at: datetime, actor: str | None, data: bytes) -> bytes:
    """The event `{type, channel_id, seq, epoch, at, actor, data}`; `data` is JSON already.

    Entries of a user's own log, and of the app's, have `channel_id: null`, and their `seq` counts in that log.
    """
    channel_id = log[2:] if log.startswith(CHANNEL) else None
    head = orjson.dumps(
        {"type": type, "channel_id": channel_id, "seq": seq, "epoch": epoch, "at": rfc3339(at), "actor": actor}
    )
    return head[:-1] + b',"data":' + data + b"}"


def make_entry(
    *,
    app_id: UUID,
    log: str,
    seq: int,
    epoch: str,
    type: str,
    at: datetime,
    actor: str | None,
    data: Any,
    shows: tuple[int, ...] = (),
) -> Entry:
    """An entry from its parts. `data` is an object to encode, or the JSON bytes themselves, and then `shows` says of
    which older messages that has something."""
    encoded = data if isinstance(data, bytes) else orjson.dumps(data)
    subject, position, first_seq = _node_matter(type, data)
    event = render_event(log=log, seq=seq, epoch=epoch, type=type, at=at, actor=actor, data=encoded)
    if not isinstance(data, bytes) and "message" in data:
        shows = shown_seqs(data["message"].get("quoted"), data.get("thread"))
    return Entry(app_id, log, seq, type, event, subject, position, first_seq, shows)


def shown_seqs(quoted: Mapping[str, Any] | None, thread: Mapping[str, Any] | None) -> tuple[int, ...]:
    """The `shows` of an entry whose event has these parts."""
    return (quoted["seq"] if quoted else 0, thread["seq"] if thread else 0) if quoted or thread else ()


def passing_entry(
    *, app_id: UUID, log: str, epoch: str, type: str, at: datetime, actor: str | None, data: Any
) -> Entry:
    """What happens in passing: an event without `seq`, for those who watch. Nothing keeps it."""
    body = {
        "type": type,
        "channel_id": log[2:],
        "seq": None,
        "epoch": epoch,
        "at": rfc3339(at),
        "actor": actor,
        "data": data,
    }
    return Entry(app_id, log, 0, type, orjson.dumps(body), actor)


def profile_entry(
    *, app_id: UUID, epoch: str, at: datetime, actor: str | None, user: Mapping[str, Any], channels: Sequence[str]
) -> Entry:
    """A changed profile, once for all channels that its user is in: a node knows which of them are watched on it."""
    event = {
        "type": "profile.changed",
        "channel_id": None,
        "seq": None,
        "epoch": epoch,
        "at": rfc3339(at),
        "actor": actor,
        "data": {"user": user},
    }
    body = orjson.dumps({"event": event, "channels": channels})
    return Entry(app_id, PROFILES, 0, "profile.changed", body, user["id"])


def profile_in_channels(entry: Entry) -> Iterator[tuple[str, Callable[[], Entry]]]:
    """The channels that a profile's entry is for, and what is to pass in each."""
    said = orjson.loads(entry.event)
    for channel_id in said["channels"]:

        def made(channel_id: str = channel_id) -> Entry:
            event = orjson.dumps({**said["event"], "channel_id": channel_id})
            return Entry(entry.app_id, channel_log(channel_id), 0, entry.type, event, entry.subject)

        yield channel_id, made


def entry_from_row(row: Any, epoch: str) -> Entry:
    """An entry from a row of `chat.read_ranges`. The message of a message event is as it is now."""
    data: Any
    if row["message_id"] is not None:
        data = message_data(message_from_entry(row))
    else:
        data = orjson.loads(row["data"]) if row["data"] is not None else {}
    return make_entry(
        app_id=row["app_id"],
        log=row["log"],
        seq=row["seq"],
        epoch=epoch,
        type=row["type"],
        at=row["at"],
        actor=row["actor"],
        data=data,
    )


def message_from_entry(row: Any) -> MessageRow:
    """The message columns of a `chat.read_ranges` row."""
    return MessageRow(
        id=row["message_id"],
        channel_id=row["log"][2:],
        seq=row["message_seq"],
        number=row["number"],
        user_id=row["user_id"],
        text=row["text"],
        attachments=orjson.loads(row["attachments"]) if row["attachments"] else [],
        custom=orjson.loads(row["custom"]) if row["custom"] else {},
        silent=row["silent"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        deleted_at=row["deleted_at"],
        extra=orjson.loads(row["extra"]) if row["extra"] is not None else None,
    )


def _node_matter(type: str, data: Any) -> tuple[str | None, int, int]:
    if type == "member.removed":
        return data["user_id"], 0, 0
    if type == "membership.added":
        channel = data["channel"]
        return channel["id"], data["from_seq"], (channel.get("membership") or {}).get("history_from", 0)
    if type == "membership.removed":
        return data["channel_id"], 0, 0
    if type == "channel.updated" and "grants" in data.get("changed", ()):
        return "grants", 0, 0
    if type == "user.updated":
        return data["user"]["id"], 0, 0
    if type == "membership.arranged":
        return data["channel_id"], 0, data["history_from"]
    if type != "message.created" and isinstance(data, dict):
        about = data.get("message")
        return None, data.get("message_seq", 0) if about is None else about.get("seq", 0), 0
    return None, 0, 0
