"""Whether the demo can run for an app, and where. Asked when the page is drawn and when its tokens are renewed."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.apps.models import App
from control_plane.keys.reads import minting_key
from kernel.contracts import SigningKey
from kernel.errors import Conflict
from kernel.security.vault import Vault
from kernel.settings import Settings
from portal.apps.location import addresses, publishable_key

Hindrance = Literal["production", "suspended", "unpaid", "no_publishable_key", "no_minting_key", "origin", "no_node"]
"""What keeps the demo from running, the most lasting first. The page has words and a way out for each."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the browser connects, the publishable key it says, and what its tokens are signed with."""

    node: str
    key: str
    signing: SigningKey = field(repr=False)


async def place_of(
    session: AsyncSession,
    settings: Settings,
    vault: Vault,
    app: App,
    *,
    origin: str,
    now: datetime,
    node: str | None = None,
) -> Place | Hindrance:
    """Where the demo of this app runs for a page of this origin, or what is in its way.

    `node`: the address that the page uses already, which it keeps while it is right.
    """
    if app.environment != "development":
        return "production"
    if app.status != "active":
        return "suspended"
    if app.hold is not None:
        return "unpaid"
    key = await publishable_key(session, app, now=now)
    if key is None:
        return "no_publishable_key"
    try:
        signing = await minting_key(session, vault, app)
    except Conflict:
        return "no_minting_key"
    if not allows(app, origin):
        return "origin"
    served = await addresses(session, settings, app, now=now)
    if not served:
        return "no_node"
    return Place(node if node in served else served[0], key, signing)


def allows(app: App, origin: str) -> bool:
    """Whether nodes let pages of this origin in."""
    return "*" in app.allowed_origins or origin.lower() in app.allowed_origins
