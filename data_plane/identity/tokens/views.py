"""What a token route answers."""

from typing import TypedDict

from data_plane.views import Timestamp


class TokenPairView(TypedDict):
    """A user's tokens."""

    user_id: str
    access_token: str
    """A JWT: the bearer of REST calls, and `auth.token` of a socket."""
    expires_at: Timestamp
    """When the access token ends."""
    refresh_token: str
    """Brings the next pair, once."""
    refresh_expires_at: Timestamp


class RevocationView(TypedDict):
    """A user whose tokens were revoked."""

    user_id: str
    tokens_valid_after: Timestamp
    """Tokens issued from this instant on are valid."""
