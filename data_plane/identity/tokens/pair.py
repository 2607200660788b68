"""What a user is given: an access token and the refresh token that brings the next."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from data_plane.identity.errors import NoSigningKey, UserDeactivated
from data_plane.identity.tokens.refresh_token import RefreshToken
from data_plane.identity.tokens.repository import UserStanding
from data_plane.identity.tokens.views import TokenPairView
from kernel.clock import rfc3339
from kernel.contracts import AppSnapshot, SigningKey
from kernel.ids import Ids
from kernel.security.tokens import mint_access_token

ACCESS_LIFETIME: Final = timedelta(minutes=15)
REFRESH_LIFETIME: Final = timedelta(days=7)


class TokenPair(msgspec.Struct, frozen=True, kw_only=True):
    """A minted pair; `view` is what a client gets."""

    user_id: str
    access_token: str
    expires_at: datetime
    refresh: RefreshToken
    refresh_expires_at: datetime

    def view(self) -> TokenPairView:
        """The pair with its times as text."""
        return {
            "user_id": self.user_id,
            "access_token": self.access_token,
            "expires_at": rfc3339(self.expires_at),
            "refresh_token": str(self.refresh),
            "refresh_expires_at": rfc3339(self.refresh_expires_at),
        }


def minting_key(app: AppSnapshot) -> SigningKey:
    """The key that the app's tokens are signed with. Raises `NoSigningKey`."""
    for key in app.signing_keys:
        if key.mint and key.algorithm == "HS256":
            return key
    raise NoSigningKey(
        "This app has no signing key for Natter to sign with. Create one in the portal, or sign tokens on your server."
    )


def mint_pair(
    app: AppSnapshot,
    user_id: str,
    standing: UserStanding | None,
    *,
    now: datetime,
    lifetime: timedelta,
    refresh: RefreshToken,
    refresh_expires_at: datetime,
    ids: Ids,
) -> TokenPair:
    """Sign an access token for a user whose standing is held. Raises `UserDeactivated` or `NoSigningKey`."""
    if standing is not None and standing.deactivated_at is not None:
        raise UserDeactivated("This user is deactivated and gets no tokens.", user_id=user_id)
    if standing is not None and standing.tokens_valid_after is not None:
        # A revocation reaches a moment into the future (see `revoke`); what is made after it must be valid.
        now = max(now, standing.tokens_valid_after)
    access = mint_access_token(
        minting_key(app), app_id=app.app_id, user_id=user_id, now=now, lifetime=lifetime, token_id=ids.new("jti")
    )
    return TokenPair(
        user_id=user_id,
        access_token=access,
        expires_at=(now + lifetime).replace(microsecond=0),
        refresh=refresh,
        refresh_expires_at=refresh_expires_at,
    )
