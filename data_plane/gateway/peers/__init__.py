"""Sessions that live elsewhere: in another worker of this node, or on another node of the shard.

A load balancer without stickiness, or the system's choice among workers, brings a session's later requests to processes
that do not hold it. `Router` finds the owner, which the `sid` names, and passes them on. No cookie is needed, which
browsers would block for pages of other sites.
"""

from data_plane.gateway.peers.router import METRICS, Router

__all__ = ["METRICS", "Router"]
