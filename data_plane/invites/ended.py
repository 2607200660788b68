"""The end of a deleted channel's invites."""

from uuid import UUID

from sqlalchemy import select

from data_plane.channels.models import Channel
from data_plane.invites.models import REVOKED
from data_plane.invites.repository import InviteRepository
from data_plane.invites.views import invite_view
from data_plane.log import user_log
from data_plane.log.writer import NewEntry
from data_plane.shard import Shard
from kernel.clock import rfc3339, truncate_ms


async def revoke_some(shard: Shard, app_id: UUID, channel_id: str, *, after: str, limit: int) -> str | None:
    """Take up to `limit` of a channel's pending invites back, of users behind `after`, each told in its user's own log,
    in a transaction of their own. Returns the last user of them, null when there are no more."""
    async with shard.unit_of_work(app_id, read_only=True) as uow:
        invites = InviteRepository(uow.session, app_id)
        found = [each.user_id for each in await invites.of_channel(channel_id, after=after, limit=limit)]
    if not found:
        return None
    async with shard.unit_of_work(app_id) as uow:
        await shard.logs.lock(uow, app_id, map(user_log, found))
        invites, now = InviteRepository(uow.session, app_id), truncate_ms(shard.clock.now())
        pending = await invites.pending(channel_id, found)
        query = select(Channel).where(Channel.app_id == app_id, Channel.id == channel_id)
        channel = (await uow.session.scalars(query)).one()
        await invites.settle(channel_id, list(pending), REVOKED, now)
        entries = [
            NewEntry(
                log=user_log(user_id),
                type="invite.changed",
                data={"invite": {**invite_view(invite, channel), "state": REVOKED, "changed_at": rfc3339(now)}},
            )
            for user_id, invite in sorted(pending.items())
        ]
        if entries:
            await shard.logs.append(uow, app_id, entries, at=now)
        return found[-1] if len(found) == limit else None
