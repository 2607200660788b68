"""What the API refuses with: a class for every code, under one for its status.

    NatterError
    ├── APIError: the server refused
    │   ├── Malformed: 400, and under it the codes with that status
    │   ├── Unauthenticated: 401, and under it the codes with that status
    │   ├── Forbidden: 403, and under it the codes with that status
    │   ├── NotFound: 404, and under it the codes with that status
    │   ├── MethodNotAllowed: 405, and under it the codes with that status
    │   ├── Conflict: 409, and under it the codes with that status
    │   ├── TooLarge: 413, and under it the codes with that status
    │   ├── UnsupportedMediaType: 415, and under it the codes with that status
    │   ├── InvalidInput: 422, and under it the codes with that status
    │   ├── RateLimited: 429, and under it the codes with that status
    │   ├── Internal: 500, and under it the codes with that status
    │   ├── Unavailable: 503, and under it the codes with that status
    ├── ConnectionFailed: no answer
    │   └── TimedOut
    └── UnexpectedAnswer: no answer of this API

Generated from the API's description by `make reference`. Do not edit.
"""

from typing import Final

from ._errors import APIError, ConnectionFailed, FieldError, NatterError, TimedOut, UnexpectedAnswer

__all__ = [
    "BY_CODE",
    "BY_STATUS",
    "APIError",
    "AnonymousOff",
    "AnonymousRefused",
    "AppDeleted",
    "AppReadOnly",
    "AppSuspended",
    "BadCursor",
    "BadFilter",
    "BinaryRefused",
    "Blocked",
    "ChannelExists",
    "ChannelFrozen",
    "ChannelNeedsOwner",
    "ChannelSlow",
    "Conflict",
    "ConnectionFailed",
    "DirectIsFixed",
    "DistinctIsFixed",
    "FieldError",
    "Forbidden",
    "GuestsOff",
    "IdempotencyConflict",
    "IndexExists",
    "Internal",
    "InvalidInput",
    "KeyExpired",
    "KeyRequired",
    "Malformed",
    "MessageDeleted",
    "MessageIdTaken",
    "MessagePurged",
    "MethodNotAllowed",
    "MissingScope",
    "NamespaceRefused",
    "NatterError",
    "NestedReply",
    "NoSigningKey",
    "NotFound",
    "OriginNotAllowed",
    "Overloaded",
    "PermissionMissing",
    "PresenceAway",
    "QueryTooSlow",
    "QuotaExceeded",
    "RateLimited",
    "ReceiptsOff",
    "RefreshInvalid",
    "RefreshReused",
    "RoleInUse",
    "RoleTooHigh",
    "TimedOut",
    "TokenExpired",
    "TokenInvalid",
    "TokenRevoked",
    "TooLarge",
    "TooManyBlocks",
    "TooManyConnections",
    "TooManyDefined",
    "TooManyHandshakes",
    "TooManyInFlight",
    "TooManyIndexes",
    "TooManyPinned",
    "TooManyPins",
    "TooManyReactions",
    "TooManySubscriptions",
    "TooManyWatched",
    "TypeInUse",
    "Unauthenticated",
    "Unavailable",
    "UnexpectedAnswer",
    "UnknownEvent",
    "UnknownUsers",
    "UnsupportedMediaType",
    "UserDeactivated",
]


class Malformed(APIError):
    """The body or packet could not be read at all."""

    default_code = "malformed"


class Unauthenticated(APIError):
    """No credential, or one that is not valid."""

    default_code = "unauthenticated"


class Forbidden(APIError):
    """The caller is known and may not do this."""

    default_code = "forbidden"


class NotFound(APIError):
    """Nothing by that name for this caller; also what another tenant's things look like."""

    default_code = "not_found"


class MethodNotAllowed(APIError):
    """The path exists with other methods."""

    default_code = "method_not_allowed"


class Conflict(APIError):
    """The request contradicts what is stored."""

    default_code = "conflict"


class TooLarge(APIError):
    """The body or packet is larger than allowed."""

    default_code = "too_large"


class UnsupportedMediaType(APIError):
    """The body is not JSON, or does not say so: send `Content-Type: application/json`."""

    default_code = "unsupported_media_type"


class InvalidInput(APIError):
    """A field is missing, of the wrong type, too large or malformed. `field` names it where one is to blame."""

    default_code = "invalid_input"


class RateLimited(APIError):
    """Too many requests; the wait is in `retry_after`. `policy` names the limit, where it is one of those that `GET
    /v1/limits` lists.
    """

    default_code = "rate_limited"


class Internal(APIError):
    """A defect of ours; `request_id` finds it in the logs."""

    default_code = "internal"


class Unavailable(APIError):
    """A part that this needs is away for now. Nothing was done, or the same id makes the retry safe."""

    default_code = "unavailable"


class AnonymousOff(Unauthenticated):
    """The app lets no anonymous visitors in, so that its publishable key alone opens nothing, or the key is unknown.
    The app's settings in the portal let them in.
    """

    default_code = "anonymous_off"


class AnonymousRefused(Forbidden):
    """The caller is an anonymous visitor, who reads and watches what the role `anonymous` may see, and nothing else.
    Let it in as a guest, or with a user's token, for the rest.
    """

    default_code = "anonymous_refused"


class AppDeleted(Forbidden):
    """The app was deleted; its keys and tokens work no more."""

    default_code = "app_deleted"


class AppReadOnly(Forbidden):
    """The app takes nothing new at the moment; reading, connecting and syncing go on. Trying again does not help until
    its owner has put right what the portal says.
    """

    default_code = "app_read_only"


class AppSuspended(Forbidden):
    """The app is suspended. Its owner finds the reason and the way back in the portal."""

    default_code = "app_suspended"


class BadCursor(Malformed):
    """The cursor is not one that this service made."""

    default_code = "bad_cursor"


class BadFilter(InvalidInput):
    """The filter or sort cannot be run; `path` says where in it, as `filter.$and[1].name.$gt`."""

    default_code = "bad_filter"


class BinaryRefused(InvalidInput):
    """Binary attachments have no use in this product; upload files instead."""

    default_code = "binary_refused"


class Blocked(Forbidden):
    """The other member of the direct channel takes no messages from this user. Nothing was stored."""

    default_code = "blocked"


class ChannelExists(Conflict):
    """The id belongs to another channel, or did to one that was deleted. Nothing of that one is shown."""

    default_code = "channel_exists"


class ChannelFrozen(Forbidden):
    """The channel can be read and left; who may write there still, needs the permission `message.send.frozen`."""

    default_code = "channel_frozen"


class ChannelNeedsOwner(Conflict):
    """The channel has no other owner. Make somebody else one first."""

    default_code = "channel_needs_owner"


class ChannelSlow(RateLimited):
    """The channel is slow: a member waits `slow_mode` seconds between two messages, `retry_after_ms` of them still.
    Whoever has `message.send.slow` does not wait.
    """

    default_code = "channel_slow"


class DirectIsFixed(Conflict):
    """The two members of a direct channel are what it is: nobody joins, leaves or has a role."""

    default_code = "direct_is_fixed"


class DistinctIsFixed(Conflict):
    """The channel is known by its members, so nobody is added and nobody goes. Begin another one for other people;
    whoever wants to be rid of it archives or hides it.
    """

    default_code = "distinct_is_fixed"


class GuestsOff(Forbidden):
    """The app lets no guests in. Its settings in the portal can change that."""

    default_code = "guests_off"


class IdempotencyConflict(Conflict):
    """The key was used for a different request. Nothing was done; use a fresh key for each thing to do."""

    default_code = "idempotency_conflict"


class IndexExists(Conflict):
    """The field is declared with another type. Delete that index first; a new one is built from what is stored."""

    default_code = "index_exists"


class KeyExpired(Unauthenticated):
    """The secret key's time is over; use the key that replaced it."""

    default_code = "key_expired"


class KeyRequired(Forbidden):
    """A browser's handshake must name its app, so that the page's origin can be checked against the app's."""

    default_code = "key_required"


class MessageDeleted(Conflict):
    """A deleted message keeps its place and nothing else; it cannot be edited."""

    default_code = "message_deleted"


class MessageIdTaken(Conflict):
    """The message id belongs to a message of another author, channel or content. Nothing of that one is shown."""

    default_code = "message_id_taken"


class MessagePurged(Conflict):
    """The message was deleted for good: nothing of it is left that could be restored."""

    default_code = "message_purged"


class MissingScope(Forbidden):
    """The secret key was made without the scope that this call needs, named in `scope`."""

    default_code = "missing_scope"


class NamespaceRefused(InvalidInput):
    """Only the main namespace `/` exists."""

    default_code = "namespace_refused"


class NestedReply(Conflict):
    """A reply is in a thread already; answer the message that the thread hangs on, and quote the reply if need be."""

    default_code = "nested_reply"


class NoSigningKey(Conflict):
    """The app has no signing key that mints; make one in the portal, or sign tokens on your own server."""

    default_code = "no_signing_key"


class OriginNotAllowed(Forbidden):
    """The page's origin is not among the app's allowed origins; add it in the app's settings."""

    default_code = "origin_not_allowed"


class Overloaded(Unavailable):
    """More messages wait than this node will hold. Nothing was stored; send again with the same id."""

    default_code = "overloaded"


class PermissionMissing(Forbidden):
    """The caller's roles in this channel do not grant it what `permission` names; see the channel's `capabilities`."""

    default_code = "permission_missing"


class PresenceAway(Unavailable):
    """Who is there is not known at the moment; everything else goes on."""

    default_code = "presence_away"


class QueryTooSlow(Unavailable):
    """The query looked at too many rows and was given up. Ask with `explain` what it reads, and declare an index."""

    default_code = "query_too_slow"


class QuotaExceeded(Forbidden):
    """The plan's limit of one meter is reached and the plan stops there. `meter`, `limit`, `used` and `period` (a UTC
    month, `2026-01`) say which; the same call works again when the month ends or the plan changes.
    """

    default_code = "quota_exceeded"


class ReceiptsOff(Forbidden):
    """In channels of this type nobody sees how far others have read."""

    default_code = "receipts_off"


class RefreshInvalid(Unauthenticated):
    """The refresh token is unknown, expired or revoked; get a new pair from your server."""

    default_code = "refresh_invalid"


class RefreshReused(Unauthenticated):
    """An already replaced refresh token came again, so all that descend from the same sign-in were revoked."""

    default_code = "refresh_reused"


class RoleInUse(Conflict):
    """Members or users have this role, or a type's creators get it."""

    default_code = "role_in_use"


class RoleTooHigh(Forbidden):
    """The role that is given, taken or changed may do more than the caller: `permissions` lists what."""

    default_code = "role_too_high"


class TokenExpired(Unauthenticated):
    """The token's time is over; get a new one from the refresh token or from your server."""

    default_code = "token_expired"


class TokenInvalid(Unauthenticated):
    """The token is malformed, of another app, signed by an unknown key or revoked."""

    default_code = "token_invalid"


class TokenRevoked(Unauthenticated):
    """The user's tokens were revoked; get a new one from your server."""

    default_code = "token_revoked"


class TooManyBlocks(Conflict):
    """The user has blocked as many others as one may."""

    default_code = "too_many_blocks"


class TooManyConnections(RateLimited):
    """The user has as many connections at once as the installation allows one user (`limit`), or anonymous visitors at
    one address have as many as it allows them; the newest is refused. Those that are open stay. Close one, or stop
    opening several on one device: a page needs one.
    """

    default_code = "too_many_connections"


class TooManyDefined(Conflict):
    """The app has as many channel types, or roles, of its own as one can have."""

    default_code = "too_many_defined"


class TooManyHandshakes(RateLimited):
    """Too many connections of this address have not authenticated yet."""

    default_code = "too_many_handshakes"


class TooManyInFlight(RateLimited):
    """Too many events of this connection wait for their acknowledgement."""

    default_code = "too_many_in_flight"


class TooManyIndexes(Conflict):
    """The app has as many declared fields of this resource as it may have."""

    default_code = "too_many_indexes"


class TooManyPinned(Conflict):
    """The channel shows as many pinned messages as one may. Unpin one first."""

    default_code = "too_many_pinned"


class TooManyPins(Conflict):
    """The user has pinned as many channels as one can. Take another pin off first."""

    default_code = "too_many_pins"


class TooManyReactions(Conflict):
    """The message shows as many different emoji as one may. Those that it shows can still be joined."""

    default_code = "too_many_reactions"


class TooManySubscriptions(Conflict):
    """The connection follows as many users as one may. Unsubscribe from some first."""

    default_code = "too_many_subscriptions"


class TooManyWatched(Conflict):
    """An anonymous visitor watches as many channels as one connection may. Unwatch some first."""

    default_code = "too_many_watched"


class TypeInUse(Conflict):
    """There are channels of this type. Delete them first."""

    default_code = "type_in_use"


class UnknownEvent(NotFound):
    """No such event; see the reference for those there are."""

    default_code = "unknown_event"


class UnknownUsers(InvalidInput):
    """Users are named that do not exist; `user_ids` lists them. Nothing was done. Create them first."""

    default_code = "unknown_users"


class UserDeactivated(Forbidden):
    """The user was deactivated and gets no tokens and no service."""

    default_code = "user_deactivated"


BY_CODE: Final[dict[str, type[APIError]]] = {
    "anonymous_off": AnonymousOff,
    "anonymous_refused": AnonymousRefused,
    "app_deleted": AppDeleted,
    "app_read_only": AppReadOnly,
    "app_suspended": AppSuspended,
    "bad_cursor": BadCursor,
    "bad_filter": BadFilter,
    "binary_refused": BinaryRefused,
    "blocked": Blocked,
    "channel_exists": ChannelExists,
    "channel_frozen": ChannelFrozen,
    "channel_needs_owner": ChannelNeedsOwner,
    "channel_slow": ChannelSlow,
    "conflict": Conflict,
    "direct_is_fixed": DirectIsFixed,
    "distinct_is_fixed": DistinctIsFixed,
    "forbidden": Forbidden,
    "guests_off": GuestsOff,
    "idempotency_conflict": IdempotencyConflict,
    "index_exists": IndexExists,
    "internal": Internal,
    "invalid_input": InvalidInput,
    "key_expired": KeyExpired,
    "key_required": KeyRequired,
    "malformed": Malformed,
    "message_deleted": MessageDeleted,
    "message_id_taken": MessageIdTaken,
    "message_purged": MessagePurged,
    "method_not_allowed": MethodNotAllowed,
    "missing_scope": MissingScope,
    "namespace_refused": NamespaceRefused,
    "nested_reply": NestedReply,
    "no_signing_key": NoSigningKey,
    "not_found": NotFound,
    "origin_not_allowed": OriginNotAllowed,
    "overloaded": Overloaded,
    "permission_missing": PermissionMissing,
    "presence_away": PresenceAway,
    "query_too_slow": QueryTooSlow,
    "quota_exceeded": QuotaExceeded,
    "rate_limited": RateLimited,
    "receipts_off": ReceiptsOff,
    "refresh_invalid": RefreshInvalid,
    "refresh_reused": RefreshReused,
    "role_in_use": RoleInUse,
    "role_too_high": RoleTooHigh,
    "token_expired": TokenExpired,
    "token_invalid": TokenInvalid,
    "token_revoked": TokenRevoked,
    "too_large": TooLarge,
    "too_many_blocks": TooManyBlocks,
    "too_many_connections": TooManyConnections,
    "too_many_defined": TooManyDefined,
    "too_many_handshakes": TooManyHandshakes,
    "too_many_in_flight": TooManyInFlight,
    "too_many_indexes": TooManyIndexes,
    "too_many_pinned": TooManyPinned,
    "too_many_pins": TooManyPins,
    "too_many_reactions": TooManyReactions,
    "too_many_subscriptions": TooManySubscriptions,
    "too_many_watched": TooManyWatched,
    "type_in_use": TypeInUse,
    "unauthenticated": Unauthenticated,
    "unavailable": Unavailable,
    "unknown_event": UnknownEvent,
    "unknown_users": UnknownUsers,
    "unsupported_media_type": UnsupportedMediaType,
    "user_deactivated": UserDeactivated,
}
"""The class of each code that this version knows."""

BY_STATUS: Final[dict[int, type[APIError]]] = {
    400: Malformed,
    401: Unauthenticated,
    403: Forbidden,
    404: NotFound,
    405: MethodNotAllowed,
    409: Conflict,
    413: TooLarge,
    415: UnsupportedMediaType,
    422: InvalidInput,
    429: RateLimited,
    500: Internal,
    503: Unavailable,
}
"""The class of each status, for codes that a newer server says."""
