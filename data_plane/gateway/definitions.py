"""What events about the connection itself hold. Who sends and handles them is in `events.py` and `gateway.py`."""

from typing import Any, Final, TypedDict

import msgspec

from data_plane.blocks.views import BlockView
from data_plane.channels.views import ChannelView
from data_plane.events import ClientEvent, Data, Nothing, Place, ServerEvent
from data_plane.gateway.events import RefreshPacket, WatchPacket
from data_plane.presence.views import MembersPresence, WatchersView
from data_plane.receipts.views import ChannelReceipts, UnreadTotals
from data_plane.views import Timestamp


class OwnProfile(TypedDict):
    """Who you are."""

    id: str
    name: str | None
    image: str | None
    role: str
    custom: dict[str, Any]


class ConnectionReady(Data):
    """Payload of `connection.ready`. What follows `cursor` is there when `recovered` is false, and only then."""

    connection_id: str
    user: OwnProfile | None
    """Null for an anonymous visitor, as are `expires_at`, `unread` and `cursor`."""
    expires_at: Timestamp | None
    """When the token, and with it the connection, ends."""
    unread: UnreadTotals | None
    """As it is now: with what is replayed after a cursor."""
    recovered: bool | None
    """Null without a cursor."""
    cursor: str | None
    channels: list[ChannelView] | msgspec.UnsetType = msgspec.UNSET
    grants: dict[str, dict[str, list[str]]] | msgspec.UnsetType = msgspec.UNSET
    blocks: list[BlockView] | msgspec.UnsetType = msgspec.UNSET
    own_seq: int | msgspec.UnsetType = msgspec.UNSET
    """The newest event of the user's own log that is in these; 0 for none. Pass over those up to it."""


class SyncCursor(Data):
    """Payload of `sync.cursor`."""

    cursor: str


class WatchEnded(Data):
    """Payload of `watch.ended`."""

    channel_id: str


class ConnectionClosing(Data):
    """Payload of `connection.closing`."""

    code: str
    reconnect: bool
    after_ms: int
    resync: bool


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong. Go by `code`; some codes have further members."""

    code: str
    message: str
    """For people."""
    retryable: bool
    """The same event, unchanged, may succeed later."""
    retry_after: float | msgspec.UnsetType = msgspec.UNSET
    """Seconds to wait before that."""
    field: str | msgspec.UnsetType = msgspec.UNSET
    """The field to blame."""


class Failed(Data):
    """The acknowledgement of any event that failed."""

    error: Failure


class Refreshed(Data):
    """Acknowledgement of `auth.refresh`."""

    expires_at: Timestamp


class Watched(Data):
    """Acknowledgement of `channel.watch`."""

    channel: ChannelView
    """Its `seq` is where events go on."""
    presence: MembersPresence | None
    """Who is there; null while that is not known, and to an anonymous visitor. `presence.changed` and
    `presence.counted` go on from here."""
    watchers: WatchersView | None
    """Who watches; null while that is not known. `watchers.changed` goes on from here."""
    receipts: ChannelReceipts | None
    """How far members are; null where the type keeps that to itself, and to an anonymous visitor. `receipts.read` and
    `receipts.delivered` go on."""


EVENTS: Final = (
    ServerEvent(
        "connection.ready",
        Place.CONNECTION,
        ConnectionReady,
        "The first event of every connection, also after a reconnect.",
    ),
    ServerEvent("sync.cursor", Place.CONNECTION, SyncCursor, "Where a resume may start from now on. Keep the newest."),
    ServerEvent(
        "watch.ended",
        Place.CONNECTION,
        WatchEnded,
        "You watched a channel without being a member, and may not any more. Nothing of it follows.",
    ),
    ServerEvent(
        "connection.closing",
        Place.CONNECTION,
        ConnectionClosing,
        "The connection is about to end, and why. See Endings.",
    ),
    ServerEvent("error", Place.CONNECTION, Failure, "The client broke the protocol; `connection.closing` follows."),
)
CALLS: Final = (
    ClientEvent("auth.refresh", RefreshPacket, Refreshed, "Go on with a newer access token of the same user."),
    ClientEvent(
        "channel.watch",
        WatchPacket,
        Watched,
        "Hear what happens in passing in a channel; and everything of one that you are no member of but may see.",
    ),
    ClientEvent("channel.unwatch", WatchPacket, Nothing, "Stop that."),
)
