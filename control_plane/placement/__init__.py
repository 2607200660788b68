"""Placement: which shard an app lives on, and which nodes serve a shard."""

from control_plane.placement.service import LIVE_FOR, LiveNode, choose_shard, live_nodes

__all__ = ["LIVE_FOR", "LiveNode", "choose_shard", "live_nodes"]
