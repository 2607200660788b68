"""Credentials of nodes and relays: what lets them read snapshots and report usage, for one shard and one name."""
