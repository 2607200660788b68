"""React to a message, take it back, and see who did."""

from collections.abc import Mapping
from typing import Final

from data_plane.channels.errors import ChannelFrozen
from data_plane.grants.permissions import Permission
from data_plane.identity.caller import Caller, Reader
from data_plane.log import channel_log
from data_plane.log.writer import NewEntry
from data_plane.messages.access import known_user, locked_message, require_not_blocked, visible_message
from data_plane.messages.errors import MessageDeleted
from data_plane.messages.repository import MessageRepository
from data_plane.messages.views import MessageRow, MessageView, message_view
from data_plane.paging import decode_cursor, page_of
from data_plane.reactions.emoji import reaction_name
from data_plane.reactions.errors import TooManyReactions
from data_plane.reactions.repository import ReactionRepository
from data_plane.reactions.views import ReactionPage
from data_plane.shard import Shard
from kernel.clock import rfc3339, truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import InvalidInput

MAX_EMOJI: Final = 100
"""Different emoji on one message: each event carries all of the counts."""
_LIST: Final = "reactions"


class Reactions:
    """The use cases. Writers must come before the transaction's first write.

    Counts stand beside the message and change under its channel's lock, in the transaction of the reaction counted.
    """

    def __init__(self, shard: Shard) -> None:
        self._shard = shard

    async def add(
        self,
        uow: UnitOfWork,
        caller: Caller,
        message_id: str,
        emoji: str,
        *,
        unique: bool = False,
        user_id: str | None = None,
    ) -> tuple[MessageView, bool]:
        """React; with `unique` in the place of whatever else the user reacted with. Returns the message as the user
        sees it then, and whether anything changed.

        Raises `NotFound`, `PermissionMissing`, `ChannelFrozen`, `Blocked`, `MessageDeleted`, `TooManyReactions`,
        `UnknownUsers`, `InvalidInput`.
        """
        emoji = reaction_name(emoji)
        user = await known_user(uow, caller, user_id)
        found, before = await locked_message(self._shard, uow, caller, message_id)
        row = found.row
        before.require(Permission.REACTION_ADD)
        if found.frozen and Permission.MESSAGE_SEND_FROZEN not in before.allowed:
            raise ChannelFrozen()
        await require_not_blocked(uow, caller, found)
        if row.deleted_at is not None:
            raise MessageDeleted("A deleted message takes no reactions.")
        reactions = ReactionRepository(uow.session, caller.app_id)
        own = await reactions.own(row.id, user)
        replaced = [each for each in own if each != emoji] if unique else []
        if emoji in own and not replaced:
            return message_view(row, own_reactions=own), False
        counts = counted(row, taken=replaced, given=[] if emoji in own else [emoji])
        if len(counts) > MAX_EMOJI:
            raise TooManyReactions(f"A message shows at most {MAX_EMOJI} different reactions.")
        now = truncate_ms(self._shard.clock.now())
        said = {"emoji": emoji, "created_at": rfc3339(now), "reactions": counts, "replaced": replaced}
        seq = await self._write(uow, caller, row, user, "reaction.added", said, counts)
        if replaced:
            await reactions.remove(row.id, user, replaced)
        if emoji not in own:
            await reactions.add(row.id, user, emoji, seq=seq, at=now)
        shown = message_view(with_reactions(row, counts), own_reactions=[e for e in own if e not in replaced])
        if emoji not in own:
            shown["own_reactions"].append(emoji)
        return shown, True

    async def remove(
        self, uow: UnitOfWork, caller: Caller, message_id: str, emoji: str, *, user_id: str | None = None
    ) -> MessageView:
        """Take a reaction back, in a frozen channel too; one that is not there changes nothing. Raises `NotFound`,
        `UnknownUsers`, `InvalidInput`."""
        emoji = reaction_name(emoji)
        user = await known_user(uow, caller, user_id)
        found, _ = await locked_message(self._shard, uow, caller, message_id)
        row = found.row
        reactions = ReactionRepository(uow.session, caller.app_id)
        own = await reactions.own(row.id, user)
        if emoji not in own or row.deleted_at is not None:
            return message_view(row, own_reactions=own)
        counts = counted(row, taken=[emoji], given=[])
        await self._write(uow, caller, row, user, "reaction.removed", {"emoji": emoji, "reactions": counts}, counts)
        await reactions.remove(row.id, user, [emoji])
        return message_view(with_reactions(row, counts), own_reactions=[each for each in own if each != emoji])

    async def page(
        self, uow: UnitOfWork, reader: Reader, message_id: str, *, emoji: str | None, limit: int, cursor: str | None
    ) -> ReactionPage:
        """Who reacted, emoji by emoji, the earliest first. A deleted message shows nobody. Raises `NotFound`."""
        wanted = reaction_name(emoji) if emoji is not None else None
        after = _place(decode_cursor(_LIST, cursor))
        found, _ = await visible_message(self._shard, uow, reader, message_id)
        if found.row.deleted_at is not None:
            return {"reactions": [], "next_cursor": None}
        reactions = ReactionRepository(uow.session, reader.app_id)
        rows = await reactions.page(found.row.id, wanted, after=after, limit=limit + 1)
        views, following = page_of(
            rows,
            limit,
            kind=_LIST,
            key=lambda row: f"{row.seq}:{row.emoji}",
            view=lambda row: {"emoji": row.emoji, "user_id": row.user_id, "created_at": rfc3339(row.created_at)},
        )
        return {"reactions": views, "next_cursor": following}  # type: ignore[typeddict-item]

    async def _write(
        self,
        uow: UnitOfWork,
        caller: Caller,
        row: MessageRow,
        user: str,
        type: str,
        said: Mapping[str, object],
        counts: dict[str, int],
    ) -> int:
        messages = MessageRepository(uow.session, caller.app_id)
        changed = with_reactions(row, counts)
        await messages.change(row, {"extra": changed.extra})
        data = {"message_id": message_view(row)["id"], "message_seq": row.seq, "user_id": user, **said}
        entry = NewEntry(log=channel_log(row.channel_id), type=type, actor=user, data=data)
        at = truncate_ms(self._shard.clock.now())
        return (await self._shard.logs.append(uow, caller.app_id, [entry], at=at))[0]


def counted(row: MessageRow, *, taken: list[str], given: list[str]) -> dict[str, int]:
    """The message's counts after these came and went; none is zero."""
    counts = dict((row.extra or {}).get("reactions", {}))
    for emoji in taken:
        counts[emoji] -= 1
    for emoji in given:
        counts[emoji] = counts.get(emoji, 0) + 1
    return {emoji: count for emoji, count in counts.items() if count > 0}


def with_reactions(row: MessageRow, counts: dict[str, int]) -> MessageRow:
    """The message with these counts."""
    return row.with_extra(reactions=counts or None)


def _place(key: str | None) -> tuple[str, int] | None:
    if key is None:
        return None
    seq, _, emoji = key.partition(":")
    if not emoji or not (seq.isascii() and seq.isdigit() and len(seq) < 16):
        raise InvalidInput("`cursor` must be the `next_cursor` of this list's page before.", field="cursor")
    return emoji, int(seq)
