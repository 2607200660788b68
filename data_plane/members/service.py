"""Who is in a channel: list, add, change the role, remove."""

from collections.abc import Sequence

import msgspec

from data_plane.channels.access import require_owner, visible_channel
from data_plane.channels.models import ChannelState
from data_plane.channels.repository import ChannelRepository
from data_plane.channels.views import channel_view
from data_plane.identity.caller import Caller
from data_plane.log import channel_log, user_log
from data_plane.log.writer import NewEntry
from data_plane.members.errors import DirectIsFixed, UnknownUsers
from data_plane.members.models import MemberRole, MemberRow
from data_plane.members.repository import MemberRepository
from data_plane.members.views import MemberPage, MemberView, member_view
from data_plane.paging import decode_cursor, page_of
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork

_LIST = "members"


class MemberService:
    """Use cases on memberships. Writers must come before the transaction's first write.

    What is so already is not done again: no row changes, no entry is written.
    """

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def page(
        self, uow: UnitOfWork, caller: Caller, channel_id: str, *, limit: int, cursor: str | None
    ) -> MemberPage:
        """Members by user id. Raises `NotFound` when the caller does not see the channel."""
        after = decode_cursor(_LIST, cursor)
        await visible_channel(ChannelRepository(uow.session, caller.app_id), caller, channel_id)
        rows = await MemberRepository(uow.session, caller.app_id).page(channel_id, after=after, limit=limit + 1)
        views, following = page_of(rows, limit, kind=_LIST, key=lambda row: row.user_id, view=member_view)
        return {"members": views, "next_cursor": following}

    async def add(
        self, uow: UnitOfWork, caller: Caller, channel_id: str, user_ids: Sequence[str], *, role: MemberRole = "member"
    ) -> tuple[list[MemberView], bool]:
        """Add users; returns the view of each that was named and whether any is new. Members keep their role.

        Raises `NotFound`, `OwnerNeeded`, `DirectIsFixed`, and `UnknownUsers` when any user does not exist; then nobody
        is added.
        """
        named = list(dict.fromkeys(user_ids))
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id), *map(user_log, named)])
        state = await self._owned(uow, caller, channel_id)
        members = MemberRepository(uow.session, caller.app_id)
        there = await members.find(channel_id, named)
        missing = [user_id for user_id in named if user_id not in there]
        if missing:
            there |= {row.user_id: row for row in await self._join(uow, caller, state, missing, role, field="user_ids")}
        return [member_view(there[user_id]) for user_id in named], bool(missing)

    async def put(
        self, uow: UnitOfWork, caller: Caller, channel_id: str, user_id: str, *, role: MemberRole | None
    ) -> tuple[MemberView, bool]:
        """Let the user be a member, with this role if one is given; returns its view and whether it is new."""
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id), user_log(user_id)])
        state = await self._owned(uow, caller, channel_id)
        members = MemberRepository(uow.session, caller.app_id)
        member = (await members.find(channel_id, [user_id])).get(user_id)
        if member is None:
            joined = await self._join(uow, caller, state, [user_id], role or "member", field="user_id")
            return member_view(joined[0]), True
        if role is not None and role != member.role:
            await members.set_role(channel_id, user_id, role)
            member = msgspec.structs.replace(member, role=role)
            updated = NewEntry(
                log=channel_log(channel_id), type="member.updated", actor=caller.user_id, data=member_view(member)
            )
            await self._shard.logs.append(uow, caller.app_id, [updated], at=truncate_ms(self._shard.clock.now()))
        return member_view(member), False

    async def remove(self, uow: UnitOfWork, caller: Caller, channel_id: str, user_id: str) -> None:
        """Let the user be no member: the user itself, an owner, or a server may say so. Both logs tell it.

        Raises `NotFound`, `OwnerNeeded`, `DirectIsFixed`.
        """
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id), user_log(user_id)])
        state = await visible_channel(ChannelRepository(uow.session, caller.app_id), caller, channel_id)
        if user_id != caller.user_id:
            require_owner(caller, state)
        if state.channel.type == "direct":
            raise DirectIsFixed()
        if not await MemberRepository(uow.session, caller.app_id).remove(channel_id, [user_id]):
            return
        actor = caller.user_id
        await self._shard.logs.append(
            uow,
            caller.app_id,
            [
                NewEntry(log=channel_log(channel_id), type="member.removed", actor=actor, data={"user_id": user_id}),
                NewEntry(
                    log=user_log(user_id),
                    type="membership.removed",
                    actor=actor,
                    data={"channel_id": channel_id, "seq": state.last_seq + 1},
                ),
            ],
            at=truncate_ms(self._shard.clock.now()),
        )

    async def _owned(self, uow: UnitOfWork, caller: Caller, channel_id: str) -> ChannelState:
        state = await visible_channel(ChannelRepository(uow.session, caller.app_id), caller, channel_id)
        require_owner(caller, state)
        if state.channel.type == "direct":
            raise DirectIsFixed()
        return state

    async def _join(
        self,
        uow: UnitOfWork,
        caller: Caller,
        state: ChannelState,
        user_ids: Sequence[str],
        role: MemberRole,
        *,
        field: str,
    ) -> list[MemberRow]:
        """Make users members who are not; the logs are locked. Raises `UnknownUsers`, which blames `field`."""
        members = MemberRepository(uow.session, caller.app_id)
        unknown = await members.unknown_users(user_ids)
        if unknown:
            raise UnknownUsers.of(unknown, field=field)
        now = truncate_ms(self._shard.clock.now())
        channel_id = state.channel.id
        joining = [
            MemberRow(
                user_id=user_id,
                role=role,
                # The member.added entry of its own is the first that a member receives.
                joined_seq=state.last_seq + place,
                joined_at=now,
                read_number=state.last_number,
            )
            for place, user_id in enumerate(user_ids, start=1)
        ]
        await members.add(channel_id, joining)
        entries = [
            NewEntry(log=channel_log(channel_id), type="member.added", actor=caller.user_id, data=member_view(row))
            for row in joining
        ]
        for row in joining:
            view = channel_view(
                state.channel,
                last_seq=state.last_seq + len(joining),
                last_number=state.last_number,
                member_count=state.member_count + len(joining),
                member=row,
            )
            data = {"channel": view, "from_seq": row.joined_seq}
            entries.append(
                NewEntry(log=user_log(row.user_id), type="membership.added", actor=caller.user_id, data=data)
            )
        await self._shard.logs.append(uow, caller.app_id, entries, at=now)
        return joining
