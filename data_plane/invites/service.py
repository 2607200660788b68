"""Invite, answer, take back, list. What becomes of an invite is told in the own log of whoever was invited."""

from collections.abc import Sequence
from typing import Any

from data_plane.channels.access import Found, seen, visible_channel
from data_plane.channels.create import view_of
from data_plane.channels.repository import ChannelRepository
from data_plane.channels.views import ChannelView
from data_plane.custom import check_custom
from data_plane.grants.permissions import Permission
from data_plane.grants.standing import Standing, standing_of_user
from data_plane.identity.caller import Caller
from data_plane.invites.errors import no_invite
from data_plane.invites.models import ACCEPTED, PENDING, REJECTED, REVOKED, Invite
from data_plane.invites.repository import InviteRepository
from data_plane.invites.schemas import InviteMembers
from data_plane.invites.views import InvitePage, InviteView, invite_view
from data_plane.log import channel_log, user_log
from data_plane.log.writer import NewEntry
from data_plane.members.errors import UnknownUsers
from data_plane.members.repository import MemberRepository
from data_plane.members.service import MemberService
from data_plane.paging import decode_cursor, page_of
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork

_OF_USER, _OF_CHANNEL = "invites", "channel_invites"


class InviteService:
    """The use cases. Writers must come before the transaction's first write."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._members = MemberService(shard)

    async def invite(
        self, uow: UnitOfWork, caller: Caller, channel_id: str, wish: InviteMembers
    ) -> tuple[list[InviteView], bool]:
        """Ask users into a channel; returns the invites of those who are no members, and whether any is new.

        Raises `NotFound`, `PermissionMissing`, `RoleTooHigh`, `DirectIsFixed`, `DistinctIsFixed`, and `UnknownUsers`
        when any user does not exist; then nobody is invited.
        """
        named = list(dict.fromkeys(wish.user_ids))
        custom = check_custom(wish.custom)
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id), *map(user_log, named)])
        found = await self._members.open_for(uow, caller, channel_id, wish.role)
        members = MemberRepository(uow.session, caller.app_id)
        if unknown := await members.unknown_users(named):
            raise UnknownUsers.of(unknown, field="user_ids")
        there = await members.find(channel_id, named)
        invites = InviteRepository(uow.session, caller.app_id)
        pending = await invites.pending(channel_id, named)
        asked = [user_id for user_id in named if user_id not in there and user_id not in pending]
        if asked:
            now = truncate_ms(self._shard.clock.now())
            floor = self._members.floor(found, wish.history)
            common = {
                "state": PENDING, "role": wish.role, "invited_by": caller.user_id, "history_from": floor,
                "custom": custom, "created_at": now, "changed_at": now,
            }  # fmt: skip
            await invites.put(channel_id, [{"user_id": user_id, **common} for user_id in asked])
            fresh = [Invite(channel_id=channel_id, user_id=user_id, **common) for user_id in asked]
            pending |= {invite.user_id: invite for invite in fresh}
            await self._tell(uow, caller, found, fresh)
        channel = found.state.channel
        return [invite_view(pending[each], channel) for each in named if each in pending], bool(asked)

    async def revoke(self, uow: UnitOfWork, caller: Caller, channel_id: str, user_id: str) -> None:
        """Take an invite back, if there is one. Raises `NotFound`, `PermissionMissing`."""
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id), user_log(user_id)])
        found = await visible_channel(self._shard, uow, caller, channel_id)
        found.require(Permission.MEMBER_ADD)
        invite = (await InviteRepository(uow.session, caller.app_id).pending(channel_id, [user_id])).get(user_id)
        if invite is not None:
            await self._settle(uow, caller, found, invite, REVOKED)

    async def accept(self, uow: UnitOfWork, caller: Caller, channel_id: str, user_id: str) -> ChannelView:
        """Become a member; returns the channel as the caller sees it. Raises `NotFound`, and what joining raises."""
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id), user_log(user_id)])
        found, invite = await self._asked(uow, caller, channel_id, user_id)
        await self._settle(uow, caller, found, invite, ACCEPTED)
        await self._members.accept(uow, caller, found, invite)
        state = await ChannelRepository(uow.session, caller.app_id).find(channel_id, user_id)
        viewer = Standing.of_server(found.standing.table) if caller.is_server else found.standing
        return view_of(state or found.state, viewer)

    async def reject(self, uow: UnitOfWork, caller: Caller, channel_id: str, user_id: str) -> None:
        """Say no. Raises `NotFound` when nobody asked."""
        await self._shard.logs.lock(uow, caller.app_id, [user_log(user_id)])
        found, invite = await self._asked(uow, caller, channel_id, user_id)
        await self._settle(uow, caller, found, invite, REJECTED)

    async def mine(
        self, uow: UnitOfWork, caller: Caller, *, user_id: str | None, limit: int, cursor: str | None
    ) -> InvitePage:
        """A user's pending invites by channel."""
        after = decode_cursor(_OF_USER, cursor)
        invites = InviteRepository(uow.session, caller.app_id)
        rows = await invites.of_user(caller.acting_as(user_id), after=after, limit=limit + 1)
        views, following = page_of(
            rows, limit, kind=_OF_USER, key=lambda row: row[0].channel_id, view=lambda row: invite_view(*row)
        )
        return {"invites": views, "next_cursor": following}

    async def of_channel(
        self, uow: UnitOfWork, caller: Caller, channel_id: str, *, limit: int, cursor: str | None
    ) -> InvitePage:
        """A channel's pending invites by user. Raises `NotFound`, `PermissionMissing`."""
        after = decode_cursor(_OF_CHANNEL, cursor)
        found = await visible_channel(self._shard, uow, caller, channel_id)
        found.require(Permission.MEMBER_ADD)
        rows = await InviteRepository(uow.session, caller.app_id).of_channel(channel_id, after=after, limit=limit + 1)
        channel = found.state.channel
        views, following = page_of(
            rows, limit, kind=_OF_CHANNEL, key=lambda row: row.user_id, view=lambda row: invite_view(row, channel)
        )
        return {"invites": views, "next_cursor": following}

    async def _asked(self, uow: UnitOfWork, caller: Caller, channel_id: str, user_id: str) -> tuple[Found, Invite]:
        invite = (await InviteRepository(uow.session, caller.app_id).pending(channel_id, [user_id])).get(user_id)
        state = await ChannelRepository(uow.session, caller.app_id).find(channel_id, user_id) if invite else None
        if invite is None or state is None:
            raise no_invite()
        return seen(await standing_of_user(self._shard, uow, caller.app_id, user_id), state), invite

    async def _settle(self, uow: UnitOfWork, caller: Caller, found: Found, invite: Invite, state: str) -> None:
        now = truncate_ms(self._shard.clock.now())
        await InviteRepository(uow.session, caller.app_id).settle(invite.channel_id, [invite.user_id], state, now)
        kept: dict[str, Any] = {
            name: getattr(invite, name)
            for name in ("channel_id", "user_id", "role", "invited_by", "history_from", "custom", "created_at")
        }
        await self._tell(uow, caller, found, [Invite(state=state, changed_at=now, **kept)])

    async def _tell(self, uow: UnitOfWork, caller: Caller, found: Found, invites: Sequence[Invite]) -> None:
        entries = [
            NewEntry(
                log=user_log(invite.user_id),
                type="invite.changed",
                actor=caller.user_id,
                data={"invite": invite_view(invite, found.state.channel)},
            )
            for invite in invites
        ]
        await self._shard.logs.append(uow, caller.app_id, entries, at=truncate_ms(self._shard.clock.now()))
