"""What each route is called in the Python SDK. These names are promises: a released one is not changed.

A route of the API that has no name here stops `make reference`.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Name:
    """`client.<resource>.<method>(…)`."""

    resource: str
    method: str
    repeatable: bool = True
    """To do it twice is to do it once. What is not so is named here, and is not retried after a lost answer."""
    each: str | None = None
    """The iterator over all pages, where it is not called after the method."""
    removes: bool = False
    """What it is about is not there afterwards, so that it cannot be done again; so is every DELETE without content."""
    portal: bool = False
    """Answered by the control plane."""


NAMES: Final = {
    "mintTokens": Name("tokens", "create"),
    "refreshTokens": Name("tokens", "refresh"),
    "revokeUser": Name("tokens", "revoke"),
    "createGuest": Name("guests", "create", repeatable=False),
    "upsertUsers": Name("users", "upsert"),
    "updateUsers": Name("users", "update_many"),
    "queryUsers": Name("users", "query"),
    "deactivateUser": Name("users", "deactivate"),
    "reactivateUser": Name("users", "reactivate"),
    "getUser": Name("users", "get"),
    "putUser": Name("users", "put"),
    "updateUser": Name("users", "update"),
    "sendUserEvent": Name("users", "send_event", repeatable=False),
    "getMe": Name("me", "get"),
    "updateMe": Name("me", "update"),
    "listBlocks": Name("blocks", "list"),
    "blockUser": Name("blocks", "add"),
    "unblockUser": Name("blocks", "remove"),
    "getPresence": Name("presence", "get"),
    "putPresence": Name("presence", "put"),
    "queryPresence": Name("presence", "query"),
    "listWatchers": Name("presence", "watchers"),
    "getPrivacy": Name("privacy", "get"),
    "putPrivacy": Name("privacy", "put"),
    "listChannels": Name("channels", "list"),
    "createChannel": Name("channels", "create"),
    "queryChannels": Name("channels", "query"),
    "getChannel": Name("channels", "get"),
    "updateChannel": Name("channels", "update"),
    "deleteChannel": Name("channels", "delete"),
    # Without `before` it takes away what was said since, too.
    "truncateChannel": Name("channels", "truncate", repeatable=False),
    "joinChannel": Name("channels", "join"),
    "leaveChannel": Name("channels", "leave"),
    "arrangeChannel": Name("channels", "arrange"),
    "sendEvent": Name("channels", "send_event", repeatable=False),
    "markRead": Name("channels", "mark_read"),
    "markUnread": Name("channels", "mark_unread"),
    "markDelivered": Name("channels", "mark_delivered"),
    "readAll": Name("channels", "mark_all_read"),
    "listMembers": Name("members", "list"),
    "addMembers": Name("members", "add"),
    "queryMembers": Name("members", "query"),
    "putMember": Name("members", "put"),
    "updateMember": Name("members", "update"),
    "removeMember": Name("members", "remove"),
    "listInvites": Name("invites", "list"),
    "listChannelInvites": Name("invites", "of_channel"),
    "inviteMembers": Name("invites", "create"),
    "revokeInvite": Name("invites", "revoke"),
    # An answered invite is not found: after a lost answer nobody could tell that from one that never was.
    "acceptInvite": Name("invites", "accept", repeatable=False),
    "rejectInvite": Name("invites", "reject", removes=True),
    "listChannelTypes": Name("channel_types", "list"),
    "getChannelType": Name("channel_types", "get"),
    "putChannelType": Name("channel_types", "put"),
    "deleteChannelType": Name("channel_types", "delete"),
    "listRoles": Name("roles", "list"),
    "getRole": Name("roles", "get"),
    "putRole": Name("roles", "put"),
    "deleteRole": Name("roles", "delete"),
    "sendMessage": Name("messages", "send"),
    "listMessages": Name("messages", "list"),
    "getMessage": Name("messages", "get"),
    "editMessage": Name("messages", "edit"),
    "deleteMessage": Name("messages", "delete"),
    "restoreMessage": Name("messages", "restore"),
    "hideMessage": Name("messages", "hide"),
    "listVersions": Name("messages", "versions"),
    "listThreads": Name("threads", "list"),
    "listReplies": Name("threads", "replies"),
    "markThreadRead": Name("threads", "mark_read"),
    "addReaction": Name("reactions", "add"),
    "removeReaction": Name("reactions", "remove"),
    "listReactions": Name("reactions", "list"),
    "pinMessage": Name("pins", "add"),
    "unpinMessage": Name("pins", "remove"),
    "listPins": Name("pins", "list"),
    "listReceipts": Name("receipts", "list"),
    "listReaders": Name("receipts", "readers"),
    "getUnread": Name("unread", "get", each="iter_channels"),
    "sync": Name("sync", "get"),
    "getLimits": Name("limits", "get"),
    "listIndexes": Name("indexes", "list"),
    "getIndex": Name("indexes", "get"),
    "putIndex": Name("indexes", "put"),
    "deleteIndex": Name("indexes", "delete"),
    "locate": Name("apps", "locate", portal=True),
    "getDescription": Name("descriptions", "openapi"),
    "getEventDescription": Name("descriptions", "asyncapi"),
}

FRESH_IDS: Final = {"sendMessage": "msg"}
"""Routes whose `id` makes the request safe to repeat, and that id's prefix: the client makes one."""

COUNTS: Final = frozenset({"reply_count", "thread_participant_count"})
"""Numbers that are left out when they are 0."""

RESOURCES: Final = {
    "apps": "Where apps are served.",
    "blocks": "Whom a user does not want to hear from. With a user's token alone (`with_token`).",
    "channel_types": "What roles may do in channels of a type.",
    "channels": "Rooms with members, settings and a log of events.",
    "descriptions": "The API's description of itself.",
    "guests": "Users that nobody knows, let in by the publishable key.",
    "indexes": "Custom fields that queries filter and sort by at any size.",
    "invites": "Who is asked to become a member.",
    "limits": "How much a caller may do, and how much of it is left.",
    "me": "The user whose token it is (`with_token`).",
    "members": "Who is in a channel, and as what.",
    "messages": "Sending, history, editing.",
    "pins": "What a channel has pinned.",
    "presence": "Who is there, what users show of themselves, who watches a channel.",
    "privacy": "What users show of their reading.",
    "reactions": "What others feel about a message.",
    "receipts": "How far users have read, and who has read a message.",
    "roles": "What roles may do in every type that says nothing else.",
    "sync": "Catching up after having been away.",
    "threads": "Replies to a message, and what is unread in them.",
    "tokens": "User tokens, made and revoked by your server. `natter.TokenSigner` signs them without a call.",
    "unread": "How many messages a user has not read.",
    "users": "Profiles of your app's users.",
}
