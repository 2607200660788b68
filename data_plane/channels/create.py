"""Create a channel with its first members."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from data_plane.channels.distinct import members_digest, wants_distinct
from data_plane.channels.errors import ChannelExists
from data_plane.channels.models import ChannelRow, ChannelState
from data_plane.channels.repository import ChannelRepository
from data_plane.channels.schemas import CreateChannel
from data_plane.channels.views import ChannelView, channel_view
from data_plane.custom import check_custom
from data_plane.grants.defaults import DIRECT, MEMBER, TYPES, USER
from data_plane.grants.errors import PermissionMissing, unknown_type
from data_plane.grants.permissions import Permission
from data_plane.grants.repository import GrantRepository
from data_plane.grants.standing import Standing, sight, standing_of, standings
from data_plane.grants.table import ChannelType
from data_plane.identity.caller import Caller
from data_plane.log import channel_log, user_log
from data_plane.log.writer import NewEntry
from data_plane.members.errors import UnknownUsers
from data_plane.members.models import MemberRow
from data_plane.members.repository import MemberRepository
from data_plane.members.views import member_view
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import InvalidInput
from kernel.ids import encode


class ChannelCreation:
    """The use case: a new channel, or the one that the same request made before."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def create(self, uow: UnitOfWork, caller: Caller, wish: CreateChannel) -> tuple[ChannelView, bool]:
        """Create the channel and return its view and true; the same wish of the same caller again returns false.

        A distinct one that its members have already is theirs, whatever else this wish says; that returns false too.
        Must come before the transaction's first write. Raises `ChannelExists` when the id is taken by anything else,
        also by a deleted channel, `UnknownUsers`, and `InvalidInput`; then nothing is written.
        """
        creator = caller.acting_as(wish.user_id) if wish.user_id or not caller.is_server else None
        custom = check_custom(wish.custom)
        members = list(dict.fromkeys([creator, *wish.members] if creator else wish.members))
        if wish.type == DIRECT and len(members) != 2:
            raise InvalidInput("A direct channel has exactly two members.", field="members")
        if wish.id == "query":
            raise InvalidInput("`query` is a word of the API and cannot be a channel's id.", field="id")
        digest = members_digest(wish.type, members) if wants_distinct(wish, members) else None
        channel_id = wish.id or "ch_" + encode(self._shard.ids.uuid7())

        logs = self._shard.logs
        await logs.lock(uow, caller.app_id, [channel_log(channel_id), *map(user_log, members)])
        channels = ChannelRepository(uow.session, caller.app_id)
        # Whoever creates a channel of the same members holds their logs too, so at most one of them finds nothing here.
        theirs = await channels.of_members(digest) if digest is not None else None
        # One that is deleted at this moment is nobody's.
        if theirs is not None and (state := await channels.find(theirs, caller.user_id)) is not None:
            return view_of(state, await standing_of(self._shard, uow, caller)), False
        if wish.id is not None and await channels.is_taken(channel_id):
            return await self._same_again(uow, caller, wish, creator, custom, members), False
        app_roles = await self._require_users(uow, caller, wish, creator, members)
        standing = await standing_of(self._shard, uow, caller)
        kind = await self._require_type(uow, caller.app_id, standing, wish.type)

        now = truncate_ms(self._shard.clock.now())
        channel = ChannelRow(
            id=channel_id,
            type=wish.type,
            name=wish.name,
            image=wish.image,
            custom=custom,
            created_by=creator,
            frozen=False,
            grants={},
            history=wish.history or kind.history,
            slow_mode=kind.slow_mode if wish.slow_mode is None else wish.slow_mode,
            distinct=digest is not None,
            created_at=now,
            updated_at=now,
        )
        founders = _founders(members, creator, kind.creator_role, now)
        _check_founding(standing, channel, founders, caller)
        await channels.add(channel, digest=digest)
        await MemberRepository(uow.session, caller.app_id).add(channel_id, founders)
        entries = _entries(channel, founders, creator, standings(standing.table, app_roles))
        await logs.append(uow, caller.app_id, entries, at=now)
        own = next((founder for founder in founders if founder.user_id == caller.user_id), None)
        return _first_view(channel, founders, own, standing), True

    async def _require_users(
        self, uow: UnitOfWork, caller: Caller, wish: CreateChannel, creator: str | None, members: Sequence[str]
    ) -> dict[str, str]:
        """The founders' roles in the app. Raises `UnknownUsers`."""
        roles = await MemberRepository(uow.session, caller.app_id).app_roles(members) if members else {}
        # A token proves that its own user exists; everybody else must be there.
        unknown = [user_id for user_id in members if user_id not in roles and user_id != caller.user_id]
        if unknown:
            raise UnknownUsers.of(unknown, field="user_id" if unknown == [creator] else "members")
        if caller.user_id is not None and caller.user_id in members:
            roles.setdefault(caller.user_id, USER)
        return roles

    async def _require_type(self, uow: UnitOfWork, app_id: UUID, standing: Standing, name: str) -> ChannelType:
        """The type, which is there and stays until this transaction ends; the caller may create channels of it."""
        if name not in standing.table.types:
            raise unknown_type(name, standing.table.types, field="type")
        if name not in TYPES and not await GrantRepository(uow.session, app_id).hold_type(name):
            raise unknown_type(name, standing.table.types, field="type")
        if Permission.CHANNEL_CREATE not in standing.of_type(name):
            raise PermissionMissing.of(Permission.CHANNEL_CREATE)
        return standing.table.types[name]

    async def _same_again(
        self,
        uow: UnitOfWork,
        caller: Caller,
        wish: CreateChannel,
        creator: str | None,
        custom: dict[str, Any],
        members: Sequence[str],
    ) -> ChannelView:
        """The channel as it is now, if this very wish made it. Later changes to the channel do not matter."""
        channels = ChannelRepository(uow.session, caller.app_id)
        found = await channels.find(wish.id or "", caller.user_id)
        birth = await channels.birth(wish.id or "") if found is not None else None
        if found is None or birth is None:
            raise ChannelExists()
        born, founders = birth
        wished = (wish.type, wish.name, wish.image, custom, creator)
        if wished != (born["type"], born["name"], born["image"], born["custom"], born["created_by"]):
            raise ChannelExists()
        if any(asked is not None and born.get(name) != asked for name, asked in _asked(wish).items()):
            raise ChannelExists()
        if founders != set(members) or (found.member is None and not caller.is_server):
            raise ChannelExists()
        return view_of(found, await standing_of(self._shard, uow, caller))


def _asked(wish: CreateChannel) -> dict[str, Any]:
    """Settings that a wish may leave to the type."""
    return {"history": wish.history, "slow_mode": wish.slow_mode}


def view_of(state: ChannelState, standing: Standing) -> ChannelView:
    """The view of a channel as it was read, for somebody with this standing."""
    return channel_view(
        state.channel,
        last_seq=state.last_seq,
        last_number=state.last_number,
        member_count=state.member_count,
        member=state.member,
        standing=standing,
    )


def _founders(members: Sequence[str], creator: str | None, creator_role: str, now: datetime) -> list[MemberRow]:
    """Founding members receive the log from its first entry on, the channel's creation."""
    return [
        MemberRow(
            user_id=user_id,
            role=creator_role if user_id == creator else MEMBER,
            joined_seq=1,
            joined_at=now,
            read_number=0,
        )
        for user_id in members
    ]


def _check_founding(standing: Standing, channel: ChannelRow, founders: Sequence[MemberRow], caller: Caller) -> None:
    """Who may not add members to the channel once it is there does not begin it with others. A direct one is two."""
    others = [founder for founder in founders if founder.user_id != caller.user_id]
    if channel.type == DIRECT or not others or caller.is_server:
        return
    own = next(founder.role for founder in founders if founder.user_id == caller.user_id)
    before = sight(standing, channel, own)
    before.require(Permission.MEMBER_ADD)
    before.require_no_more(MEMBER)


def _first_view(
    channel: ChannelRow, founders: Sequence[MemberRow], member: MemberRow | None, standing: Standing | None
) -> ChannelView:
    count = len(founders)
    return channel_view(
        channel, last_seq=1 + count, last_number=0, member_count=count, member=member, standing=standing
    )


def _entries(
    channel: ChannelRow, founders: Sequence[MemberRow], actor: str | None, standing: Mapping[str, Standing]
) -> list[NewEntry]:
    log = channel_log(channel.id)
    created = {"channel": _first_view(channel, founders, None, None)}
    entries = [NewEntry(log=log, type="channel.created", actor=actor, data=created)]
    entries += [NewEntry(log=log, type="member.added", actor=actor, data=member_view(f)) for f in founders]
    entries += [
        NewEntry(
            log=user_log(founder.user_id),
            type="membership.added",
            actor=actor,
            data={"channel": _first_view(channel, founders, founder, standing[founder.user_id]), "from_seq": 1},
        )
        for founder in founders
    ]
    return entries
