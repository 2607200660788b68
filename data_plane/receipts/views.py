"""Positions, receipts and unread counts as they are seen."""

from typing import NotRequired, TypedDict

from data_plane.receipts.flush import Move, Moved


class ReadPosition(TypedDict):
    """How far somebody has read a channel."""

    channel_id: str
    read_number: int
    last_number: int
    unread: int
    marked_unread: bool
    """The position went back, because the user marked messages unread."""
    hidden_numbers: NotRequired[list[int]]
    """The numbers of messages above it that the user has deleted for itself, which are not unread. Left out when there
    are none."""


class DeliveredPosition(TypedDict):
    """How far a channel's messages have reached somebody's devices."""

    channel_id: str
    delivered_number: int
    last_number: int


class MovedChannel(TypedDict):
    """A channel that was read to its end."""

    channel_id: str
    read_number: int


class ReadAll(TypedDict):
    """What was read."""

    channels: list[MovedChannel]
    has_more: bool
    """There were more than one call reads: call again."""


class UnreadChannel(TypedDict):
    """A channel with something unread in it."""

    channel_id: str
    type: str
    unread: int
    mentions: int
    """How many of these messages mention the user, or everybody."""
    read_number: int
    last_number: int
    muted: bool


class UnreadOfType(TypedDict):
    """Several channels together."""

    unread: int
    channels: int
    """In how many channels."""
    mentions: int
    """How many of these messages mention the user, or everybody."""


class UnreadTotals(TypedDict):
    """What a user has not read in all, but for what is muted."""

    total: int
    """Messages of channels. What is said in a thread alone is not among them."""
    channels_unread: int
    """In how many channels."""
    mentions: int
    """How many of these messages mention the user, or everybody."""
    thread_replies: int
    """Replies in threads that the user takes part in."""
    threads_unread: int
    """In how many threads."""


class Unread(UnreadTotals):
    """What a user has not read."""

    by_type: dict[str, UnreadOfType]
    muted: UnreadOfType
    """What is in muted channels, and nowhere else in these sums; without their threads."""
    channels: list[UnreadChannel]
    """Those with something unread, by id."""
    next_cursor: str | None
    """Give it back as `cursor` for more of `channels`; null on the last page."""


class ReceiptView(TypedDict):
    """How far a member has read and received. What was read was received too."""

    user_id: str
    read_number: int | None
    """Null for who does not show it."""
    delivered_number: int | None


class ReceiptPage(TypedDict):
    """Members by id."""

    receipts: list[ReceiptView]
    next_cursor: str | None
    """Give it back as `cursor` for the next page; null on the last one."""


class MessageReceipts(TypedDict):
    """Who has read a message. Its author, and who does not show it, are left out."""

    aggregated: bool
    """The channel has more than 100 members; then there are numbers alone."""
    read_by_count: int
    delivered_to_count: int
    user_ids: list[str]
    """Who has read it, by id."""
    next_cursor: str | None


class Privacy(TypedDict):
    """What a user shows of its own reading and receiving."""

    read_receipts: bool
    delivery_receipts: bool


class Mark(TypedDict):
    """Where a member is now."""

    user_id: str
    number: int
    exact: bool
    """Take it as it is: the member may have gone back. Otherwise take the greater of it and what you have, which may be
    newer by a message of the member's own."""


class ChannelReceipts(TypedDict):
    """Where the members of a channel are."""

    aggregated: bool
    """The channel has more than 100 members; then `positions` is empty, and the counts are there."""
    receipts: list[ReceiptView]
    number: int | None
    """The message, by number, that the counts are about: the newest."""
    read_by_count: int | None
    delivered_to_count: int | None


def read_position(move: Move, moved: Moved) -> ReadPosition:
    """The position; unread is arithmetic."""
    hidden = moved.hidden_numbers or []
    position: ReadPosition = {
        "channel_id": move.channel_id,
        "read_number": moved.read_number,
        "last_number": moved.last_number,
        "unread": max(0, moved.last_number - moved.read_number - len(hidden)),
        "marked_unread": move.kind == "unread" and moved.read_moved,
    }
    if hidden:
        position["hidden_numbers"] = hidden
    return position
