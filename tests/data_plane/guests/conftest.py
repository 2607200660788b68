"""These tests run on a node of their own."""

from tests.data_plane.node import node, node_database

__all__ = ["node", "node_database"]
