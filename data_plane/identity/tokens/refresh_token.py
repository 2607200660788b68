"""The form of a refresh token: `rt_…` and, after a point, the app it belongs to.

It names its app, so that a node finds it under row-level security like everything else of that app; the name is no
secret, the access token beside it says the same.

The successor of a token is derived from it with a key of the installation. So the same token has the same successor
on every node, and nothing but digests is stored.
"""

import hmac
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID

from kernel.ids import decode, encode
from kernel.security import keys
from kernel.security.vault import Vault

LENGTH: Final = 42 + 1 + 26


class RefreshToken(NamedTuple):
    """A well-formed refresh token; says nothing about whether it is valid."""

    app_id: UUID
    key: str

    def __str__(self) -> str:
        return f"{self.key}.{encode(self.app_id)}"


def parse(text: str) -> RefreshToken | None:
    """The token in a string; null for anything that cannot be one."""
    key, _, app = text.partition(".")
    if len(text) != LENGTH or not keys.well_formed("rt", key):
        return None
    try:
        return RefreshToken(decode(app), key)
    except ValueError:
        return None


def generate(app_id: UUID) -> RefreshToken:
    """The first token of a new family."""
    return RefreshToken(app_id, keys.generate("rt"))


def successor(vault: Vault, token: RefreshToken) -> RefreshToken:
    """The one token that can follow this one."""
    entropy = hmac.new(vault.key("refresh"), str(token).encode(), sha256).digest()
    return RefreshToken(token.app_id, keys.seal("rt", entropy))


def digest(vault: Vault, token: RefreshToken) -> str:
    """What is stored instead of the token."""
    return keys.digest(vault.key("refresh-tokens"), str(token))
