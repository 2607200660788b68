"""Who calls: an app's server with a secret key, or one of its users with a token."""

from uuid import UUID

import msgspec

from kernel.contracts import AppSnapshot
from kernel.errors import Forbidden


class Caller(msgspec.Struct, frozen=True):
    """An authenticated caller. `user_id` is null for the customer's own server."""

    app: AppSnapshot
    app_id: UUID
    user_id: str | None = None

    @property
    def is_server(self) -> bool:
        """Whether this is the customer's server, which may act for any of its users."""
        return self.user_id is None

    def require_server(self) -> None:
        """Raise `Forbidden` unless the call comes with a secret key."""
        if not self.is_server:
            raise Forbidden("This call needs a secret key (sk_…); make it from your server.")

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
