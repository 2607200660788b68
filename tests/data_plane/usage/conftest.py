"""These tests run on a node of their own."""

from tests.data_plane.node import api, node, serve

__all__ = ["api", "node", "serve"]
