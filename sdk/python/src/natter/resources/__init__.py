"""The routes of the API, by what they are about.

Generated from the API's description by `make reference`. Do not edit.
"""

from functools import cached_property

from .._resource import AsyncCaller, Caller
from .apps import Apps, AsyncApps
from .blocks import AsyncBlocks, Blocks
from .channel_types import AsyncChannelTypes, ChannelTypes
from .channels import AsyncChannels, Channels
from .descriptions import AsyncDescriptions, Descriptions
from .guests import AsyncGuests, Guests
from .indexes import AsyncIndexes, Indexes
from .invites import AsyncInvites, Invites
from .limits import AsyncLimits, Limits
from .me import AsyncMe, Me
from .members import AsyncMembers, Members
from .messages import AsyncMessages, Messages
from .pins import AsyncPins, Pins
from .presence import AsyncPresence, Presence
from .privacy import AsyncPrivacy, Privacy
from .reactions import AsyncReactions, Reactions
from .receipts import AsyncReceipts, Receipts
from .roles import AsyncRoles, Roles
from .sync import AsyncSync, Sync
from .threads import AsyncThreads, Threads
from .tokens import AsyncTokens, Tokens
from .unread import AsyncUnread, Unread
from .users import AsyncUsers, Users

__all__ = [
    "Apps",
    "AsyncApps",
    "AsyncBlocks",
    "AsyncChannelTypes",
    "AsyncChannels",
    "AsyncDescriptions",
    "AsyncGuests",
    "AsyncIndexes",
    "AsyncInvites",
    "AsyncLimits",
    "AsyncMe",
    "AsyncMembers",
    "AsyncMessages",
    "AsyncPins",
    "AsyncPresence",
    "AsyncPrivacy",
    "AsyncReactions",
    "AsyncReceipts",
    "AsyncResources",
    "AsyncRoles",
    "AsyncSync",
    "AsyncThreads",
    "AsyncTokens",
    "AsyncUnread",
    "AsyncUsers",
    "Blocks",
    "ChannelTypes",
    "Channels",
    "Descriptions",
    "Guests",
    "Indexes",
    "Invites",
    "Limits",
    "Me",
    "Members",
    "Messages",
    "Pins",
    "Presence",
    "Privacy",
    "Reactions",
    "Receipts",
    "Resources",
    "Roles",
    "Sync",
    "Threads",
    "Tokens",
    "Unread",
    "Users",
]


class Resources(Caller):
    """What a client that blocks has."""

    @cached_property
    def apps(self) -> Apps:
        """Where apps are served."""
        return Apps(self)

    @cached_property
    def blocks(self) -> Blocks:
        """Whom a user does not want to hear from. With a user's token alone (`with_token`)."""
        return Blocks(self)

    @cached_property
    def channel_types(self) -> ChannelTypes:
        """What roles may do in channels of a type."""
        return ChannelTypes(self)

    @cached_property
    def channels(self) -> Channels:
        """Rooms with members, settings and a log of events."""
        return Channels(self)

    @cached_property
    def descriptions(self) -> Descriptions:
        """The API's description of itself."""
        return Descriptions(self)

    @cached_property
    def guests(self) -> Guests:
        """Users that nobody knows, let in by the publishable key."""
        return Guests(self)

    @cached_property
    def indexes(self) -> Indexes:
        """Custom fields that queries filter and sort by at any size."""
        return Indexes(self)

    @cached_property
    def invites(self) -> Invites:
        """Who is asked to become a member."""
        return Invites(self)

    @cached_property
    def limits(self) -> Limits:
        """How much a caller may do, and how much of it is left."""
        return Limits(self)

    @cached_property
    def me(self) -> Me:
        """The user whose token it is (`with_token`)."""
        return Me(self)

    @cached_property
    def members(self) -> Members:
        """Who is in a channel, and as what."""
        return Members(self)

    @cached_property
    def messages(self) -> Messages:
        """Sending, history, editing."""
        return Messages(self)

    @cached_property
    def pins(self) -> Pins:
        """What a channel has pinned."""
        return Pins(self)

    @cached_property
    def presence(self) -> Presence:
        """Who is there, what users show of themselves, who watches a channel."""
        return Presence(self)

    @cached_property
    def privacy(self) -> Privacy:
        """What users show of their reading."""
        return Privacy(self)

    @cached_property
    def reactions(self) -> Reactions:
        """What others feel about a message."""
        return Reactions(self)

    @cached_property
    def receipts(self) -> Receipts:
        """How far users have read, and who has read a message."""
        return Receipts(self)

    @cached_property
    def roles(self) -> Roles:
        """What roles may do in every type that says nothing else."""
        return Roles(self)

    @cached_property
    def sync(self) -> Sync:
        """Catching up after having been away."""
        return Sync(self)

    @cached_property
    def threads(self) -> Threads:
        """Replies to a message, and what is unread in them."""
        return Threads(self)

    @cached_property
    def tokens(self) -> Tokens:
        """User tokens, made and revoked by your server. `natter.TokenSigner` signs them without a call."""
        return Tokens(self)

    @cached_property
    def unread(self) -> Unread:
        """How many messages a user has not read."""
        return Unread(self)

    @cached_property
    def users(self) -> Users:
        """Profiles of your app's users."""
        return Users(self)


class AsyncResources(AsyncCaller):
    """What a client that is awaited has."""

    @cached_property
    def apps(self) -> AsyncApps:
        """Where apps are served."""
        return AsyncApps(self)

    @cached_property
    def blocks(self) -> AsyncBlocks:
        """Whom a user does not want to hear from. With a user's token alone (`with_token`)."""
        return AsyncBlocks(self)

    @cached_property
    def channel_types(self) -> AsyncChannelTypes:
        """What roles may do in channels of a type."""
        return AsyncChannelTypes(self)

    @cached_property
    def channels(self) -> AsyncChannels:
        """Rooms with members, settings and a log of events."""
        return AsyncChannels(self)

    @cached_property
    def descriptions(self) -> AsyncDescriptions:
        """The API's description of itself."""
        return AsyncDescriptions(self)

    @cached_property
    def guests(self) -> AsyncGuests:
        """Users that nobody knows, let in by the publishable key."""
        return AsyncGuests(self)

    @cached_property
    def indexes(self) -> AsyncIndexes:
        """Custom fields that queries filter and sort by at any size."""
        return AsyncIndexes(self)

    @cached_property
    def invites(self) -> AsyncInvites:
        """Who is asked to become a member."""
        return AsyncInvites(self)

    @cached_property
    def limits(self) -> AsyncLimits:
        """How much a caller may do, and how much of it is left."""
        return AsyncLimits(self)

    @cached_property
    def me(self) -> AsyncMe:
        """The user whose token it is (`with_token`)."""
        return AsyncMe(self)

    @cached_property
    def members(self) -> AsyncMembers:
        """Who is in a channel, and as what."""
        return AsyncMembers(self)

    @cached_property
    def messages(self) -> AsyncMessages:
        """Sending, history, editing."""
        return AsyncMessages(self)

    @cached_property
    def pins(self) -> AsyncPins:
        """What a channel has pinned."""
        return AsyncPins(self)

    @cached_property
    def presence(self) -> AsyncPresence:
        """Who is there, what users show of themselves, who watches a channel."""
        return AsyncPresence(self)

    @cached_property
    def privacy(self) -> AsyncPrivacy:
        """What users show of their reading."""
        return AsyncPrivacy(self)

    @cached_property
    def reactions(self) -> AsyncReactions:
        """What others feel about a message."""
        return AsyncReactions(self)

    @cached_property
    def receipts(self) -> AsyncReceipts:
        """How far users have read, and who has read a message."""
        return AsyncReceipts(self)

    @cached_property
    def roles(self) -> AsyncRoles:
        """What roles may do in every type that says nothing else."""
        return AsyncRoles(self)

    @cached_property
    def sync(self) -> AsyncSync:
        """Catching up after having been away."""
        return AsyncSync(self)

    @cached_property
    def threads(self) -> AsyncThreads:
        """Replies to a message, and what is unread in them."""
        return AsyncThreads(self)

    @cached_property
    def tokens(self) -> AsyncTokens:
        """User tokens, made and revoked by your server. `natter.TokenSigner` signs them without a call."""
        return AsyncTokens(self)

    @cached_property
    def unread(self) -> AsyncUnread:
        """How many messages a user has not read."""
        return AsyncUnread(self)

    @cached_property
    def users(self) -> AsyncUsers:
        """Profiles of your app's users."""
        return AsyncUsers(self)
