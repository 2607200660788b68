"""Who calls, by kind. What a function may be called by stands in its signature, and a type checker holds it.

`Caller` is who acts: the customer's server, or one of its users. `Reader` is whoever reads, and may be nobody: an
anonymous visitor. The visitor has no `user_id` and no `is_server`, nothing that a question about a caller could be
answered by: code that takes a `Reader` has to say what it does for each kind, and code that takes a `Caller` never
meets the third.
"""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

import msgspec

from data_plane.identity.errors import MissingScope
from kernel.contracts import AppSnapshot
from kernel.errors import Forbidden


class ServerCaller(msgspec.Struct, frozen=True, kw_only=True):
    """The customer's server, with a secret key. It may act for any of its users."""

    app: AppSnapshot
    app_id: UUID
    key_id: str | None = None
    """The secret key's id."""
    scopes: tuple[str, ...] = ("*",)
    """What the secret key may do; `*` is everything."""

    user_id: ClassVar[None] = None
    is_server: ClassVar[Literal[True]] = True

    def require_server(self, scope: str | None = None) -> None:
        """Raise `MissingScope` when the secret key lacks the scope.

        A scope is a noun or `noun:verb`; the noun includes its verbs.
        """
        if scope is not None and not {"*", scope, scope.partition(":")[0]} & set(self.scopes):
            raise MissingScope(f"This secret key lacks the scope `{scope}`.", scope=scope)

    def acting_as(self, user_id: str | None) -> str:
        """The user that this call is made for, which a server names. Raises `Forbidden` when it names nobody."""
        if user_id is None:
            raise Forbidden("With a secret key, name the user that this is done for: `user_id`.")
        return user_id


class UserCaller(msgspec.Struct, frozen=True, kw_only=True):
    """One of the app's users, with a token."""

    app: AppSnapshot
    app_id: UUID
    user_id: str
    token_issued_at: datetime | None = None
    token_expires_at: datetime | None = None
    """When the access token ends, and with it the socket it opened."""

    is_server: ClassVar[Literal[False]] = False

    def require_server(self, scope: str | None = None) -> None:
        """Raise `Forbidden`: this call needs a secret key."""
        raise Forbidden("This call needs a secret key (sk_…); make it from your server.")

    def acting_as(self, user_id: str | None) -> str:
        """The token's own user. Raises `Forbidden` when somebody else is named."""
        if user_id is not None and user_id != self.user_id:
            raise Forbidden("A user token acts for its own user only.")
        return self.user_id


class AnonymousCaller(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody: whoever has the publishable key of an app that lets anonymous visitors in."""

    app: AppSnapshot
    app_id: UUID
    key: str
    """The publishable key that it came with."""
    address: str
    """Where it calls from, as `address_of` tells: all that it is known by, to whoever counts."""


Caller = ServerCaller | UserCaller
"""Who may do something."""
Client = UserCaller | AnonymousCaller
"""Who may have a connection."""
Reader = ServerCaller | UserCaller | AnonymousCaller
"""Who may read."""


def own_id(reader: Reader) -> str | None:
    """The user whose own things an answer shows (its membership, its reactions, what it hides); null for a server and
    an anonymous visitor, who have none. Says nothing of what the reader may see."""
    return reader.user_id if isinstance(reader, UserCaller) else None
