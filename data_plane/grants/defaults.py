"""The roles and channel types that every app has, and what they may do until the app says otherwise."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from data_plane.grants.permissions import EVERYTHING, Grants
from data_plane.grants.permissions import Permission as P

APP, CHANNEL = "app", "channel"
"""Where a role may be given: to a user of the app, to a member of a channel."""
OWNER, MEMBER, USER, GUEST, ANONYMOUS = "owner", "member", "user", "guest", "anonymous"
GROUP: Final = "group"
DIRECT: Final = "direct"
"""The one type whose members are fixed, two, from the start; no grant changes that."""

SCOPES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        OWNER: (CHANNEL,),
        "admin": (APP, CHANNEL),
        "moderator": (APP, CHANNEL),
        MEMBER: (CHANNEL,),
        GUEST: (APP, CHANNEL),
        USER: (APP,),
        ANONYMOUS: (APP,),
    }
)
"""The built-in roles. `user` is every user's app role until it gets another one, and stands in for words that name no
app role; `owner` is what a channel's creator becomes, `member` what who is added or joins becomes."""

_NOBODYS: Final[Grants] = frozenset({P.MESSAGE_EDIT_ANY, P.MESSAGE_SEND_FROZEN, P.MESSAGE_SYSTEM})
"""Granted to nobody by default: words that others put into one's mouth, a freeze that does not freeze, the system's
voice."""
_TALK: Final[Grants] = frozenset(
    {
        P.MESSAGE_SEND,
        P.MESSAGE_EDIT_OWN,
        P.MESSAGE_VERSIONS_OWN,
        P.MESSAGE_DELETE_OWN,
        P.MESSAGE_RESTORE_OWN,
        P.REACTION_ADD,
        P.EVENT_SEND,
    }
)
_PAIR: Final[Grants] = _TALK | {P.MESSAGE_PIN}
_STAY_OR_GO: Final[Grants] = _TALK | {P.CHANNEL_LEAVE}
_CREATE: Final[Grants] = frozenset({P.CHANNEL_CREATE})
_ADMIN: Final[Grants] = EVERYTHING - _NOBODYS - {P.CHANNEL_DELETE}
_MODERATOR: Final[Grants] = _STAY_OR_GO | {
    P.MESSAGE_VERSIONS_ANY,
    P.MESSAGE_DELETE_ANY,
    P.MESSAGE_RESTORE_ANY,
    P.MESSAGE_MENTION_MANY,
    P.MESSAGE_PIN,
    P.MEMBER_REMOVE,
    P.CHANNEL_FREEZE,
    P.CHANNEL_SLOW,
    P.MESSAGE_SEND_SLOW,
    P.CHANNEL_WATCH,
    P.CHANNEL_JOIN,
    P.CHANNEL_CREATE,
}
_NOTHING: Final[Grants] = frozenset()

ROLES: Final[Mapping[str, Grants]] = MappingProxyType(
    {
        OWNER: EVERYTHING - _NOBODYS,
        "admin": _ADMIN,
        "moderator": _MODERATOR,
        MEMBER: _STAY_OR_GO,
        "guest": _STAY_OR_GO,
        USER: _CREATE,
        ANONYMOUS: _NOTHING,
    }
)
"""What a role may do in every type that says nothing else of it."""

TYPES: Final[Mapping[str, Mapping[str, Grants]]] = MappingProxyType(
    {
        # Two people who talk. Nobody runs it, nobody else sees it, nobody leaves it.
        DIRECT: {OWNER: _PAIR, "admin": _PAIR | _CREATE, "moderator": _PAIR | _CREATE, MEMBER: _PAIR, "guest": _PAIR},
        # People who know each other: the owner runs it.
        GROUP: {MEMBER: _STAY_OR_GO | {P.MESSAGE_MENTION_MANY}},
        # People who work together: members bring others in.
        "team": {
            MEMBER: _STAY_OR_GO | {P.MEMBER_ADD, P.MESSAGE_MENTION_MANY},
            "moderator": _MODERATOR | {P.MEMBER_ADD},
        },
        # Anybody watches, who joins may write; your server or an admin opens it.
        "livestream": {
            "guest": frozenset({P.CHANNEL_WATCH, P.CHANNEL_LEAVE}),
            USER: frozenset({P.CHANNEL_WATCH, P.CHANNEL_JOIN}),
            ANONYMOUS: frozenset({P.CHANNEL_WATCH}),
        },
        # A customer opens it and talks; agents are moderators, who bring in others and run it.
        "support": {
            "guest": _STAY_OR_GO | _CREATE,
            "moderator": _MODERATOR | {P.MEMBER_ADD, P.CHANNEL_UPDATE},
        },
    }
)
"""What the built-in types say of roles otherwise."""

CREATOR_ROLES: Final[Mapping[str, str]] = MappingProxyType({DIRECT: MEMBER, "support": MEMBER})
"""The role of whoever creates a channel of a built-in type; `owner` of those that are not named."""
