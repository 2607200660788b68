"""Look at, change and delete channels."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from data_plane.channels.access import Found, visible_channel
from data_plane.channels.create import view_of
from data_plane.channels.jobs import DISBAND, PURGE
from data_plane.channels.kept import KEPT_ANYHOW, Kept
from data_plane.channels.models import ChannelState
from data_plane.channels.repository import ChannelRepository
from data_plane.channels.schemas import UpdateChannel
from data_plane.channels.views import ChannelPage, ChannelView, channel_view
from data_plane.custom import check_custom
from data_plane.grants.errors import RoleTooHigh, unknown_role
from data_plane.grants.permissions import Permission
from data_plane.grants.schemas import channel_grants
from data_plane.grants.standing import Standing, standing_of
from data_plane.identity.caller import Caller, Reader
from data_plane.log import channel_log
from data_plane.log.writer import NewEntry
from data_plane.members.models import MemberRow
from data_plane.paging import decode_cursor, page_of
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import InvalidInput

_LIST = "channels"
_PINNED = "pinned"
_PIN_PLACE = re.compile(r"-?\d{1,20}(\.\d{1,20})?(e[+-]\d{1,3})?/[A-Za-z0-9_.@-]{1,64}")


class ChannelService:
    """Use cases on channels that exist. Writers must come before the transaction's first write."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def page(
        self,
        uow: UnitOfWork,
        caller: Caller,
        *,
        user_id: str | None,
        limit: int,
        cursor: str | None,
        kept: Kept = KEPT_ANYHOW,
    ) -> ChannelPage:
        """Channels by id: the caller's, those of the user that a server names, or all of the app.

        With `kept` those that the user has arranged so. Raises `InvalidInput` for it where no user is named.
        """
        user = caller.acting_as(user_id) if user_id is not None or not caller.is_server else None
        if user is None and (asked := [name for name, value in kept._asdict().items() if value is not None]):
            raise InvalidInput(f"`{asked[0]}` is a user's own; name one with `user_id`.", field=asked[0])
        channels = ChannelRepository(uow.session, caller.app_id)
        kind = _PINNED if kept.pinned else _LIST
        after = decode_cursor(kind, cursor)
        if kept.pinned and after is not None and not _PIN_PLACE.fullmatch(after):
            raise InvalidInput("`cursor` must be the `next_cursor` of this list's page before.", field="cursor")
        rows = await channels.page(user, after=after, limit=limit + 1, kept=kept, now=self._shard.clock.now())
        standing = await standing_of(self._shard, uow, caller)
        views, following = page_of(
            rows,
            limit,
            kind=kind,
            key=_pin_place if kept.pinned else lambda state: state.channel.id,
            view=lambda state: view_of(state, standing),
        )
        return {"channels": views, "next_cursor": following}

    async def get(self, uow: UnitOfWork, reader: Reader, channel_id: str) -> ChannelView:
        """One channel. Raises `NotFound` when the reader does not see it."""
        found = await visible_channel(self._shard, uow, reader, channel_id)
        return view_of(found.state, found.standing)

    async def update(self, uow: UnitOfWork, caller: Caller, channel_id: str, wish: UpdateChannel) -> ChannelView:
        """Change settings. What is so already is no change; without any, nothing is written and nobody told.

        Raises `NotFound`, `PermissionMissing` by what is to be changed, `RoleTooHigh`, `InvalidInput`.
        """
        wanted: dict[str, Any] = {
            name: value
            for name in ("name", "image", "custom", "frozen", "history", "slow_mode")
            if (value := getattr(wish, name)) is not msgspec.UNSET
        }
        if "custom" in wanted:
            wanted["custom"] = check_custom(wanted["custom"])
        own_grants = channel_grants(wish.grants) if isinstance(wish.grants, dict) else wish.grants
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id)])
        channels = ChannelRepository(uow.session, caller.app_id)
        found = await visible_channel(self._shard, uow, caller, channel_id)
        state = found.state
        for permission in _needed(wish):
            found.require(permission)
        if own_grants is not msgspec.UNSET:
            wanted["grants"] = _new_grants(caller, found, own_grants)
        changes = {name: value for name, value in wanted.items() if getattr(state.channel, name) != value}
        if not changes:
            return view_of(state, found.standing)
        now = truncate_ms(self._shard.clock.now())
        said = sorted(changes)
        changes["updated_at"] = now
        await channels.change(channel_id, changes)
        channel = msgspec.structs.replace(state.channel, **changes)

        def seen_by(member: MemberRow | None, standing: Standing | None) -> ChannelView:
            return channel_view(
                channel,
                last_seq=state.last_seq + 1,
                last_number=state.last_number,
                member_count=state.member_count,
                member=member,
                standing=standing,
            )

        data = {"channel": seen_by(None, None), "changed": said}
        updated = NewEntry(log=channel_log(channel_id), type="channel.updated", actor=caller.user_id, data=data)
        await self._shard.logs.append(uow, caller.app_id, [updated], at=now)
        return seen_by(state.member, found.standing)

    async def delete(self, uow: UnitOfWork, caller: Caller, channel_id: str) -> None:
        """Delete a channel: gone for everybody at once; memberships and content go in jobs, whatever the size."""
        await self._shard.logs.lock(uow, caller.app_id, [channel_log(channel_id)])
        channels = ChannelRepository(uow.session, caller.app_id)
        (await visible_channel(self._shard, uow, caller, channel_id)).require(Permission.CHANNEL_DELETE)
        now = truncate_ms(self._shard.clock.now())
        await channels.mark_deleted(channel_id, now)
        deleted = NewEntry(
            log=channel_log(channel_id),
            type="channel.deleted",
            actor=caller.user_id,
            data={"channel_id": channel_id},
        )
        await self._shard.logs.append(uow, caller.app_id, [deleted], at=now)
        target = {"app_id": str(caller.app_id), "channel_id": channel_id}
        await self._shard.outbox.put(uow, DISBAND, target, now=now)
        await self._shard.outbox.put(uow, PURGE, target | {"after": 0}, now=now)


def _pin_place(state: ChannelState) -> str:
    assert state.member is not None
    return f"{state.member.pin_order!r}/{state.channel.id}"


def _needed(wish: UpdateChannel) -> list[Permission]:
    needed = {
        Permission.CHANNEL_FREEZE: (wish.frozen,),
        Permission.CHANNEL_GRANTS: (wish.grants,),
        Permission.CHANNEL_SLOW: (wish.slow_mode,),
        Permission.CHANNEL_UPDATE: (wish.name, wish.image, wish.custom, wish.history),
    }
    given = [each for each, values in needed.items() if any(value is not msgspec.UNSET for value in values)]
    return given or [Permission.CHANNEL_UPDATE]


def _new_grants(caller: Caller, found: Found, wish: Mapping[str, list[str] | None] | None) -> dict[str, list[str]]:
    """The channel's own grants after the wish. Nobody touches its own role, nor one that may do more, or would.

    Raises `RoleTooHigh`, `InvalidInput`.
    """
    channel, sight, table = found.state.channel, found.sight, found.standing.table
    if wish is None:
        wish = dict.fromkeys(channel.grants)
    after = {role: names for role, names in {**channel.grants, **wish}.items() if names is not None}
    for role in wish:
        if role not in table.roles and wish[role] is not None:
            raise unknown_role(role, field="grants")
        if caller.is_server or after.get(role) == channel.grants.get(role):
            continue
        if role in (sight.role, found.standing.app_role):
            raise RoleTooHigh(f"`{role}` is your own role; somebody else has to change what it may do.", role=role)
        sight.require_no_more(role)
        sight.require_no_more(role, table.granted(channel.type, role, after))
    return after
