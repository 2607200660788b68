"""What follows the deletion of a channel, in small transactions: its members leave, its content is wiped; and how
what a hard truncation took away is wiped.

A large channel takes many batches. A job works for about a second and leaves the rest to a successor, because the
transaction of its outbox row holds back every sync cursor while it is open. All jobs may run twice.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text

from data_plane.invites.ended import revoke_some
from data_plane.log import channel_log, user_log
from data_plane.log.writer import NewEntry
from data_plane.members.repository import MemberRepository
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.outbox import Handler

DISBAND: Final = "channel.disband"
PURGE: Final = "channel.purge"
WIPE: Final = "channel.wipe"
_PURGE_SOME: Final = text("select chat.wipe_channel(cast(:app as uuid), :channel, :after, :limit, :at)")
_WIPE_SOME: Final = text("select chat.wipe_truncated(cast(:app as uuid), :channel, :after, :before, :limit, :at)")


class ChannelJobs:
    """The handlers. `batch` is members or log entries in one transaction, `budget` how long one job goes on."""

    def __init__(
        self,
        shard: Shard,
        *,
        members_batch: int = 100,
        entries_batch: int = 1_000,
        budget: timedelta = timedelta(seconds=1),
    ) -> None:
        self._shard = shard
        self._members_batch = members_batch
        self._entries_batch = entries_batch
        self._budget = budget.total_seconds()

    def handlers(self) -> Mapping[str, Handler]:
        """By topic, for the shard's outbox runner."""
        return {DISBAND: self.disband, PURGE: self.purge, WIPE: self.wipe}

    async def disband(self, uow: UnitOfWork, payload: dict[str, Any]) -> None:
        """Let those who were invited to a deleted channel go, and its members, each told in the own log.

        Each batch begins behind the one before it: what was deleted stays in an index for a while, and to step over all
        of it again would make the work grow with the square of the members.
        """
        app_id, channel_id = UUID(payload["app_id"]), payload["channel_id"]
        started = self._shard.clock.monotonic()
        for place, take_some in (("invites_after", self._revoke_some), ("members_after", self._let_some_go)):
            while (after := payload.get(place, "")) is not None:
                payload = {**payload, place: await take_some(app_id, channel_id, after)}
                if payload[place] is not None and self._shard.clock.monotonic() - started >= self._budget:
                    await self._shard.outbox.put(uow, DISBAND, payload, now=self._shard.clock.now())
                    return

    async def purge(self, uow: UnitOfWork, payload: dict[str, Any]) -> None:
        """Wipe the content of a deleted channel; rows without content stay for the usage count."""
        await self._batches(uow, PURGE, payload)

    async def wipe(self, uow: UnitOfWork, payload: dict[str, Any]) -> None:
        """Wipe the content of messages that a hard truncation took away."""
        await self._batches(uow, WIPE, payload)

    async def _batches(self, uow: UnitOfWork, topic: str, payload: dict[str, Any]) -> None:
        started = self._shard.clock.monotonic()
        after: int | None = payload["after"]
        while after is not None:
            after = await self._wipe_some(payload | {"after": after})
            if after is not None and self._shard.clock.monotonic() - started >= self._budget:
                await self._shard.outbox.put(uow, topic, payload | {"after": after}, now=self._shard.clock.now())
                return

    async def _revoke_some(self, app_id: UUID, channel_id: str, after: str) -> str | None:
        return await revoke_some(self._shard, app_id, channel_id, after=after, limit=self._members_batch)

    async def _let_some_go(self, app_id: UUID, channel_id: str, after: str) -> str | None:
        """Remove one batch of those who come after a user; returns the last of it, null when there are no more.

        In a transaction of its own: logs must be locked before a transaction writes, and the outbox row's lock
        counts as a write.
        """
        async with self._shard.unit_of_work(app_id) as uow:
            members = MemberRepository(uow.session, app_id)
            leaving = [row.user_id for row in await members.page(channel_id, after=after, limit=self._members_batch)]
            if not leaving:
                return None
            await self._shard.logs.lock(uow, app_id, map(user_log, leaving))
            # Nothing follows a deletion in the channel's log, so its end is the deletion's own seq.
            log = channel_log(channel_id)
            last_seq, _ = (await self._shard.logs.heads(uow, app_id, [log]))[log]
            gone = await members.remove(channel_id, leaving)
            data = {"channel_id": channel_id, "seq": last_seq}
            entries = [NewEntry(log=user_log(user_id), type="membership.removed", data=data) for user_id in gone]
            if entries:
                await self._shard.logs.append(uow, app_id, entries, at=truncate_ms(self._shard.clock.now()))
            return leaving[-1] if len(leaving) == self._members_batch else None

    async def _wipe_some(self, payload: dict[str, Any]) -> int | None:
        bounds = {"before": payload["before"]} if "before" in payload else {}
        async with self._shard.system.unit_of_work() as uow:
            where_next: int | None = await uow.session.scalar(
                _WIPE_SOME if bounds else _PURGE_SOME,
                {
                    "app": UUID(payload["app_id"]),
                    "channel": payload["channel_id"],
                    "after": payload["after"],
                    "limit": self._entries_batch,
                    "at": truncate_ms(self._shard.clock.now()),
                    **bounds,
                },
            )
            return where_next
