"""What the API answers.

Generated from the API's description by `make reference`. Do not edit.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from ._model import Model

__all__ = [
    "Arrangement",
    "Block",
    "Channel",
    "ChannelPage",
    "ChannelType",
    "DeliveredPosition",
    "Event",
    "Explanation",
    "FreshState",
    "Guest",
    "HiddenMessage",
    "Index",
    "Invite",
    "InvitePage",
    "InvitedTo",
    "Limit",
    "Location",
    "Member",
    "MemberPage",
    "Membership",
    "Mentions",
    "Message",
    "MessagePage",
    "MessageReceipts",
    "MessageVersion",
    "Model",
    "MovedChannel",
    "OwnThread",
    "Pin",
    "Pinned",
    "Presence",
    "Privacy",
    "QueriedChannels",
    "QueriedMembers",
    "QueriedUsers",
    "Quoted",
    "Reaction",
    "ReactionPage",
    "ReadAll",
    "ReadPosition",
    "Receipt",
    "ReceiptPage",
    "Recovered",
    "Revocation",
    "Role",
    "Thread",
    "ThreadPage",
    "ThreadPosition",
    "TokenPair",
    "Unread",
    "UnreadChannel",
    "UnreadOfType",
    "User",
    "VersionPage",
    "WatcherPage",
]


@dataclass(frozen=True, kw_only=True)
class TokenPair(Model):
    """A user's tokens."""

    user_id: str
    access_token: str
    """A JWT: the bearer of REST calls, and `auth.token` of a socket."""
    expires_at: datetime
    """When the access token ends."""
    refresh_token: str
    """Brings the next pair, once."""
    refresh_expires_at: datetime


@dataclass(frozen=True, kw_only=True)
class Revocation(Model):
    """A user whose tokens were revoked."""

    user_id: str
    tokens_valid_after: datetime
    """Tokens issued from this instant on are valid."""


@dataclass(frozen=True, kw_only=True)
class User(Model):
    """A profile."""

    id: str
    name: str | None
    image: str | None
    role: str
    """Your own word for what the user is; given by your server alone."""
    custom: dict[str, Any]
    """Whatever your product keeps with a user."""
    created_at: datetime
    updated_at: datetime
    deactivated_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Guest(Model):
    """The tokens of a new guest, and its profile."""

    user_id: str
    access_token: str
    expires_at: datetime
    refresh_token: str
    refresh_expires_at: datetime
    user: User


@dataclass(frozen=True, kw_only=True)
class Explanation(Model):
    """How a query is answered."""

    index: str
    """The index that rows are read from."""
    order: str
    """`index`: rows come in the order wanted, and reading ends with the page. `sorted`: all that match are read."""
    narrowed_by: list[str]
    """Fields that the index is entered by."""
    filtered_by: list[str]
    """Fields that are looked at row by row."""
    scan: bool
    """Whether the work grows with how much there is, and not with the page alone."""
    warnings: list[str]
    """What that costs, and what to do about it."""


@dataclass(frozen=True, kw_only=True)
class QueriedUsers(Model):
    """Users that match, in the order asked for."""

    users: list[User]
    next_cursor: str | None
    """Give it back as `cursor`, with the same filter and sort, for the next page; null on the last one."""
    explain: Explanation | None = None
    """How the query was answered, when you asked for it."""


@dataclass(frozen=True, kw_only=True)
class Presence(Model):
    """Where a user is."""

    user_id: str
    status: str
    """`invisible` is what the user alone sees of itself; to everybody else it is `offline`."""
    text: str | None
    text_expires_at: datetime | None
    """When the text ends; null when it stays."""
    last_active_at: datetime | None
    """When the user was last there without being invisible; null when it never was. While it is online, at most five
    minutes old.
    """


@dataclass(frozen=True, kw_only=True)
class WatcherPage(Model):
    """Watchers by user id."""

    count: int
    aggregated: bool
    user_ids: list[str]
    anonymous: int
    next_cursor: str | None
    """Give it back as `cursor` for the next page; null on the last one."""


@dataclass(frozen=True, kw_only=True)
class Block(Model):
    """A user whom the caller has blocked."""

    user_id: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Membership(Model):
    """A channel's membership of the user it is shown to."""

    role: str
    read_number: int
    """The number of the last message that was read."""
    unread: int
    """`last_number` of the channel minus `read_number`, or minus its `truncated_number` where that is greater, without
    the `hidden_numbers`.
    """
    hidden_numbers: list[int] = field(default_factory=list)
    """The numbers of unread messages that the user has deleted for itself. Left out when there are none."""
    joined_at: datetime
    history_from: int
    """The user sees messages with this `seq` and above; 0 for all there are."""
    archived_at: datetime | None
    hidden: bool
    """Hidden by the user, and nothing that makes unread has been said since."""
    muted_at: datetime | None
    muted_until: datetime | None
    """Null with `muted_at`: until the user takes it back."""
    pin_order: float | None
    """Pinned channels come by it, the least first; null for one that is not pinned."""


@dataclass(frozen=True, kw_only=True)
class Channel(Model):
    """A channel, as of the entry `seq` of its log: whoever holds it applies the events above."""

    id: str
    type: str
    name: str | None
    image: str | None
    custom: dict[str, Any]
    """Whatever your product keeps with a channel."""
    created_by: str | None
    """Null when your server made it in nobody's name."""
    frozen: bool
    """Members can read and leave; only who has `message.send.frozen` writes."""
    grants: dict[str, list[str]]
    """What roles may do here otherwise than in the channel's type."""
    history: str
    """`all`, or `joined`: who becomes a member sees nothing of what was said before."""
    truncated_to: int
    """Messages with a lesser `seq` are gone for everybody; 0 when the channel was never truncated."""
    truncated_number: int
    """The number of the newest message that is gone so; what is up to it is unread to nobody."""
    slow_mode: int
    """Seconds between two messages of one member; 0 for no such wait."""
    distinct: bool
    """The one channel of its type and members, who do not change."""
    created_at: datetime
    updated_at: datetime
    member_count: int
    last_number: int
    """The number of the newest message that counts as unread."""
    seq: int
    """The newest event of the channel's log."""
    membership: Membership | None
    """Null for a server, and for a user who watches without being a member."""
    capabilities: list[str] | None
    """What the user whom it is shown to may do here; null for a server, and in events that many get."""


@dataclass(frozen=True, kw_only=True)
class ChannelPage(Model):
    """Channels by id."""

    channels: list[Channel]
    next_cursor: str | None
    """Give it back as `cursor` for the next page; null on the last one."""


@dataclass(frozen=True, kw_only=True)
class QueriedChannels(Model):
    """Channels that match, in the order asked for."""

    channels: list[Channel]
    next_cursor: str | None
    """Give it back as `cursor`, with the same filter and sort, for the next page; null on the last one."""
    explain: Explanation | None = None
    """How the query was answered, when you asked for it."""


@dataclass(frozen=True, kw_only=True)
class Member(Model):
    """Who is in a channel: in lists and in `member.added`."""

    user_id: str
    role: str
    joined_at: datetime
    custom: dict[str, Any]
    """Whatever your product keeps with the membership. Everybody in the channel sees it."""


@dataclass(frozen=True, kw_only=True)
class MemberPage(Model):
    """Members by user id."""

    members: list[Member]
    next_cursor: str | None
    """Give it back as `cursor` for the next page; null on the last one."""


@dataclass(frozen=True, kw_only=True)
class QueriedMembers(Model):
    """Members that match, in the order asked for."""

    members: list[Member]
    next_cursor: str | None
    """Give it back as `cursor`, with the same filter and sort, for the next page; null on the last one."""
    explain: Explanation | None = None
    """How the query was answered, when you asked for it."""


@dataclass(frozen=True, kw_only=True)
class Arrangement(Model):
    """All that a user has arranged for itself in a channel. The same fields are in the channel's `membership`."""

    channel_id: str
    archived_at: datetime | None
    hidden: bool
    """Until something is said that makes unread."""
    history_from: int
    """The user sees messages with this `seq` and above."""
    muted_at: datetime | None
    muted_until: datetime | None
    pin_order: float | None


@dataclass(frozen=True, kw_only=True)
class InvitedTo(Model):
    """What somebody who is asked into a channel sees of it."""

    id: str
    type: str
    name: str | None
    image: str | None


@dataclass(frozen=True, kw_only=True)
class Invite(Model):
    """Who is asked into which channel, and what came of it."""

    channel: InvitedTo
    user_id: str
    state: str
    """`pending`, `accepted`, `rejected`, or `revoked` by those who asked."""
    role: str
    """What it becomes."""
    invited_by: str | None
    """Null when your server asked."""
    created_at: datetime
    changed_at: datetime


@dataclass(frozen=True, kw_only=True)
class InvitePage(Model):
    """Pending invites, by channel or by user."""

    invites: list[Invite]
    next_cursor: str | None
    """Give it back as `cursor` for the next page; null on the last one."""


@dataclass(frozen=True, kw_only=True)
class ChannelType(Model):
    """A channel type."""

    name: str
    built_in: bool
    creator_role: str
    """The role of whoever creates a channel of this type."""
    grants: dict[str, list[str]]
    """What every role may do in channels of this type, where the channel says nothing else."""
    history: str
    """What new channels of this type begin with, as `slow_mode`."""
    slow_mode: int
    receipts: bool
    """Members see how far others have read."""
    created_at: datetime | None
    """Null, like `updated_at`, for a built-in type as it was made."""
    updated_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Role(Model):
    """A role."""

    name: str
    built_in: bool
    scopes: list[str]
    """Where it may be given: to a user of the app (`app`), to a member of a channel (`channel`)."""
    grants: list[str]
    """What it may do in every type that says nothing else of it."""
    created_at: datetime | None
    """Null, like `updated_at`, for a built-in role as it was made."""
    updated_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Quoted(Model):
    """A quoted message, small, as it is now."""

    id: str
    seq: int
    user_id: str
    text: str
    """The first 200 characters."""
    attachment_count: int
    deleted: bool


@dataclass(frozen=True, kw_only=True)
class Mentions(Model):
    """Whom a message mentions. `channel` is everybody in it, `here` whoever is present, `roles` their members."""

    users: list[str] = field(default_factory=list)
    """Members; whoever else was named is left out."""
    channel: bool = False
    here: bool = False
    roles: list[str] = field(default_factory=list)


@dataclass(frozen=True, kw_only=True)
class Message(Model):
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
    created_at: datetime
    updated_at: datetime
    """When the content changed last."""
    deleted_at: datetime | None
    reactions: dict[str, int] = field(default_factory=dict)
    """How many reacted with each emoji. Left out when nobody did."""
    own_reactions: list[str] = field(default_factory=list)
    """What the caller reacted with. Only in answers to a user, never in an event, and left out when nobody reacted."""
    thread_id: str | None = None
    """The message that this one answers in its thread. A reply is not in the channel's history, and is silent there."""
    reply_number: int | None = None
    """Its number in its thread, from 1: what is read of a thread is told by it."""
    also_in_channel: bool = False
    """The reply is in the channel as well."""
    quoted_id: str | None = None
    quoted: Quoted | None = None
    """The message that it quotes, as it is now. Left out when that is older than what the reader sees."""
    mentions: Mentions | None = None
    hidden: bool = False
    """You have deleted it for yourself, and what it says is left out. Only in events that are read later."""
    purged: bool = False
    """It was deleted for good."""
    system: bool = False
    """Nobody's words: the system says so."""
    reply_count: int = 0
    """Replies in its thread that are not deleted. Left out, as are the next three, when there never was one."""
    last_reply_at: datetime | None = None
    thread_participants: list[str] = field(default_factory=list)
    """Who replied, the last ten, the latest first."""
    thread_participant_count: int = 0


@dataclass(frozen=True, kw_only=True)
class MessagePage(Model):
    """A page of a channel's history, oldest first."""

    messages: list[Message]
    has_before: bool
    """There are older messages than the first of these."""
    has_after: bool
    """There are newer messages than the last of these."""


@dataclass(frozen=True, kw_only=True)
class HiddenMessage(Model):
    """A message that somebody has deleted for itself."""

    channel_id: str
    message_id: str
    number: int | None
    """It is not unread any more; null when it never made anything unread in the channel."""
    thread_id: str | None
    reply_number: int | None


@dataclass(frozen=True, kw_only=True)
class MessageVersion(Model):
    """What a message said until it was edited."""

    seq: int
    """The event of the channel's log that told the edit."""
    text: str
    attachments: list[dict[str, Any]]
    custom: dict[str, Any]
    edited_at: datetime
    """Until when it said so."""
    edited_by: str | None
    """Who changed it; null for a server that named nobody."""


@dataclass(frozen=True, kw_only=True)
class VersionPage(Model):
    """A page of a message's earlier versions, the latest first."""

    versions: list[MessageVersion]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Thread(Model):
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
    last_reply_at: datetime | None
    participants: list[str]
    """Who replied, the last ten, the latest first."""
    participant_count: int


@dataclass(frozen=True, kw_only=True)
class OwnThread(Model):
    """A thread that the user takes part in: it began it, replied, or was mentioned there."""

    channel_id: str
    message: Message
    """The message that it hangs on."""
    thread: Thread
    read_number: int
    """How far the user has read, as a reply's number."""
    unread: int
    hidden_numbers: list[int] = field(default_factory=list)
    """The numbers of unread replies that the user has deleted for itself. Left out when there are none."""


@dataclass(frozen=True, kw_only=True)
class ThreadPage(Model):
    """A page of threads, the one with the latest reply first."""

    threads: list[OwnThread]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class ThreadPosition(Model):
    """How far somebody has read a thread."""

    thread_id: str
    channel_id: str
    read_number: int
    last_number: int
    unread: int


@dataclass(frozen=True, kw_only=True)
class Reaction(Model):
    """Somebody's reaction."""

    emoji: str
    user_id: str
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class ReactionPage(Model):
    """A page of reactions, emoji by emoji, the earliest first."""

    reactions: list[Reaction]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Pin(Model):
    """A message that its channel has pinned. From `expires_at` on it is pinned no more, and no event says so."""

    message_id: str
    message_seq: int
    pinned_by: str | None
    """Who pinned it; null for your server in nobody's name."""
    pinned_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Pinned(Model):
    """A pin with its message."""

    message_id: str
    message_seq: int
    pinned_by: str | None
    pinned_at: datetime
    expires_at: datetime | None
    message: Message


@dataclass(frozen=True, kw_only=True)
class ReadPosition(Model):
    """How far somebody has read a channel."""

    channel_id: str
    read_number: int
    last_number: int
    unread: int
    marked_unread: bool
    """The position went back, because the user marked messages unread."""
    hidden_numbers: list[int] = field(default_factory=list)
    """The numbers of messages above it that the user has deleted for itself, which are not unread. Left out when there
    are none.
    """


@dataclass(frozen=True, kw_only=True)
class DeliveredPosition(Model):
    """How far a channel's messages have reached somebody's devices."""

    channel_id: str
    delivered_number: int
    last_number: int


@dataclass(frozen=True, kw_only=True)
class MovedChannel(Model):
    """A channel that was read to its end."""

    channel_id: str
    read_number: int


@dataclass(frozen=True, kw_only=True)
class ReadAll(Model):
    """What was read."""

    channels: list[MovedChannel]
    has_more: bool
    """There were more than one call reads: call again."""


@dataclass(frozen=True, kw_only=True)
class UnreadOfType(Model):
    """Several channels together."""

    unread: int
    channels: int
    """In how many channels."""
    mentions: int
    """How many of these messages mention the user, or everybody."""


@dataclass(frozen=True, kw_only=True)
class UnreadChannel(Model):
    """A channel with something unread in it."""

    channel_id: str
    type: str
    unread: int
    mentions: int
    """How many of these messages mention the user, or everybody."""
    read_number: int
    last_number: int
    muted: bool


@dataclass(frozen=True, kw_only=True)
class Unread(Model):
    """What a user has not read."""

    total: int
    channels_unread: int
    mentions: int
    thread_replies: int
    threads_unread: int
    by_type: dict[str, UnreadOfType]
    muted: UnreadOfType
    """What is in muted channels, and nowhere else in these sums; without their threads."""
    channels: list[UnreadChannel]
    """Those with something unread, by id."""
    next_cursor: str | None
    """Give it back as `cursor` for more of `channels`; null on the last page."""


@dataclass(frozen=True, kw_only=True)
class Receipt(Model):
    """How far a member has read and received. What was read was received too."""

    user_id: str
    read_number: int | None
    """Null for who does not show it."""
    delivered_number: int | None


@dataclass(frozen=True, kw_only=True)
class ReceiptPage(Model):
    """Members by id."""

    receipts: list[Receipt]
    next_cursor: str | None
    """Give it back as `cursor` for the next page; null on the last one."""


@dataclass(frozen=True, kw_only=True)
class MessageReceipts(Model):
    """Who has read a message. Its author, and who does not show it, are left out."""

    aggregated: bool
    """The channel has more than 100 members; then there are numbers alone."""
    read_by_count: int
    delivered_to_count: int
    user_ids: list[str]
    """Who has read it, by id."""
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True)
class Privacy(Model):
    """What a user shows of its own reading and receiving."""

    read_receipts: bool
    delivery_receipts: bool


@dataclass(frozen=True, kw_only=True)
class Event(Model):
    """A durable event, the same as a socket delivers. See the realtime reference for each type's `data`."""

    type: str
    channel_id: str | None
    """Null in the user's own log."""
    seq: int
    """Counts the events of the channel's log, or of the user's own, from 1 without a gap."""
    epoch: str
    """Names the life of the logs; changes only after a restore from a backup."""
    at: datetime
    actor: str | None
    """Who did it; null when your server did it in nobody's name."""
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Recovered(Model):
    """Everything since the cursor, in the order of the commits."""

    recovered: Literal[True]
    events: list[Event]
    cursor: str
    """Where the next call goes on."""
    has_more: bool
    """There is more already: call again with the new cursor."""


@dataclass(frozen=True, kw_only=True)
class FreshState(Model):
    """The state as it is now, because there was no cursor, or it is too old or of another epoch."""

    recovered: Literal[False]
    channels: list[Channel]
    """Every channel of the user."""
    grants: dict[str, dict[str, list[str]]]
    """What every role may do in every channel type: `{type: {role: [permission]}}`. `grants.updated` changes it."""
    blocks: list[Block]
    """Whom the user has blocked."""
    own_seq: int
    """`seq` of the newest event of the user's own log that is in this; 0 for none. Pass over those up to it."""
    cursor: str
    has_more: Literal[False]


@dataclass(frozen=True, kw_only=True)
class Limit(Model):
    """One limit and where the caller stands."""

    policy: str
    """Its name, as in the headers and in errors."""
    key: str
    """Who shares it: `user`, `app`, `channel` or `connection`."""
    counts: str
    """What is counted, in words."""
    quota: int
    """Units at once."""
    per_second: float
    """Units a second after that."""
    window: int
    """Seconds in which all of the quota comes back."""
    remaining: int | None
    """Units that would pass now; null for a connection, which only knows its own."""
    reset: int | None
    """Seconds until all of the quota is there again; null with `remaining`."""


@dataclass(frozen=True, kw_only=True)
class Index(Model):
    """A declared custom field."""

    resource: str
    field: str
    """As filters and sorts name it: `custom.team`."""
    type: str
    state: str
    """While it is `building`, queries answer without it."""
    created_at: datetime


@dataclass(frozen=True, kw_only=True)
class Location(Model):
    """Where an app is served."""

    app_id: str
    url: str
    """The address for REST and Socket.IO."""
    shard: str
    environment: str
