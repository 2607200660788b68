"""These tests run on a node of their own."""

from tests.data_plane.node import api, node, node_database, serve

__all__ = ["api", "node", "node_database", "serve"]
