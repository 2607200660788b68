"""Mark read, received and unread; look at what is unread, and at how far others are."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import text

from data_plane.blocks.hidden import Hidden
from data_plane.channels.access import Found, visible_channel
from data_plane.channels.errors import no_channel
from data_plane.gateway.connection import Connection, UserConnection
from data_plane.identity.caller import Caller
from data_plane.log import LogKey, channel_log, user_log
from data_plane.log.entries import make_entry
from data_plane.log.writer import NewEntry
from data_plane.messages.errors import no_message
from data_plane.messages.repository import MessageRepository
from data_plane.paging import decode_cursor, page_of
from data_plane.presence.audience import LARGE
from data_plane.receipts.crowd import Counting
from data_plane.receipts.flush import Kind, Move, Moved, PositionFlusher
from data_plane.receipts.schemas import PutPrivacy
from data_plane.receipts.teller import Teller
from data_plane.receipts.views import (
    ChannelReceipts,
    DeliveredPosition,
    MessageReceipts,
    Privacy,
    ReadAll,
    ReadPosition,
    ReceiptPage,
    Unread,
    read_position,
)
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.errors import Forbidden, InvalidInput, NotFound
from kernel.ids import parse_id

MOST_AT_ONCE: Final = 500
"""Channels that one call reads."""
_UNREAD, _RECEIPTS, _READERS = "unread", "receipts", "readers"
_READ_ALL: Final = "select * from chat.read_all($1, $2, $3, $4, $5)"

_COUNTS: Final = text("select * from chat.unread_channels(:app, :user, :now) order by channel_id")
_THREADS: Final = text(
    "select coalesce(sum(unread), 0) as replies, count(*) as threads from chat.unread_threads(:app, :user, :now) "
    "where not muted"
)
_PAGE: Final = text(
    "select m.user_id, m.read_number, greatest(m.read_number, m.delivered_number) as delivered_number, "
    "coalesce(v.read_receipts, true) as shows_read, coalesce(v.delivery_receipts, true) as shows_delivered "
    "from chat.members m left join chat.privacy v on v.app_id = :app and v.user_id = m.user_id "
    "where m.app_id = :app and m.channel_id = :channel and m.user_id > :after order by m.user_id limit :limit"
)
_FIND_PRIVACY: Final = text(
    "select read_receipts, delivery_receipts from chat.privacy where app_id = :app and user_id = :user"
)
_KNOWN_USER: Final = text("select 1 from chat.users where app_id = :app and id = :user")
_PUT_PRIVACY: Final = text(
    "insert into chat.privacy (app_id, user_id, read_receipts, delivery_receipts) "
    "values (:app, :user, :read, :delivered) "
    "on conflict (app_id, user_id) do update set read_receipts = :read, delivery_receipts = :delivered"
)


class ReceiptsOff(Forbidden):
    """In channels of this type nobody sees how far others have read."""

    code = "receipts_off"
    title = "This type of channel keeps receipts to itself"


class ReceiptService:
    """Use cases of one node, for REST and sockets alike."""

    def __init__(
        self,
        shard: Shard,
        flusher: PositionFlusher,
        teller: Teller,
        counting: Counting,
        hidden: Hidden,
        publish: Callable[[Any], None],
    ) -> None:
        self._shard = shard
        self._flusher = flusher
        self._teller = teller
        self._counting = counting
        self._hidden = hidden
        self._publish = publish

    # -- positions ---------------------------------------------------------------------------------------------------

    async def mark_read(
        self, caller: Caller, channel_id: str, *, number: int | None, message_id: str | None, user_id: str | None = None
    ) -> ReadPosition:
        """Everything up to a number, a message, or (neither given) the end is read.

        Returns the position as it is then; it never goes back, and only when it moved does anybody hear of it. A number
        beyond the end means the end. Raises `NotFound`, `InvalidInput`, `Overloaded`, `Unavailable`.
        """
        move, moved = await self._move(caller, channel_id, "read", number, message_id, user_id)
        return read_position(move, moved)

    async def mark_unread(
        self, caller: Caller, channel_id: str, *, number: int | None, message_id: str | None, user_id: str | None = None
    ) -> ReadPosition:
        """A message and what follows it is unread again: the one way for a position to go back.

        Raises as `mark_read`.
        """
        if number is None and message_id is None:
            raise InvalidInput("Name the first message that shall be unread: `number` or `message_id`.", field="number")
        move, moved = await self._move(caller, channel_id, "unread", number, message_id, user_id)
        return read_position(move, moved)

    async def mark_delivered(
        self, caller: Caller, channel_id: str, *, number: int | None, message_id: str | None, user_id: str | None = None
    ) -> DeliveredPosition:
        """Everything up to there has reached a device of the user. Raises as `mark_read`."""
        _, moved = await self._move(caller, channel_id, "delivered", number, message_id, user_id)
        return {
            "channel_id": channel_id,
            "delivered_number": max(moved.delivered_number, moved.read_number),
            "last_number": moved.last_number,
        }

    async def _move(
        self,
        caller: Caller,
        channel_id: str,
        kind: Kind,
        number: int | None,
        message_id: str | None,
        user_id: str | None,
    ) -> tuple[Move, Moved]:
        if number is not None and message_id is not None:
            raise InvalidInput("Give `number` or `message_id`, not both.", field="message_id")
        message = parse_id("msg", message_id, field="message_id") if message_id is not None else None
        move = Move(caller.app_id, channel_id, caller.acting_as(user_id), kind, number, message)
        moved = await self._flusher.move(move)
        if moved.verdict == "no_channel":
            raise no_channel()
        if moved.verdict == "no_message":
            raise no_message()
        return move, moved

    async def read_all(self, caller: Caller, *, type: str | None, user_id: str | None = None) -> ReadAll:
        """Everything in up to `MOST_AT_ONCE` channels is read, in one statement and one entry of the user's own log."""
        reader, at = caller.acting_as(user_id), truncate_ms(self._shard.clock.now())
        pool = await self._shard.system.pool()
        rows = await pool.fetch(_READ_ALL, caller.app_id, reader, type, MOST_AT_ONCE, at)
        channels = [{"channel_id": row["channel_id"], "read_number": row["read_number"]} for row in rows]
        if rows:
            entry = make_entry(
                app_id=caller.app_id, log=user_log(reader), seq=rows[0]["seq"], epoch=self._shard.epoch,
                type="unread.cleared", at=at, actor=reader, data={"channels": channels},
            )  # fmt: skip
            self._publish([entry])
            self._teller.read_all(caller.app_id, reader, rows)
        return {"channels": channels, "has_more": len(rows) == MOST_AT_ONCE}  # type: ignore[typeddict-item]

    # -- what is unread ----------------------------------------------------------------------------------------------

    async def unread(self, caller: Caller, *, user_id: str | None, limit: int, cursor: str | None) -> Unread:
        """What a user has not read: in all, by type, by channel. Two statements."""
        after = decode_cursor(_UNREAD, cursor)
        async with self._shard.unit_of_work(caller.app_id, read_only=True) as uow:
            name = {"app": caller.app_id, "user": caller.acting_as(user_id), "now": self._shard.clock.now()}
            rows = (await uow.session.execute(_COUNTS, name)).all()
            threads = (await uow.session.execute(_THREADS, name)).one()
        by_type: dict[str, Any] = {}
        muted = {"unread": 0, "channels": 0, "mentions": 0}
        for row in rows:
            of_type = muted if row.muted else by_type.setdefault(row.type, {"unread": 0, "channels": 0, "mentions": 0})
            of_type["unread"] += row.unread
            of_type["channels"] += 1
            of_type["mentions"] += row.mentions
        shown = [row for row in rows if after is None or row.channel_id > after][: limit + 1]
        channels, following = page_of(
            shown,
            limit,
            kind=_UNREAD,
            key=lambda row: str(row.channel_id),
            view=lambda row: {
                "channel_id": row.channel_id, "type": row.type, "unread": row.unread, "mentions": row.mentions,
                "read_number": row.read_number, "last_number": row.last_number, "muted": row.muted,
            },
        )  # fmt: skip
        return {
            "total": sum(of_type["unread"] for of_type in by_type.values()),
            "channels_unread": len(rows) - muted["channels"],
            "mentions": sum(of_type["mentions"] for of_type in by_type.values()),
            "thread_replies": int(threads.replies),
            "threads_unread": threads.threads,
            "by_type": by_type,
            "muted": muted,  # type: ignore[typeddict-item]
            "channels": channels,  # type: ignore[typeddict-item]
            "next_cursor": following,
        }

    # -- how far others are ------------------------------------------------------------------------------------------

    async def receipts(self, caller: Caller, channel_id: str, *, limit: int, cursor: str | None) -> ReceiptPage:
        """Where a channel's members are, by id; a page in a channel of any size. Raises `NotFound`, `ReceiptsOff`."""
        after = decode_cursor(_RECEIPTS, cursor)
        async with self._shard.unit_of_work(caller.app_id, read_only=True) as uow:
            self._require_shown(caller, await visible_channel(self._shard, uow, caller, channel_id))
            found = await uow.session.execute(
                _PAGE, {"app": caller.app_id, "channel": channel_id, "after": after or "", "limit": limit + 1}
            )
            rows = found.all()
        hidden = await self._hidden_from(caller)
        receipts, following = page_of(
            rows,
            limit,
            kind=_RECEIPTS,
            key=lambda row: str(row.user_id),
            view=lambda row: {
                "user_id": row.user_id,
                "read_number": row.read_number if row.shows_read and row.user_id not in hidden else None,
                "delivered_number": row.delivered_number if row.shows_delivered and row.user_id not in hidden else None,
            },
        )
        return {"receipts": receipts, "next_cursor": following}  # type: ignore[typeddict-item]

    async def of_message(self, caller: Caller, message_id: str, *, limit: int, cursor: str | None) -> MessageReceipts:
        """Who has read a message, its author left out; in a large channel how many.

        Raises `NotFound`, `ReceiptsOff`.
        """
        after = decode_cursor(_READERS, cursor)
        async with self._shard.unit_of_work(caller.app_id, read_only=True) as uow:
            found = await MessageRepository(uow.session, caller.app_id).find(
                parse_id("msg", message_id, field="message_id"), caller.user_id
            )
            if found is None:
                raise no_message()
            row = found.row
            channel = await visible_channel(self._shard, uow, caller, row.channel_id)
            self._require_shown(caller, channel)
            if row.seq < found.first_seq:
                raise no_message()
            size = channel.state.member_count
            members: list[Any] = []
            if size <= LARGE:
                everybody = await uow.session.execute(
                    _PAGE, {"app": caller.app_id, "channel": row.channel_id, "after": "", "limit": LARGE + 1}
                )
                members = [each for each in everybody.all() if each.user_id != row.user_id]
        if size > LARGE:
            key = LogKey(caller.app_id, channel_log(row.channel_id))
            counts = await self._counting.of(key, row.number, row.user_id)
            return {
                "aggregated": True, "read_by_count": counts.read_by, "delivered_to_count": counts.delivered_to,
                "user_ids": [], "next_cursor": None,
            }  # fmt: skip
        hidden = await self._hidden_from(caller)
        readers = [each.user_id for each in members if each.shows_read and each.read_number >= row.number]
        received = sum(each.shows_delivered and each.delivered_number >= row.number for each in members)
        seen = [user_id for user_id in readers if user_id not in hidden and (after is None or user_id > after)]
        ids, following = page_of(seen[: limit + 1], limit, kind=_READERS, key=str, view=str)
        return {
            "aggregated": False, "read_by_count": len(readers), "delivered_to_count": received, "user_ids": ids,
            "next_cursor": following,
        }  # fmt: skip

    async def of_channel(self, connection: Connection, channel_id: str) -> ChannelReceipts | None:
        """Where everybody is, for who has begun to watch; null where the type keeps that to itself, and for who is
        nobody."""
        if not isinstance(connection, UserConnection):
            return None
        snapshot = await self._teller.snapshot(LogKey(connection.app_id, channel_log(channel_id)))
        hidden: Any = connection.hidden
        if snapshot is not None and hidden:
            for receipt in snapshot["receipts"]:
                if receipt["user_id"] in hidden:
                    receipt["read_number"] = receipt["delivered_number"] = None
        return snapshot

    def _require_shown(self, caller: Caller, found: Found) -> None:
        kind = found.standing.table.types.get(found.state.channel.type)
        if kind is not None and not kind.receipts and not caller.is_server:
            raise ReceiptsOff("In channels of this type nobody sees how far others have read.")

    async def _hidden_from(self, caller: Caller) -> Any:
        return await self._hidden.of(caller.app_id, caller.user_id) if caller.user_id is not None else ()

    # -- what one shows ----------------------------------------------------------------------------------------------

    async def privacy(self, caller: Caller, user_id: str) -> Privacy:
        """What a user shows. Raises `NotFound`, `Forbidden`."""
        self._own(caller, user_id)
        async with self._shard.unit_of_work(caller.app_id, read_only=True) as uow:
            return await self._privacy(uow, caller, user_id)

    async def put_privacy(self, caller: Caller, user_id: str, wish: PutPrivacy) -> Privacy:
        """Change what a user shows; its own devices hear of it. Raises `NotFound`, `Forbidden`."""
        self._own(caller, user_id)
        async with self._shard.unit_of_work(caller.app_id) as uow:
            await self._shard.logs.lock(uow, caller.app_id, [user_log(user_id)])
            held = await self._privacy(uow, caller, user_id)
            wanted: Privacy = {
                "read_receipts": held["read_receipts"] if wish.read_receipts is None else wish.read_receipts,
                "delivery_receipts": (
                    held["delivery_receipts"] if wish.delivery_receipts is None else wish.delivery_receipts
                ),
            }
            if wanted != held:
                await uow.session.execute(
                    _PUT_PRIVACY,
                    {
                        "app": caller.app_id, "user": user_id, "read": wanted["read_receipts"],
                        "delivered": wanted["delivery_receipts"],
                    },
                )  # fmt: skip
                entry = NewEntry(log=user_log(user_id), type="privacy.changed", data=wanted, actor=caller.user_id)
                await self._shard.logs.append(uow, caller.app_id, [entry], at=truncate_ms(self._shard.clock.now()))
        return wanted

    async def _privacy(self, uow: Any, caller: Caller, user_id: str) -> Privacy:
        name = {"app": caller.app_id, "user": user_id}
        row = (await uow.session.execute(_FIND_PRIVACY, name)).one_or_none()
        if row is not None:
            return {"read_receipts": row.read_receipts, "delivery_receipts": row.delivery_receipts}
        if await uow.session.scalar(_KNOWN_USER, name) is None:
            raise NotFound("There is no such user.")
        return {"read_receipts": True, "delivery_receipts": True}

    @staticmethod
    def _own(caller: Caller, user_id: str) -> None:
        if caller.is_server:
            caller.require_server("users")
        elif caller.user_id != user_id:
            raise Forbidden("What a user shows is its own business.")
