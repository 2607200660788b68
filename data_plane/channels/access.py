"""Who sees a channel, and what it may do there."""

from typing import Final

import msgspec

from data_plane.channels.errors import no_channel
from data_plane.channels.models import JOINED, ChannelState
from data_plane.channels.repository import ChannelRepository
from data_plane.grants.permissions import Permission
from data_plane.grants.standing import Sight, Standing, sight, standing_of
from data_plane.identity.caller import Reader, own_id
from data_plane.shard import Shard
from kernel.db import UnitOfWork

NEVER: Final = 2**62
"""Above every seq."""


class Found(msgspec.Struct, frozen=True):
    """A channel that the caller sees."""

    state: ChannelState
    sight: Sight

    @property
    def standing(self) -> Standing:
        """The caller's."""
        return self.sight.standing

    def require(self, permission: Permission) -> None:
        """Raise `PermissionMissing` when the caller may not."""
        self.sight.require(permission)


async def visible_channel(shard: Shard, uow: UnitOfWork, reader: Reader, channel_id: str) -> Found:
    """The channel, when the reader may see it: members, those whose app role may watch it, the customer's server.

    Raises `NotFound` otherwise, the same as for a channel that does not exist.
    """
    state = await ChannelRepository(uow.session, reader.app_id).find(channel_id, own_id(reader))
    if state is None:
        raise no_channel()
    found = seen(await standing_of(shard, uow, reader), state)
    if not may_see(found):
        raise no_channel()
    return found


def seen(standing: Standing, state: ChannelState) -> Found:
    """The channel as somebody with this standing stands before it."""
    return Found(state, sight(standing, state.channel, state.member.role if state.member is not None else None))


def may_see(found: Found) -> bool:
    """Whether a channel that was read shows itself to the caller."""
    return found.state.member is not None or Permission.CHANNEL_WATCH in found.sight.allowed


def first_seq(found: Found) -> int:
    """The first seq of the channel's log from which on the caller sees messages. Who only watches a channel that hides
    what was before one joined sees none that is stored."""
    channel, member = found.state.channel, found.state.member
    if member is not None:
        return max(member.first_seq, channel.truncated_to)
    hidden = channel.history == JOINED and not found.standing.is_server
    return NEVER if hidden else channel.truncated_to


async def look_again(shard: Shard, reader: Reader, channel_id: str) -> Found | None:
    """The channel, when the reader sees it. For hot paths that know members only: a second look."""
    async with shard.unit_of_work(reader.app_id, read_only=True) as uow:
        state = await ChannelRepository(uow.session, reader.app_id).find(channel_id, own_id(reader))
        if state is None:
            return None
        found = seen(await standing_of(shard, uow, reader), state)
        return found if may_see(found) else None
