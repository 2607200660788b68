"""Every channel of a user at once: the fresh state of those who cannot catch up."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from data_plane.channels.create import view_of
from data_plane.channels.models import ChannelRow, ChannelState
from data_plane.channels.views import ChannelView
from data_plane.grants.standing import Standing
from data_plane.grants.table import GrantTable
from data_plane.log.entries import user_log
from data_plane.members.models import MemberRow
from data_plane.shard import Shard

_EVERYTHING: Final = """
    select *, (select h.last_seq from chat.log_heads h where h.app_id = $1 and h.log = $3) as own_seq
    from chat.fresh_state($1, $2)
"""
"""The function is stable, so it and the head of the log are of one snapshot."""
_CHUNK: Final = 200
"""Channels rendered without letting anybody else run: about two milliseconds."""


class Everything(NamedTuple):
    """A user's channels by id, the app's grants, the last entry of the user's own log, and the commit horizon, of one
    snapshot; the grants perhaps newer."""

    channels: list[ChannelView]
    table: GrantTable
    own_seq: int
    horizon: int


async def channels_of_user(shard: Shard, app_id: UUID, user_id: str) -> Everything:
    """Every channel of a user as it sees them. One statement."""
    pool = await shard.system.pool()
    rows: Sequence[Any] = await pool.fetch(_EVERYTHING, app_id, user_id, user_log(user_id))
    first = rows[0]
    table = await shard.grants.at_least(app_id, first["app_seq"] or 0)
    standing = Standing.of_user(table, first["app_role"] or "")
    views: list[ChannelView] = []
    if first["id"] is not None:
        for at in range(0, len(rows), _CHUNK):
            if at:
                await asyncio.sleep(0)
            views += [view_of(_state(row, user_id), standing) for row in rows[at : at + _CHUNK]]
    return Everything(views, table, first["own_seq"] or 0, first["horizon"])


def _state(row: Any, user_id: str) -> ChannelState:
    # By position: with thousands of channels a look-up by name of each column shows.
    (
        _, id, type, name, image, custom, created_by, frozen, created_at, updated_at, last_seq, last_number,
        member_count, role, joined_seq, joined_at, read_number, grants, _, _, history, truncated_to, slow_mode,
        history_from, cleared_to, member_custom, archived_at, hidden_number, muted_at, muted_until, pin_order,
        is_distinct, truncated_number, hidden_numbers, _,
    ) = row  # fmt: skip
    return ChannelState(
        channel=ChannelRow(
            id=id,
            type=type,
            name=name,
            image=image,
            custom={} if custom == "{}" else orjson.loads(custom),
            created_by=created_by,
            frozen=frozen,
            grants=orjson.loads(grants) if grants is not None else {},
            created_at=created_at,
            updated_at=updated_at,
            history=history,
            truncated_to=truncated_to,
            slow_mode=slow_mode,
            distinct=is_distinct,
            truncated_number=truncated_number,
        ),
        last_seq=last_seq,
        last_number=last_number,
        member_count=member_count,
        member=MemberRow(
            user_id=user_id,
            role=role,
            joined_seq=joined_seq,
            joined_at=joined_at,
            read_number=read_number,
            history_from=history_from,
            cleared_to=cleared_to,
            custom={} if member_custom == "{}" else orjson.loads(member_custom),
            archived_at=archived_at,
            hidden_number=hidden_number,
            muted_at=muted_at,
            muted_until=muted_until,
            pin_order=pin_order,
            hidden_numbers=hidden_numbers,
        ),
    )
