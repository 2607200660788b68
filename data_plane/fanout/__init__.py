"""From a commit to every connection that must hear of it: bus between nodes, order within a log, gaps filled."""

from data_plane.fanout.bus import Bus, RedisBus
from data_plane.fanout.hub import Hub, Recipient

__all__ = ["Bus", "Hub", "Recipient", "RedisBus"]
