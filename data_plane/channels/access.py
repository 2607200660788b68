"""Who may see and who may run a channel."""

from data_plane.channels.errors import OwnerNeeded, no_channel
from data_plane.channels.models import ChannelState
from data_plane.channels.repository import ChannelRepository
from data_plane.identity.caller import Caller


async def visible_channel(channels: ChannelRepository, caller: Caller, channel_id: str) -> ChannelState:
    """The channel, when the caller may see it: a member does, the customer's server always.

    Raises `NotFound` otherwise, the same as for a channel that does not exist.
    """
    state = await channels.find(channel_id, caller.user_id)
    if state is None or (state.member is None and not caller.is_server):
        raise no_channel()
    return state


def require_owner(caller: Caller, state: ChannelState) -> None:
    """Raise `OwnerNeeded` unless the caller is an owner of the channel or the customer's server."""
    if not caller.is_server and (state.member is None or state.member.role != "owner"):
        raise OwnerNeeded()
