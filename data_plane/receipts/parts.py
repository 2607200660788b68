"""What keeps and tells positions on a node, put together."""

import asyncio
from collections.abc import Callable
from typing import Any

from data_plane.blocks.hidden import Hidden
from data_plane.fanout.hub import Hub
from data_plane.presence.audience import Audience
from data_plane.receipts.crowd import Counting, ReceiptCrowd
from data_plane.receipts.flush import PositionFlusher
from data_plane.receipts.service import ReceiptService
from data_plane.receipts.teller import Teller
from data_plane.shard import Shard


class ReceiptParts:
    """Of one node. `publish` gives entries to its own hub and to the bus."""

    def __init__(
        self, shard: Shard, hub: Hub, audience: Audience, hidden: Hidden, publish: Callable[[Any], None]
    ) -> None:
        self.counting = Counting(shard)
        self.crowd = ReceiptCrowd(shard, hub, audience, self.counting)
        self.teller = Teller(shard, hub, audience, publish, self.crowd)
        positions = PositionFlusher(shard.system.pool, shard.clock, self.teller.stored)
        self.service = ReceiptService(shard, positions, self.teller, self.counting, hidden, publish)

    def run(self) -> "list[asyncio.Task[None]]":
        """Begin to tell."""
        return [
            asyncio.create_task(self.teller.run(), name="receipts"),
            asyncio.create_task(self.crowd.run(), name="receipt-crowd"),
        ]
