"""How a feature tells what an event holds: one definition each, which schemas, references and tests are made from.

Nothing of this is asked while events are sent. A feature's definitions are in its `events.py`; `features.py` has them
all in one list each.
"""

from enum import Enum
from typing import Any

import msgspec

from data_plane.gateway.routes import Payload


class Place(Enum):
    """Where an event comes from, which decides its form."""

    CHANNEL = "channel"
    """An entry of a channel's log, for its members and watchers."""
    USER = "user"
    """An entry of a user's own log, for that user alone."""
    APP = "app"
    """An entry of the app's log, for all its users."""
    PASSING = "passing"
    """In no log: whoever is not connected misses it."""
    CONNECTION = "connection"
    """About the connection itself; the data is the whole payload."""


class Data(msgspec.Struct, forbid_unknown_fields=True):
    """Base of what an event or an acknowledgement holds: exactly these fields."""


class Nothing(Data):
    """An empty object: it is done, and there is no more to say."""


class ServerEvent(msgspec.Struct, frozen=True):
    """An event that clients get. `data` is the type of its `data`, or of its whole payload for `Place.CONNECTION`;
    `meaning` is for people who build on it."""

    name: str
    place: Place
    data: Any
    meaning: str


class ClientEvent(msgspec.Struct, frozen=True):
    """An event that clients send. `ack` is the type of its acknowledgement when all is well, a tuple of types for one
    of several."""

    name: str
    payload: type[Payload]
    ack: Any
    meaning: str
