"""Bodies and packets about presence."""

from typing import Annotated, Final, Literal

import msgspec

from data_plane.dependencies import CustomerId
from data_plane.gateway.routes import Payload
from data_plane.moments import Moment

MAX_TEXT: Final = 128
MAX_ASKED: Final = 100
"""Users of one request."""
MAX_SUBSCRIBED: Final = 200
"""Users that a connection may be subscribed to at the same time."""

StatusText = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_TEXT)]
UserIds = Annotated[list[CustomerId], msgspec.Meta(min_length=1, max_length=MAX_ASKED)]


class PutPresence(Payload, frozen=True, kw_only=True):
    """Body of `PUT /v1/users/{id}/presence`: what is left out stays; a null `text` takes it away.

    `status` is for all of the user's devices: `online` shows it as its devices are. `text_expires_at` belongs to the
    text given with it.
    """

    status: Literal["online", "away", "invisible"] | msgspec.UnsetType = msgspec.UNSET
    text: StatusText | msgspec.UnsetType | None = msgspec.UNSET
    text_expires_at: Moment | None = None


class PresenceSetPacket(PutPresence, frozen=True, kw_only=True):
    """Packet of `presence.set`. `online` and `away` are this device's own; both end what was chosen for all devices."""


class QueryPresence(Payload, frozen=True, kw_only=True):
    """Body of `POST /v1/presence/query`."""

    user_ids: UserIds


class PresenceSubscribePacket(Payload, frozen=True, kw_only=True):
    """Packet of `presence.subscribe` and `presence.unsubscribe`."""

    user_ids: UserIds
