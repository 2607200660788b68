"""What the page after a mail shows: the address, kept in a signed cookie for an hour."""

from typing import Final, Literal

import msgspec

from portal.http import seal
from portal.http.visit import Visit

_COOKIE: Final = "natter_mailed"


class Mailed(msgspec.Struct, frozen=True):
    """A mail that was asked for. Whether one was sent, and which, is not told."""

    kind: Literal["sign-up", "reset"]
    email: str


def remember(visit: Visit, mailed: Mailed) -> None:
    """For the next page of this browser."""
    visit.jar.set(_COOKIE, seal.wrap(visit.deps.vault, "mailed", msgspec.json.encode(mailed)), max_age=3600)


def recall(visit: Visit) -> Mailed | None:
    """What `remember` kept, if anything."""
    content = seal.unwrap(visit.deps.vault, "mailed", visit.jar.get(_COOKIE))
    return msgspec.json.decode(content, type=Mailed) if content is not None else None
