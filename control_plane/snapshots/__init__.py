"""Snapshots: everything nodes must know of the apps of their shard, by version."""
