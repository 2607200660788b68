"""Who calls: an app's server with a secret key, or one of its users with a token."""

from datetime import datetime
from uuid import UUID

import msgspec

from data_plane.identity.errors import MissingScope
from kernel.contracts import AppSnapshot
from kernel.errors import Forbidden


class Caller(msgspec.Struct, frozen=True):
    """An authenticated caller. `user_id` is null for the customer's own server."""

    app: AppSnapshot
    app_id: UUID
    user_id: str | None = None
    key_id: str | None = None
    """The secret key's id, for a server."""
    scopes: tuple[str, ...] = ("*",)
    """What the secret key may do; `*` is everything. Does not apply to users."""
    token_issued_at: datetime | None = None
    token_expires_at: datetime | None = None
    """When a user's access token ends, and with it the socket it opened."""

    @property
    def is_server(self) -> bool:
        """Whether this is the customer's server, which may act for any of its users."""
        return self.user_id is None

    def require_server(self, scope: str | None = None) -> None:
        """Raise `Forbidden` unless the call comes with a secret key, `MissingScope` when that key lacks the scope.

        A scope is a noun or `noun:verb`; the noun includes its verbs.
        """
        if not self.is_server:
            raise Forbidden("This call needs a secret key (sk_…); make it from your server.")
        if scope is not None and not {"*", scope, scope.partition(":")[0]} & set(self.scopes):
            raise MissingScope(f"This secret key lacks the scope `{scope}`.", scope=scope)

    def acting_as(self, user_id: str | None) -> str:
        """The user that this call is made for: the token's own, or the one that a server names.

        Raises `Forbidden` when a user names somebody else or a server names nobody.
        """
        if self.user_id is not None:
            if user_id is not None and user_id != self.user_id:
                raise Forbidden("A user token acts for its own user only.")
            return self.user_id
        if user_id is None:
            raise Forbidden("With a secret key, name the user that this is done for: `user_id`.")
        return user_id
