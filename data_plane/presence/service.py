"""Choose one's presence, and look at others'."""

from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from data_plane.blocks.hidden import Hidden, HiddenUsers
from data_plane.channels.access import visible_channel
from data_plane.gateway.connection import Connection, UserConnection
from data_plane.identity.caller import AnonymousCaller, Caller, Reader
from data_plane.log import LogKey, channel_log
from data_plane.members.errors import UnknownUsers
from data_plane.moments import in_utc
from data_plane.paging import decode_cursor, page_of
from data_plane.presence.audience import LARGE
from data_plane.presence.choices import Choice, choices_of, choose
from data_plane.presence.crowds import Crowd, Crowds, crowd_view
from data_plane.presence.schemas import MAX_SUBSCRIBED, PresenceSetPacket, PutPresence
from data_plane.presence.store import Away
from data_plane.presence.tracker import CHANGED, Presence, PresenceAway
from data_plane.presence.views import MembersPresence, PresenceView, WatcherPage, WatchersView, presence_view
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import Conflict, Forbidden, InvalidInput, NotFound

_WATCHERS: Final = "watchers"
_MEMBERS: Final = """
    select c.type, h.last_seq, h.member_count, m.user_id from chat.log_heads h
    join chat.channels c on c.app_id = $1 and c.id = $2
    left join lateral (
        select m.user_id from chat.members m
        where h.member_count <= $3 and m.app_id = $1 and m.channel_id = $2 limit $3) m on true
    where h.app_id = $1 and h.log = 'c:' || $2
"""


class TooManySubscriptions(Conflict):
    """The connection follows as many users as one may. Unsubscribe from some first."""

    code = "too_many_subscriptions"
    title = "Too many users are followed"


class PresenceService:
    """Use cases of one node, for REST and sockets alike."""

    def __init__(self, shard: Shard, presence: Presence, crowds: Crowds, hidden: Hidden) -> None:
        self._crowds = crowds
        self._shard = shard
        self._presence = presence
        presence.load = self.load
        self._hidden = hidden

    async def put(self, caller: Caller, user_id: str, wish: PutPresence) -> PresenceView:
        """Store what a user chooses; a user its own, a server anybody's.

        Raises `Forbidden`, `NotFound`, `InvalidInput`.
        """
        if caller.is_server:
            caller.require_server("users")
        elif caller.user_id != user_id:
            raise Forbidden("A user chooses its own presence only.")
        status = None if wish.status is msgspec.UNSET else wish.status
        return await self._choose(caller, user_id, wish, status)

    async def set(self, connection: UserConnection, packet: PresenceSetPacket) -> PresenceView:
        """The same from a device, whose own `online` and `away` are its alone."""
        status: str | None = None
        if packet.status == "invisible":
            status = "invisible"
        elif isinstance(packet.status, str):
            self._presence.set_away(connection, packet.status == "away")
            status = "online"
        # Who asks is active, and so the event says that follows; the table hears of it a little later.
        now = truncate_ms(self._shard.clock.now())
        return await self._choose(connection.caller, connection.user_id, packet, status, active_at=now)

    async def _choose(
        self, caller: Caller, user_id: str, wish: PutPresence, status: str | None, *, active_at: datetime | None = None
    ) -> PresenceView:
        new_text = wish.text is not msgspec.UNSET
        text = wish.text if isinstance(wish.text, str) else None
        if wish.text_expires_at is not None and text is None:
            raise InvalidInput("`text_expires_at` belongs to a `text` in the same call.", field="text_expires_at")
        until = None if wish.text_expires_at is None else in_utc(wish.text_expires_at, field="text_expires_at")
        now = self._shard.clock.now()
        user = (caller.app_id, user_id)
        async with self._shard.unit_of_work(caller.app_id) as uow:
            held = (await choices_of(uow, caller.app_id, [user_id])).get(user_id)
            if held is None:
                raise NotFound("There is no such user.")
            changed = (status is not None and status != held.status) or (
                new_text and (text, until) != (held.text, held.text_expires_at)
            )
            if changed:
                held = await choose(
                    uow,
                    caller.app_id,
                    user_id,
                    status=status,
                    new_text=new_text,
                    text=text,
                    text_expires_at=until,
                    version=round(now.timestamp() * 1000),
                )
        if changed:
            state = await self._presence.choose(user, held, new_text=new_text)
        else:
            state = (await self._presence.states(caller.app_id, [user_id]))[user_id]
        if active_at is not None:
            held = msgspec.structs.replace(held, last_active_at=active_at)
        return presence_view(user_id, state, held, now, own=caller.user_id == user_id)

    async def get(self, caller: Caller, user_id: str) -> PresenceView:
        """One user's. Raises `NotFound`, `PresenceAway`."""
        try:
            return (await self.query(caller, [user_id]))[0]
        except UnknownUsers as error:
            raise NotFound("There is no such user.") from error

    async def query(self, caller: Caller, user_ids: Sequence[str]) -> list[PresenceView]:
        """Users' in the order they are named. Raises `UnknownUsers`, `PresenceAway`."""
        async with self._shard.unit_of_work(caller.app_id, read_only=True) as uow:
            views = await self._views(uow, caller, user_ids)
        unknown = [user_id for user_id in user_ids if user_id not in views]
        if unknown:
            raise UnknownUsers.of(unknown, field="user_ids")
        return [views[user_id] for user_id in user_ids]

    async def subscribe(self, connection: UserConnection, user_ids: Sequence[str]) -> list[PresenceView]:
        """Let a connection hear of these users from now on, and tell where they are now.

        Raises `TooManySubscriptions`, and what `query` raises; then nothing is subscribed.
        """
        people = connection.people or set()
        new = set(user_ids) - people
        if len(people) + len(new) > MAX_SUBSCRIBED:
            raise TooManySubscriptions(f"A connection follows at most {MAX_SUBSCRIBED} users.")
        if not isinstance(connection.hidden, HiddenUsers):
            connection.hidden = await self._hidden.of(connection.app_id, connection.user_id)
        # First the ears, then the look: what happens in between is heard.
        for user_id in new:
            self._presence.audience.ask(connection, user_id)
        try:
            views = await self.query(connection.caller, user_ids)
        except BaseException:
            for user_id in new:
                self._presence.audience.ask_no_more(connection, user_id)
            raise
        if connection.closed:
            for user_id in new:
                self._presence.audience.ask_no_more(connection, user_id)
        else:
            connection.people = (connection.people or set()) | new
        return views

    def unsubscribe(self, connection: UserConnection, user_ids: Sequence[str]) -> None:
        """Let a connection hear no more of these users, unless it watches a channel with them."""
        for user_id in user_ids:
            if connection.people and user_id in connection.people:
                connection.people.discard(user_id)
                self._presence.audience.ask_no_more(connection, user_id)

    async def sight_changed(self, app_id: UUID, user_id: str, others: Iterable[str]) -> None:
        """Others are hidden from a user, or no more: its devices here hear how those that they follow look now."""
        for connection in self._presence.devices(app_id, user_id):
            followed = [other for other in others if connection in self._presence.audience.of((app_id, other))]
            if followed:
                try:
                    async with self._shard.unit_of_work(app_id, read_only=True) as uow:
                        views = await self._views(uow, connection.caller, followed)
                except PresenceAway:
                    return
                for other, view in views.items():
                    connection.emit(CHANGED, self._presence.event(other, view))

    async def of_channel(self, connection: Connection, channel_id: str) -> MembersPresence | None:
        """Who of a channel is there, for who has begun to watch it; null while that is not known, and for who is
        nobody."""
        key = LogKey(connection.app_id, channel_log(channel_id))
        _, members = await self.load(key)  # for whoever watches: the audience learns what passes by in numbers
        if not isinstance(connection, UserConnection):
            return None
        try:
            if members is None:
                crowd = await self._crowds.large_here(key)
                return {"aggregated": True, "online_count": crowd.online, "members": []}
            async with self._shard.unit_of_work(connection.app_id, read_only=True) as uow:
                views = await self._views(uow, connection.caller, members)
        except (PresenceAway, Away):
            return None
        online = sum(view["status"] in ("online", "away") for view in views.values())
        return {"aggregated": False, "online_count": online, "members": [views[m] for m in sorted(views)]}

    async def watchers(self, reader: Reader, channel_id: str, *, limit: int, cursor: str | None) -> WatcherPage:
        """Who watches a channel that the reader sees, by id; for who is nobody how many.

        Raises `NotFound`, `PresenceAway`.
        """
        async with self._shard.unit_of_work(reader.app_id, read_only=True) as uow:
            await visible_channel(self._shard, uow, reader, channel_id)
        after = decode_cursor(_WATCHERS, cursor)
        crowd, ids = await self._crowd(reader, channel_id)
        rows = [user_id for user_id in ids if after is None or user_id > after][: limit + 1]
        page, following = page_of(rows, limit, kind=_WATCHERS, key=str, view=str)
        return {**crowd_view(crowd, page), "next_cursor": following}

    async def watchers_now(self, connection: Connection, channel_id: str) -> WatchersView | None:
        """The same, whole, for who has begun to watch; null while it is not known."""
        try:
            crowd, ids = await self._crowd(connection.caller, channel_id)
        except PresenceAway:
            return None
        return crowd_view(crowd, ids)

    async def _crowd(self, reader: Reader, channel_id: str) -> tuple[Crowd, list[str]]:
        try:
            crowd = await self._crowds.of(LogKey(reader.app_id, channel_log(channel_id)))
        except Away as error:
            raise PresenceAway() from error
        if isinstance(reader, AnonymousCaller):
            return crowd, []
        hidden = await self._hidden_from(reader)
        return crowd, [user_id for user_id in crowd.ids if user_id not in hidden]

    async def _hidden_from(self, caller: Caller) -> Container[str]:
        return () if caller.user_id is None else await self._hidden.of(caller.app_id, caller.user_id)

    async def load(self, key: LogKey) -> tuple[int, list[str] | None]:
        """How many members a channel has, and who they are when they are few; the audience has them too, then."""
        pool = await self._shard.system.pool()
        rows = await pool.fetch(_MEMBERS, key.app_id, key.channel_id, LARGE)
        if not rows:
            return 0, []
        size: int = rows[0]["member_count"] or 0
        members = [row["user_id"] for row in rows if row["user_id"] is not None] if size <= LARGE else None
        self._presence.audience.loaded(key, seq=rows[0]["last_seq"], size=size, members=members, type=rows[0]["type"])
        return size, members

    async def _views(self, uow: UnitOfWork, caller: Caller, user_ids: Sequence[str]) -> dict[str, PresenceView]:
        choices = await choices_of(uow, caller.app_id, user_ids)
        hidden = await self._hidden_from(caller)
        states = await self._presence.states(caller.app_id, choices)
        now = self._shard.clock.now()
        return {
            user_id: presence_view(user_id, "offline", Choice(), now)
            if user_id in hidden
            else presence_view(user_id, states[user_id], choice, now, own=user_id == caller.user_id)
            for user_id, choice in choices.items()
        }
