"""Find a message for whoever wants to look at it, change it or add to it."""

from data_plane.blocks.errors import Blocked
from data_plane.channels.models import JOINED
from data_plane.grants.defaults import DIRECT
from data_plane.grants.permissions import Permission
from data_plane.grants.standing import Sight, sight, standing_of
from data_plane.identity.caller import Caller, Reader, own_id
from data_plane.log import channel_log
from data_plane.members.errors import UnknownUsers
from data_plane.members.repository import MemberRepository
from data_plane.messages.errors import no_message
from data_plane.messages.repository import FoundMessage, MessageRepository
from data_plane.shard import Shard
from kernel.db import UnitOfWork
from kernel.ids import parse_id

Seen = tuple[FoundMessage, Sight]
"""A message, and the reader before its channel."""


async def visible_message(shard: Shard, uow: UnitOfWork, reader: Reader, message_id: str) -> Seen:
    """Raises `NotFound` when the reader does not see the message's channel, or not so far back, or hides it."""
    messages = MessageRepository(uow.session, reader.app_id)
    found = await messages.find(parse_id("msg", message_id), own_id(reader))
    if found is None:
        raise no_message()
    before = sight(await standing_of(shard, uow, reader), found, found.role)
    if found.role is None and Permission.CHANNEL_WATCH not in before.allowed:
        raise no_message()
    if found.hidden:
        raise no_message()
    unseen = found.role is None and found.history == JOINED and not before.standing.is_server
    if unseen or found.row.seq < found.first_seq:
        raise no_message()
    return found, before


async def locked_message(shard: Shard, uow: UnitOfWork, caller: Caller, message_id: str, *more_logs: str) -> Seen:
    """The message as it is under its channel's lock, and that of other logs. Before the transaction's first write."""
    # A message never moves, so the channel that is read without the lock is the one to lock.
    channel_id = (await visible_message(shard, uow, caller, message_id))[0].row.channel_id
    await shard.logs.lock(uow, caller.app_id, [channel_log(channel_id), *more_logs])
    return await visible_message(shard, uow, caller, message_id)


async def named_actor(uow: UnitOfWork, caller: Caller, user_id: str | None) -> str | None:
    """Who is named as having done it: the user, the one that a server names, or nobody. Raises `UnknownUsers`."""
    return caller.user_id if user_id is None else await known_user(uow, caller, user_id)


async def known_user(uow: UnitOfWork, caller: Caller, user_id: str | None) -> str:
    """The user that this is done for. Raises `Forbidden`, `UnknownUsers` for one that a server names."""
    actor = caller.acting_as(user_id)
    if caller.is_server and await MemberRepository(uow.session, caller.app_id).unknown_users([actor]):
        raise UnknownUsers.of([actor], field="user_id")
    return actor


async def require_not_blocked(uow: UnitOfWork, caller: Caller, found: FoundMessage) -> None:
    """Raise `Blocked` when the other one of a direct channel has blocked the caller."""
    if found.type != DIRECT or caller.user_id is None:
        return
    messages = MessageRepository(uow.session, caller.app_id)
    if await messages.is_blocked_in(found.row.channel_id, caller.user_id):
        raise Blocked()
