"""Every permission there is. A feature that checks a new one adds it here, with its sentence and to `defaults`."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Permission(StrEnum):
    """What somebody may do, named like events. The names are part of the API and never change their meaning."""

    MESSAGE_SEND = "message.send"
    MESSAGE_SEND_FROZEN = "message.send.frozen"
    MESSAGE_SEND_SLOW = "message.send.slow"
    MESSAGE_MENTION_MANY = "message.mention.many"
    MESSAGE_SYSTEM = "message.system"
    MESSAGE_EDIT_OWN = "message.edit.own"
    MESSAGE_EDIT_ANY = "message.edit.any"
    MESSAGE_VERSIONS_OWN = "message.versions.own"
    MESSAGE_VERSIONS_ANY = "message.versions.any"
    MESSAGE_DELETE_OWN = "message.delete.own"
    MESSAGE_DELETE_ANY = "message.delete.any"
    MESSAGE_RESTORE_OWN = "message.restore.own"
    MESSAGE_RESTORE_ANY = "message.restore.any"
    MESSAGE_PURGE_OWN = "message.purge.own"
    MESSAGE_PURGE_ANY = "message.purge.any"
    MESSAGE_PIN = "message.pin"
    REACTION_ADD = "reaction.add"
    EVENT_SEND = "event.send"
    MEMBER_ADD = "member.add"
    MEMBER_REMOVE = "member.remove"
    MEMBER_ROLE = "member.role"
    MEMBER_CUSTOM = "member.custom"
    CHANNEL_CREATE = "channel.create"
    CHANNEL_WATCH = "channel.watch"
    CHANNEL_JOIN = "channel.join"
    CHANNEL_LEAVE = "channel.leave"
    CHANNEL_UPDATE = "channel.update"
    CHANNEL_FREEZE = "channel.freeze"
    CHANNEL_SLOW = "channel.slow"
    CHANNEL_GRANTS = "channel.grants"
    CHANNEL_TRUNCATE = "channel.truncate"
    CHANNEL_DELETE = "channel.delete"


MEANINGS: Final[Mapping[Permission, str]] = MappingProxyType(
    {
        Permission.MESSAGE_SEND: "Send messages.",
        Permission.MESSAGE_SEND_FROZEN: "Send and edit even while the channel is frozen.",
        Permission.MESSAGE_SEND_SLOW: "Send without waiting while the channel is slow.",
        Permission.MESSAGE_MENTION_MANY: "Mention the whole channel, whoever is there, or all of a role.",
        Permission.MESSAGE_SYSTEM: "Send messages of the system, which are nobody's words and make nothing unread.",
        Permission.MESSAGE_EDIT_OWN: "Edit one's own messages.",
        Permission.MESSAGE_EDIT_ANY: "Edit anybody's messages.",
        Permission.MESSAGE_VERSIONS_OWN: "See what one's own messages said before they were edited.",
        Permission.MESSAGE_VERSIONS_ANY: "See what anybody's messages said before they were edited.",
        Permission.MESSAGE_DELETE_OWN: "Delete one's own messages.",
        Permission.MESSAGE_DELETE_ANY: "Delete anybody's messages.",
        Permission.MESSAGE_RESTORE_OWN: "Restore one's own messages that one has deleted oneself.",
        Permission.MESSAGE_RESTORE_ANY: "Restore deleted messages, whoever wrote and whoever deleted them.",
        Permission.MESSAGE_PURGE_OWN: "Delete one's own messages for good, so that nobody can restore them.",
        Permission.MESSAGE_PURGE_ANY: "Delete anybody's messages for good.",
        Permission.MESSAGE_PIN: "Pin messages in the channel, and unpin them.",
        Permission.REACTION_ADD: "React to messages.",
        Permission.EVENT_SEND: "Send events of the app's own to those who watch.",
        Permission.MEMBER_ADD: "Add others, with a role that may do no more than whoever adds them.",
        Permission.MEMBER_REMOVE: "Remove members whose role may do no more than whoever removes them.",
        Permission.MEMBER_ROLE: "Change the role of members, within the same limit before and after.",
        Permission.MEMBER_CUSTOM: "Change the custom data of other members.",
        Permission.CHANNEL_CREATE: "Create channels of the type. Only an app role's grant of it counts.",
        Permission.CHANNEL_WATCH: "See the channel, its members and history, and watch it, without being a member.",
        Permission.CHANNEL_JOIN: "Become a member, with the role `member`.",
        Permission.CHANNEL_LEAVE: "Leave the channel.",
        Permission.CHANNEL_UPDATE: "Change name, image and custom data.",
        Permission.CHANNEL_FREEZE: "Freeze the channel, and thaw it.",
        Permission.CHANNEL_SLOW: "Make the channel slow, and quick again.",
        Permission.CHANNEL_GRANTS: "Change what roles that may do no more may do in this channel.",
        Permission.CHANNEL_TRUNCATE: "Take messages away up to some point, for everybody.",
        Permission.CHANNEL_DELETE: "Delete the channel for everybody.",
    }
)
"""A sentence each, for the reference and for whoever is refused."""

Grants = frozenset[Permission]
"""What a role may do somewhere."""

EVERYTHING: Final[Grants] = frozenset(Permission)
OF_THE_TYPE: Final[Grants] = frozenset({Permission.CHANNEL_CREATE})
"""About a type, not about a channel that exists: in no channel's capabilities, and no part of comparing roles."""
