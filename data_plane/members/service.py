"""Who is in a channel: list, add, change the role, remove."""

from collections.abc import Sequence
from typing import Any

import msgspec

from data_plane.channels.access import NEVER, Found, seen, visible_channel
from data_plane.channels.create import view_of
from data_plane.channels.errors import no_channel
from data_plane.channels.models import ALL, JOINED
from data_plane.channels.repository import ChannelRepository
from data_plane.channels.views import ChannelView, channel_view
from data_plane.custom import check_custom
from data_plane.grants.defaults import DIRECT, MEMBER, OWNER, SCOPES
from data_plane.grants.errors import LastOwner, unknown_role
from data_plane.grants.permissions import Permission
from data_plane.grants.repository import GrantRepository
from data_plane.grants.standing import Standing, standing_of_user, standings
from data_plane.identity.caller import Caller
from data_plane.invites.models import Invite
from data_plane.invites.repository import InviteRepository
from data_plane.log import channel_log, user_log
from data_plane.log.writer import NewEntry
from data_plane.members.errors import DirectIsFixed, DistinctIsFixed, UnknownUsers
from data_plane.members.models import MemberRow
from data_plane.members.repository import MemberRepository
from data_plane.members.schemas import UpdateMember
from data_plane.members.views import MemberPage, MemberView, member_view
from data_plane.paging import decode_cursor, page_of
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import InvalidInput, NotFound

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
        await visible_channel(self._shard, uow, caller, channel_id)
        rows = await MemberRepository(uow.session, caller.app_id).page(channel_id, after=after, limit=limit + 1)
        views, following = page_of(rows, limit, kind=_LIST, key=lambda row: row.user_id, view=member_view)
        return {"members": views, "next_cursor": following}

    async def add(
        self,
        uow: UnitOfWork,
        caller: Caller,
        channel_id: str,
        user_ids: Sequence[str],
        *,
        role: str = MEMBER,
        history: str | None = None,
        custom: dict[str, Any] | None = None,
    ) -> tuple[list[MemberView], bool]:
        """Add users; returns the view of each that was named and whether any is new. Members keep what they have.

        `history` is what the new ones see of before, null for what the channel says.

        Raises `NotFound`, `PermissionMissing`, `RoleTooHigh`, `DirectIsFixed`, `DistinctIsFixed`, and `UnknownUsers`
        when any user does not exist; then nobody is added.
        """
        named = list(dict.fromkeys(user_ids))
        kept = check_custom(custom)
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id), *map(user_log, named)])
        found = await self._changeable(uow, caller, channel_id)
        await self._require_giving(uow, caller, found, Permission.MEMBER_ADD, role)
        members = MemberRepository(uow.session, caller.app_id)
        there = await members.find(channel_id, named)
        missing = [user_id for user_id in named if user_id not in there]
        if missing:
            joined = await self._join(uow, caller, found, missing, role, "user_ids", history=history, custom=kept)
            there |= {row.user_id: row for row in joined}
        return [member_view(there[user_id]) for user_id in named], bool(missing)

    async def put(
        self,
        uow: UnitOfWork,
        caller: Caller,
        channel_id: str,
        user_id: str,
        *,
        role: str | None,
        history: str | None = None,
        custom: dict[str, Any] | None = None,
    ) -> tuple[MemberView, bool]:
        """Let the user be a member, with this role if one is given; returns its view and whether it is new.

        `history` is what a new one sees of before, null for what the channel says; `custom` is kept with it.

        A changed role is told to the channel, and to the user itself with what it may do now. Raises as `add` does,
        and `LastOwner`.
        """
        kept = check_custom(custom)
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id), user_log(user_id)])
        found = await self._changeable(uow, caller, channel_id)
        members = MemberRepository(uow.session, caller.app_id)
        member = (await members.find(channel_id, [user_id])).get(user_id)
        if member is None:
            await self._require_giving(uow, caller, found, Permission.MEMBER_ADD, role or MEMBER)
            joined = await self._join(
                uow, caller, found, [user_id], role or MEMBER, "user_id", history=history, custom=kept
            )
            return member_view(joined[0]), True
        if role is None or role == member.role:
            found.require(Permission.MEMBER_ADD if role is None else Permission.MEMBER_ROLE)
            return member_view(member), False
        await self._require_giving(uow, caller, found, Permission.MEMBER_ROLE, role)
        found.sight.require_no_more(member.role)
        if member.role == OWNER:
            await self._require_owner_left(uow, caller, found, user_id, stays=True)
        await members.change(channel_id, user_id, {"role": role})
        member = msgspec.structs.replace(member, role=role)
        standing = await standing_of_user(self._shard, uow, caller.app_id, user_id)
        own = {
            "channel_id": channel_id,
            "role": role,
            "capabilities": standing.capabilities(found.state.channel, role),
        }
        actor = caller.user_id
        entries = [
            NewEntry(log=channel_log(channel_id), type="member.updated", actor=actor, data=member_view(member)),
            NewEntry(log=user_log(user_id), type="membership.updated", actor=actor, data=own),
        ]
        await self._shard.logs.append(uow, caller.app_id, entries, at=truncate_ms(self._shard.clock.now()))
        return member_view(member), False

    async def keep(
        self, uow: UnitOfWork, caller: Caller, channel_id: str, user_id: str, wish: UpdateMember
    ) -> MemberView:
        """Set and take away fields of a membership's custom data: one's own, or with `member.custom` another's.

        What is so already is no change. Raises `NotFound`, `PermissionMissing`, `InvalidInput`.
        """
        if both := sorted(set(wish.set) & set(wish.unset)):
            raise InvalidInput(f"`unset` names a field that `set` gives: {both[0][:80]}.", field="unset")
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id)])
        found = await visible_channel(self._shard, uow, caller, channel_id)
        if user_id != caller.user_id:
            found.require(Permission.MEMBER_CUSTOM)
        members = MemberRepository(uow.session, caller.app_id)
        member = (await members.find(channel_id, [user_id])).get(user_id)
        if member is None:
            raise NotFound("There is no such member.")
        custom = {name: value for name, value in {**member.custom, **wish.set}.items() if name not in wish.unset}
        custom = check_custom(custom, field="set")
        if custom == member.custom:
            return member_view(member)
        await members.change(channel_id, user_id, {"custom": custom})
        view = member_view(msgspec.structs.replace(member, custom=custom))
        entry = NewEntry(log=channel_log(channel_id), type="member.updated", actor=caller.user_id, data=view)
        await self._shard.logs.append(uow, caller.app_id, [entry], at=truncate_ms(self._shard.clock.now()))
        return view

    async def join(self, uow: UnitOfWork, caller: Caller, channel_id: str, user_id: str) -> tuple[ChannelView, bool]:
        """Let a user who may join become a member by itself; returns the channel as it sees it, and whether it is new.

        Raises `NotFound` for a channel that the user neither sees nor may join, `PermissionMissing`.
        """
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id), user_log(user_id)])
        channels = ChannelRepository(uow.session, caller.app_id)
        state = await channels.find(channel_id, user_id)
        if state is None:
            raise no_channel()
        found = seen(await standing_of_user(self._shard, uow, caller.app_id, user_id), state)
        fresh = state.member is None
        if fresh:
            if not found.sight.allowed:
                raise no_channel()
            found.require(Permission.CHANNEL_JOIN)
            if state.channel.type == DIRECT:
                raise DirectIsFixed()
            await self._join(uow, caller, found, [user_id], MEMBER, "user_id")
            state = await channels.find(channel_id, user_id) or state
        viewer = Standing.of_server(found.standing.table) if caller.is_server else found.standing
        return view_of(state, viewer), fresh

    async def remove(self, uow: UnitOfWork, caller: Caller, channel_id: str, user_id: str) -> None:
        """Let the user be no member: the user itself, who may remove others, or a server may say so. Both logs tell it.

        Raises `NotFound`, `PermissionMissing`, `RoleTooHigh`, `LastOwner`, `DirectIsFixed`, `DistinctIsFixed`.
        """
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id), user_log(user_id)])
        found = await self._changeable(uow, caller, channel_id)
        state = found.state
        if user_id != caller.user_id:
            found.require(Permission.MEMBER_REMOVE)
        elif state.member is not None:
            found.require(Permission.CHANNEL_LEAVE)
        if state.channel.distinct:
            raise DistinctIsFixed()
        await self._require_removable(uow, caller, found, user_id)
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

    async def open_for(self, uow: UnitOfWork, caller: Caller, channel_id: str, role: str) -> Found:
        """The channel, to which the caller may add somebody with this role. Raises as `add` does."""
        found = await self._changeable(uow, caller, channel_id)
        if found.state.channel.distinct:
            raise DistinctIsFixed()
        await self._require_giving(uow, caller, found, Permission.MEMBER_ADD, role)
        return found

    def floor(self, found: Found, history: str | None) -> int | None:
        """The first seq that somebody sees who is asked in now; null for nothing of what was before it joins."""
        first = _history_from(found, history, NEVER)
        return None if first == NEVER else first

    async def accept(self, uow: UnitOfWork, caller: Caller, found: Found, invite: Invite) -> None:
        """Let who was invited become a member, unless it is one. The logs are locked. A role that is no more gives
        way to `member`."""
        if found.state.member is not None:
            return
        role, table = invite.role, found.standing.table
        joined = [invite.user_id]
        floor = NEVER if invite.history_from is None else invite.history_from
        await self._join(
            uow, caller, found, joined, role if table.for_members(role) else MEMBER, "user_id",
            custom=invite.custom, floor=floor,
        )  # fmt: skip

    async def _changeable(self, uow: UnitOfWork, caller: Caller, channel_id: str) -> Found:
        found = await visible_channel(self._shard, uow, caller, channel_id)
        if found.state.channel.type == DIRECT:
            raise DirectIsFixed()
        return found

    async def _require_giving(
        self, uow: UnitOfWork, caller: Caller, found: Found, permission: Permission, role: str
    ) -> None:
        """The role is there, for members, until this transaction ends; the caller may give it."""
        found.require(permission)
        known = found.standing.table.for_members(role)
        if known and role not in SCOPES:
            known = await GrantRepository(uow.session, caller.app_id).hold_role(role)
        if not known:
            raise unknown_role(role, field="role")
        found.sight.require_no_more(role)

    async def _require_removable(self, uow: UnitOfWork, caller: Caller, found: Found, user_id: str) -> None:
        if caller.is_server:
            return
        channel_id = found.state.channel.id
        member = (await MemberRepository(uow.session, caller.app_id).find(channel_id, [user_id])).get(user_id)
        if member is None:
            return
        if user_id != caller.user_id:
            found.sight.require_no_more(member.role)
        if member.role == OWNER:
            await self._require_owner_left(uow, caller, found, user_id, stays=False)

    async def _require_owner_left(
        self, uow: UnitOfWork, caller: Caller, found: Found, user_id: str, *, stays: bool
    ) -> None:
        """A channel that had an owner and still has members keeps one, but for what your server decides.

        `stays`: whether who is no owner any more is a member still.
        """
        if caller.is_server:
            return
        members, channel_id = MemberRepository(uow.session, caller.app_id), found.state.channel.id
        if await members.has_other_owner(channel_id, user_id):
            return
        if stays or await members.has_anybody_else(channel_id, user_id):
            raise LastOwner()

    async def _join(
        self,
        uow: UnitOfWork,
        caller: Caller,
        found: Found,
        user_ids: Sequence[str],
        role: str,
        field: str,
        *,
        history: str | None = None,
        custom: dict[str, Any] | None = None,
        floor: int | None = None,
    ) -> list[MemberRow]:
        """Make users members who are not; the logs are locked. Raises `DistinctIsFixed`, and `UnknownUsers`, which
        blames `field`."""
        state = found.state
        if state.channel.distinct:
            raise DistinctIsFixed()
        members = MemberRepository(uow.session, caller.app_id)
        app_roles = await members.app_roles(user_ids)
        unknown = [user_id for user_id in user_ids if user_id not in app_roles]
        if unknown:
            raise UnknownUsers.of(unknown, field=field)
        own = standings(found.standing.table, app_roles)
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
                history_from=(
                    _history_from(found, history, state.last_seq + place)
                    if floor is None
                    else min(floor, state.last_seq + place)
                ),
                custom=custom or {},
            )
            for place, user_id in enumerate(user_ids, start=1)
        ]
        await members.add(channel_id, joining)
        # Whoever was invited and comes in another way is asked no more.
        await InviteRepository(uow.session, caller.app_id).joined(channel_id, user_ids, now)
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
                standing=own[row.user_id],
            )
            data = {"channel": view, "from_seq": row.joined_seq}
            entries.append(
                NewEntry(log=user_log(row.user_id), type="membership.added", actor=caller.user_id, data=data)
            )
        await self._shard.logs.append(uow, caller.app_id, entries, at=now)
        return joining


def _history_from(found: Found, wish: str | None, joined_seq: int) -> int:
    """Where a new member's history begins. Nobody shows others more than it sees itself."""
    channel, own = found.state.channel, found.state.member
    if (wish or channel.history) == JOINED:
        return joined_seq
    if own is not None:
        return own.history_from
    return 0 if found.standing.is_server or channel.history == ALL else joined_seq
