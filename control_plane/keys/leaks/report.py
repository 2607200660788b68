"""Take a report in: what might be a secret key of ours becomes a digest in the outbox, in the same time for each."""

from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from control_plane.context import Deps
from kernel.clock import rfc3339, truncate_ms
from kernel.outbox import Outbox
from kernel.security import keys

TOPIC: Final = "keys.leaked"
MOST: Final = 1_000
"""Tokens of one report."""
_LONGEST_PLACE: Final = 500
_outbox: Final = Outbox("control")

Reporter = Literal["github", "anybody"]


class Found(msgspec.Struct, frozen=True):
    """One token and the place where it was found, as they are reported. Fields of others' making are passed over."""

    token: str
    url: str | None = None


async def take_in(deps: Deps, reporter: Reporter, found: Sequence[Found]) -> None:
    """Promise to look at those that have a secret key's form. What is stored of a token is the digest that its key is
    kept by, and never the token."""
    pepper = deps.vault.key("secret-keys")
    places = {keys.digest(pepper, one.token): _place(one.url) for one in found if keys.well_formed("sk", one.token)}
    if not places:
        return
    now = truncate_ms(deps.clock.now())
    payload = {"by": reporter, "at": rfc3339(now), "found": places}
    async with deps.database.unit_of_work() as uow:
        await _outbox.put(uow, TOPIC, payload, now=now)


def _place(url: str | None) -> str | None:
    """As text that can be stored and shown on one line."""
    text = "".join(char for char in url or "" if char.isprintable())[:_LONGEST_PLACE].strip()
    return text or None
