"""The two users' tokens, signed by the portal with the app's own minting key: its secret key stays where it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from kernel.contracts import SigningKey
from kernel.ids import Ids
from kernel.security.tokens import mint_access_token

USERS: Final[Mapping[str, str]] = {"demo-ada": "Ada", "demo-grace": "Grace"}
"""The users of the app that the demo acts as, with their names."""
LIFETIME: Final = timedelta(minutes=5)
"""Short, because the tokens lie in a page; the page renews them while it is open."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A token for each of the users."""

    by_user: dict[str, str]
    expires_at: datetime


def mint(key: SigningKey, app_id: str, ids: Ids, *, now: datetime) -> Tokens:
    """Fresh tokens. They are the app's ordinary user tokens and count as such."""
    by_user = {
        user: mint_access_token(key, app_id=app_id, user_id=user, now=now, lifetime=LIFETIME, token_id=ids.new("tok"))
        for user in USERS
    }
    return Tokens(by_user, now + LIFETIME)
