"""The two users' tokens, signed by the portal with the app's own minting key: its secret key stays where it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kernel.contracts import SigningKey
from natter import TokenSigner

USERS: Final[Mapping[str, str]] = {"demo-ada": "Ada", "demo-grace": "Grace"}
"""The users of the app that the demo acts as, with their names."""
LIFETIME: Final = timedelta(minutes=5)
"""Short, because the tokens lie in a page; the page renews them while it is open."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A token for each of the users."""

    by_user: dict[str, str]
    expires_at: datetime


def mint(key: SigningKey, app_id: str, *, now: datetime) -> Tokens:
    """Fresh tokens, made as a customer's server makes them. They are the app's ordinary ones and count as such."""
    signer = TokenSigner(app_id=app_id, kid=key.kid, key=key.key, now=now.timestamp)
    by_user = {user: signer.sign(user, expires_in=LIFETIME.total_seconds()) for user in USERS}
    return Tokens(by_user, now + LIFETIME)
