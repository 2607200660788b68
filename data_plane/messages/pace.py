"""Slow channels: a member waits between two messages, whichever nodes they go to.

A node has the slow channels of its shard in memory and looks every second which they are; a plain send costs one look
into a mapping. What a member may do is counted in Redis, by the same algorithm as all limits, one unit at a time.
"""

from typing import Final
from uuid import UUID

from data_plane.channels.access import look_again
from data_plane.grants.permissions import Permission
from data_plane.identity.caller import Caller
from data_plane.limits.limiter import Bucket, Limiter
from data_plane.messages.errors import ChannelSlow
from data_plane.messages.repository import MessageRepository
from data_plane.shard import Shard
from kernel.errors import RateLimited

_SLOW: Final = "select app_id, id, slow_mode from chat.channels where slow_mode > 0 and deleted_at is null"


class Pace:
    """The slow channels as one node knows them."""

    def __init__(self, shard: Shard, limiter: Limiter) -> None:
        self._shard = shard
        self._limiter = limiter
        self._slow: dict[tuple[UUID, str], int] = {}

    async def refresh(self) -> None:
        """Look which channels are slow. Call it every 2 s or more often."""
        pool = await self._shard.system.pool()
        self._slow = {(row["app_id"], row["id"]): row["slow_mode"] for row in await pool.fetch(_SLOW)}

    def seconds(self, app_id: UUID, channel_id: str) -> int:
        """Between two messages of one member; 0 where there is no such wait."""
        return self._slow.get((app_id, channel_id), 0) if self._slow else 0

    async def admit(self, caller: Caller, channel_id: str, seconds: int, message_id: UUID) -> Bucket | None:
        """Charge a message in a slow channel and return what was charged; null for a server, for who has the permission
        `message.send.slow`, for who does not see the channel, which the flush says, and for one that is stored already.

        Raises `ChannelSlow`.
        """
        if caller.is_server:
            return None
        found = await look_again(self._shard, caller, channel_id)
        if found is None or Permission.MESSAGE_SEND_SLOW in found.sight.allowed:
            return None
        bucket = self._limiter.slow_bucket(caller.app, channel_id, caller.user_id or "", seconds)
        try:
            await self._limiter.admit((bucket,))
        except RateLimited as refusal:
            async with self._shard.unit_of_work(caller.app_id, read_only=True) as uow:
                stored = await MessageRepository(uow.session, caller.app_id).find(message_id, caller.user_id)
            if stored is not None and stored.row.user_id == caller.user_id:
                return None  # a retry, which is answered with what is there
            raise ChannelSlow.of(refusal, channel_id, seconds) from None
        return bucket
