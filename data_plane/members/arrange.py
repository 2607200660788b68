"""What a member does with a channel for itself alone: archive, hide, mute, pin it, and clear what was before."""

from datetime import datetime
from typing import Any, Final

import msgspec

from data_plane.channels.errors import no_channel
from data_plane.channels.models import ChannelState
from data_plane.channels.repository import ChannelRepository
from data_plane.channels.views import maybe_time
from data_plane.identity.caller import Caller
from data_plane.log import user_log
from data_plane.log.writer import NewEntry
from data_plane.members.errors import TooManyPins
from data_plane.members.models import MemberRow
from data_plane.members.repository import MemberRepository
from data_plane.members.schemas import ArrangeChannel
from data_plane.members.views import Arrangement
from data_plane.moments import in_utc
from data_plane.receipts.teller import read_hint
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import InvalidInput

MAX_PINS: Final = 50
"""Channels that a user has pinned at once: a list that is looked at whole."""
_STEP: Final = 1.0


class Arranging:
    """The use case. Must come before the transaction's first write."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def arrange(self, uow: UnitOfWork, caller: Caller, channel_id: str, wish: ArrangeChannel) -> Arrangement:
        """Change what is asked for and return all of it as it is then; the user's own log tells it to its devices.

        What is so already is no change; without any, nothing is written and nobody told. Raises `NotFound`,
        `TooManyPins`, `InvalidInput`.
        """
        user = caller.acting_as(wish.user_id)
        # The user's own log alone: whoever leaves or is removed has it locked too, and a channel's writers do not wait.
        await self._shard.logs.lock(uow, caller.app_id, [user_log(user)])
        state = await ChannelRepository(uow.session, caller.app_id).find(channel_id, user)
        if state is None or state.member is None:
            raise no_channel()
        now = truncate_ms(self._shard.clock.now())
        member = state.member
        wanted = _own(state, member, wish, now)
        members = MemberRepository(uow.session, caller.app_id)
        moved = await _pinned(members, user, channel_id, member, wish)
        wanted |= {"pin_order": moved.pop(channel_id)} if channel_id in moved else {}
        changes = {name: value for name, value in wanted.items() if getattr(member, name) != value}
        after = msgspec.structs.replace(member, **changes)
        if not changes and not moved:
            return arrangement(channel_id, after, state.last_number)
        if changes:
            await members.change(channel_id, user, changes)
        entries = []
        for other, order in moved.items():
            await members.change(other, user, {"pin_order": order})
            beside = await ChannelRepository(uow.session, caller.app_id).find(other, user)
            if beside is not None and beside.member is not None:
                entries.append(_entry(user, arrangement(other, beside.member, beside.last_number)))
        if changes:
            entries.append(_entry(user, arrangement(channel_id, after, state.last_number)))
        if after.read_number != member.read_number:
            read = {
                "channel_id": channel_id,
                "read_number": after.read_number,
                "last_number": state.last_number,
                "unread": max(0, state.last_number - after.read_number),
                "marked_unread": False,
            }
            entries.append(NewEntry(log=user_log(user), type="unread.changed", actor=user, data=read))
        seqs = await self._shard.logs.append(uow, caller.app_id, entries, at=now)
        if after.read_number != member.read_number and await members.shows_read(user):
            hint = read_hint(caller.app_id, channel_id, user, seq=seqs[-1], number=after.read_number)
            self._shard.logs.tell(uow, [hint])
        return arrangement(channel_id, after, state.last_number)


def arrangement(channel_id: str, member: MemberRow, last_number: int) -> Arrangement:
    """All that a user has arranged in a channel."""
    return {
        "channel_id": channel_id,
        "archived_at": maybe_time(member.archived_at),
        "hidden": member.hidden_number is not None and last_number <= member.hidden_number,
        "history_from": member.first_seq,
        "muted_at": maybe_time(member.muted_at),
        "muted_until": maybe_time(member.muted_until),
        "pin_order": member.pin_order,
    }


def _entry(user: str, data: Arrangement) -> NewEntry:
    return NewEntry(log=user_log(user), type="membership.arranged", actor=user, data=data)


def _own(state: ChannelState, member: MemberRow, wish: ArrangeChannel, now: datetime) -> dict[str, Any]:
    """The columns as they are wanted, but for the pin."""
    wanted: dict[str, Any] = {}
    if wish.archived is not msgspec.UNSET:
        wanted["archived_at"] = (member.archived_at or now) if wish.archived else None
    if wish.hidden is not msgspec.UNSET:
        wanted["hidden_number"] = state.last_number if wish.hidden else None
    if wish.clear_history:
        wanted["cleared_to"] = max(member.cleared_to, state.last_seq + 1)
        wanted["read_number"] = max(member.read_number, state.last_number)
    until = wish.muted_until
    if isinstance(until, datetime):
        until = in_utc(until, field="muted_until")
    if until is not msgspec.UNSET and until is not None and until <= now:
        raise InvalidInput("`muted_until` must be in the future.", field="muted_until")
    if wish.muted is False:
        if until is not msgspec.UNSET and until is not None:
            raise InvalidInput("`muted_until` is for a channel that is muted.", field="muted_until")
        wanted |= {"muted_at": None, "muted_until": None}
    elif wish.muted is True or until is not msgspec.UNSET:
        ended = member.muted_until is not None and member.muted_until <= now
        wanted["muted_at"] = now if member.muted_at is None or ended else member.muted_at
        wanted["muted_until"] = until if isinstance(until, datetime) else None
    return wanted


async def _pinned(
    members: MemberRepository, user: str, channel_id: str, member: MemberRow, wish: ArrangeChannel
) -> dict[str, float | None]:
    """The new places of pins, by channel: that of this channel, and those of others that had to make room."""
    if wish.pinned is False:
        if wish.pin_before is not msgspec.UNSET:
            raise InvalidInput("`pin_before` is for a channel that is pinned.", field="pin_before")
        return {channel_id: None}
    if wish.pin_before is msgspec.UNSET and (wish.pinned is msgspec.UNSET or member.pin_order is not None):
        return {}
    others = [pin for pin in await members.pins(user) if pin[0] != channel_id]
    if len(others) >= MAX_PINS:
        raise TooManyPins(f"At most {MAX_PINS} channels can be pinned at once.")
    place = 0
    if wish.pin_before is None:
        place = len(others)
    elif wish.pin_before is not msgspec.UNSET:
        found = [n for n, (other, _) in enumerate(others) if other == wish.pin_before]
        if not found:
            raise InvalidInput("`pin_before` must name another channel that you have pinned.", field="pin_before")
        place = found[0]
    low = others[place - 1][1] if place else None
    high = others[place][1] if place < len(others) else None
    if low is None or high is None:
        order = 0.0 if low is None and high is None else high - _STEP if high is not None else (low or 0.0) + _STEP
        return {channel_id: order}
    order = (low + high) / 2
    if low < order < high:
        return {channel_id: order}
    # No number is left between the two: all of them anew.
    row = [*(other for other, _ in others[:place]), channel_id, *(other for other, _ in others[place:])]
    return {each: float(n) for n, each in enumerate(row)}
