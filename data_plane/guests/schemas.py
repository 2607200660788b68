"""Bodies about guests."""

import unicodedata
from typing import Annotated, Final

import msgspec

from data_plane.gateway.routes import Payload

MAX_NAME: Final = 64
_UNSEEN: Final = ("Cc", "Cf", "Co", "Cs", "Cn")
"""Kinds of characters that show nothing, or turn around what stands beside them."""


class CreateGuest(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/guests`: the app's publishable key, and what the guest wants to be called."""

    key: Annotated[str, msgspec.Meta(max_length=200)]
    name: Annotated[str, msgspec.Meta(max_length=MAX_NAME)] | None = None


def guest_name(wish: str | None) -> str | None:
    """The name as it is kept: characters in their composed form, without those that show nothing, one space at most
    between words. Null when nothing is left."""
    if wish is None:
        return None
    spaced = "".join(
        " " if char.isspace() else char
        for char in unicodedata.normalize("NFC", wish)
        if char.isspace() or unicodedata.category(char) not in _UNSEEN
    )
    return " ".join(spaced.split())[:MAX_NAME] or None
