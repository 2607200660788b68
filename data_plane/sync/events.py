"""The event by which a client catches up."""

from typing import Final

from data_plane.events import ClientEvent
from data_plane.sync.routes import SyncPacket
from data_plane.sync.views import FreshState, Recovered

CALLS: Final = (ClientEvent("sync", SyncPacket, (Recovered, FreshState), "Catch up, as `GET /v1/sync` does."),)
