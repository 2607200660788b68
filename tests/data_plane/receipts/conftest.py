"""The two processes that presence is tried on."""

from tests.data_plane.presence.conftest import nodes, redis

__all__ = ["nodes", "redis"]
