"""Start Natter's servers without each importing the same code again.

A process of its own imports everything once and then forks a child for each server. Importing is most of a start:
sharing it makes a start with a node, the control plane and the worker take less than half the processor time, a
server that was killed is back in a fraction of a second, and the memory of the code is shared.

`ops.nursery.process` runs in that process; `ops.nursery.client` is the supervisor's side of the socket between them,
`ops.nursery.blocking` that of `natter chaos` and of tests.
"""

from ops.nursery.blocking import BlockingNursery
from ops.nursery.client import Nursery

__all__ = ["BlockingNursery", "Nursery"]
