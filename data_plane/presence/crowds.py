"""How many watch a channel, who they are while they are few, and how many members of a large one are there.

Each process keeps its own part of a channel in one field of a hash in Redis, says in passing that it has changed, and
adds up the parts of the channels that are watched on it. What clients hear of a channel comes at most once a second.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import orjson
from redis.asyncio import Redis, RedisCluster

from data_plane.fanout.hub import Hub, Recipient
from data_plane.gateway.connection import Connection
from data_plane.log import Entry, LogKey
from data_plane.log.entries import passing_entry
from data_plane.presence.audience import LARGE, Audience, User
from data_plane.presence.store import LIFETIME, Away
from data_plane.presence.views import WatchersView
from data_plane.shard import Shard
from kernel.logging import get_logger
from kernel.redis import REDIS_ERRORS

TICK: Final = 1.0
"""Seconds between looks at what has changed."""
BEAT: Final = 10.0
"""Seconds after which a process says its part again, and looks at the others' whether it heard of a change or not."""
PATIENCE: Final = 1.0
MOST: Final = 500
"""Channels of one round trip."""
WATCHERS_CHANGED: Final = "watchers.changed"
COUNTED: Final = "presence.counted"
_HINT: Final = "crowd"
_ASKED, _MOVED = b"asked", b"moved"
_log = get_logger(__name__)


class Part(NamedTuple):
    """What one process has of a channel. `watchers` counts users, and `ids` names at most `LARGE` of them; `online` is
    null while nobody asks for it; `anonymous` counts the connections of visitors who are nobody."""

    watchers: int = 0
    ids: tuple[str, ...] = ()
    online: int | None = None
    anonymous: int = 0


_NOBODY: Final = Part()


class Crowd(NamedTuple):
    """All of a channel. `watchers` counts users, `ids` empty when there are too many to name; `anonymous` everybody
    else, connection by connection."""

    watchers: int
    ids: tuple[str, ...]
    online: int
    anonymous: int

    @property
    def aggregated(self) -> bool:
        """Whether the users who watch are a number alone."""
        return self.watchers > LARGE


class Crowds:
    """Of one process. `visible` and `counts` are `Presence`'s: who shows itself, and whom this process counts."""

    def __init__(
        self,
        shard: Shard,
        redis: Redis | RedisCluster,
        hub: Hub,
        audience: Audience,
        publish: Callable[[Sequence[Entry]], None],
        *,
        process: str,
        visible: Callable[[User], bool],
        counts: Callable[[User], bool],
        lifetime: float = LIFETIME,
    ) -> None:
        self._shard = shard
        self._redis = redis
        self._hub = hub
        self._audience = audience
        self._publish = publish
        self._process = process.encode()
        self._visible = visible
        self._counts = counts
        self._life = lifetime
        self._said: dict[LogKey, Part] = {}
        self._told: dict[LogKey, Crowd] = {}
        self._dirty: set[LogKey] = set()
        self._look: set[LogKey] = set()
        self._asked: dict[LogKey, float] = {}
        self._watching: dict[User, dict[LogKey, int]] = {}
        self._beat_at = shard.clock.monotonic()
        self.away = False
        hub.on_passing(_HINT, self._hinted)
        audience.listen(self._watched, self._unwatched)

    # -- what happens here -------------------------------------------------------------------------------------------

    def _watched(self, recipient: Recipient, key: LogKey) -> None:
        self._dirty.add(key)
        if recipient.user_id is None:
            return
        mine = self._watching.setdefault((key.app_id, recipient.user_id), {})
        mine[key] = mine.get(key, 0) + 1

    def _unwatched(self, recipient: Recipient, key: LogKey) -> None:
        self._dirty.add(key)
        if recipient.user_id is None:
            return
        user = (key.app_id, recipient.user_id)
        mine = self._watching.get(user, {})
        mine[key] = mine.get(key, 0) - 1
        if mine[key] <= 0:
            del mine[key]
        if not mine:
            self._watching.pop(user, None)

    def user_moved(self, user: User) -> None:
        """A user with a device here shows itself, or hides."""
        self._dirty.update(self._watching.get(user, ()))

    def _hinted(self, entry: Entry) -> None:
        key = entry.key
        if entry.event == _ASKED:
            if key not in self._asked:
                self._dirty.add(key)
            self._asked[key] = self._shard.clock.monotonic() + self._life
        elif key in self._audience.channels:
            self._look.add(key)

    def _own(self, key: LogKey) -> Part:
        watching = [recipient.user_id for recipient in self._hub.watching(key)]
        ids = sorted({each for each in watching if each is not None and self._visible((key.app_id, each))})
        online = self._online(key) if key in self._asked else None
        return Part(len(ids), tuple(ids[: LARGE + 1]), online, watching.count(None))

    def _own_lately(self, key: LogKey) -> Part:
        """The same for who asks. Where it is a number, it is the one that was said last: to look through all watchers
        for each who begins to watch would cost the square of them. What it lacks is told within a tick."""
        said = self._said.get(key)
        if said is None or said.watchers <= LARGE or (said.online is None and key in self._asked):
            return self._own(key)
        return said

    def _online(self, key: LogKey) -> int:
        channel_id = key.channel_id
        users = {
            r.user_id for r in self._hub.recipients(key) if not (isinstance(r, Connection) and channel_id in r.watching)
        }
        return sum(self._counts((key.app_id, user_id)) for user_id in users if user_id is not None)

    # -- looking -----------------------------------------------------------------------------------------------------

    async def of(self, key: LogKey) -> Crowd:
        """All of a channel now, this process's part as it is here; a number may be a tick old. Raises `Away`."""
        return _sum([*(await self._others([key]))[0], self._own_lately(key)])

    async def large_here(self, key: LogKey) -> Crowd:
        """The same for who begins to watch a large channel, whose members who are there are counted from now on."""
        self._ask([key])
        return await self.of(key)

    async def _others(self, keys: Sequence[LogKey]) -> list[list[Part]]:
        async def read(pipe: Any) -> None:
            for key in keys:
                pipe.hgetall(self._name(key))

        now = self._shard.clock.now().timestamp()
        return [
            [
                Part(said[1], tuple(said[2]), said[3], *said[4:5])
                for process, value in fields.items()
                if process != self._process and (said := orjson.loads(value))[0] > now
            ]
            for fields in await self._piped(read)
        ]

    # -- the loop ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Say, hear and tell for ever."""
        while True:
            await asyncio.sleep(TICK)
            try:
                await self.round()
                self.away = False
            except Away as error:
                if not self.away:
                    self.away = True
                    _log.warning("crowds.redis_away", error=repr(error))
            except Exception as error:
                _log.warning("crowds.round_failed", error=repr(error))

    async def round(self) -> None:
        """One tick. Raises `Away`."""
        now = self._shard.clock.monotonic()
        beat = now - self._beat_at >= BEAT
        if beat:
            self._beat_at = now
            self._asked = {key: until for key, until in self._asked.items() if until > now}
            self._look |= self._audience.channels.keys()
            self._ask(key for key, watched in self._audience.channels.items() if watched.large)
        dirty, self._dirty = self._dirty | self._asked.keys(), set()
        await self._say(dirty, again=beat)
        looks, self._look = self._look & self._audience.channels.keys(), set()
        try:
            await self._tell(sorted(looks))
        except BaseException:
            self._look |= looks
            raise

    def _ask(self, keys: Iterable[LogKey]) -> None:
        entries = [Entry(key.app_id, key.log, 0, _HINT, _ASKED) for key in keys]
        if entries:
            self._publish(entries)

    async def _say(self, keys: Iterable[LogKey], *, again: bool) -> None:
        """Write the own parts that have changed, or all of them `again`."""
        parts = {key: self._own(key) for key in keys}
        moved = {key: part for key, part in parts.items() if part != self._said.get(key, _NOBODY)}
        writing = {**self._said, **moved} if again else moved
        try:
            items = list(writing.items())
            for at in range(0, len(items), MOST):
                await self._write(items[at : at + MOST])
        except BaseException:
            self._dirty |= moved.keys()
            raise
        for key, part in moved.items():
            if part == _NOBODY:
                self._said.pop(key, None)
            else:
                self._said[key] = part
        self._look |= moved.keys()
        if moved:
            self._publish([Entry(key.app_id, key.log, 0, _HINT, _MOVED) for key in moved])

    async def _write(self, parts: Sequence[tuple[LogKey, Part]]) -> None:
        until = self._shard.clock.now().timestamp() + self._life

        async def write(pipe: Any) -> None:
            for key, part in parts:
                name = self._name(key)
                if part == _NOBODY:
                    pipe.hdel(name, self._process)
                else:
                    pipe.hset(name, self._process, orjson.dumps([until, *part]))
                    pipe.expire(name, round(2 * self._life) or 1)

        await self._piped(write)

    async def _tell(self, keys: Sequence[LogKey]) -> None:
        for at in range(0, len(keys), MOST):
            some = keys[at : at + MOST]
            for key, others in zip(some, await self._others(some), strict=True):
                watched = self._audience.channels.get(key)
                if watched is None:
                    self._told.pop(key, None)
                    continue
                crowd, told = _sum([*others, self._own(key)]), self._told.get(key)
                self._told[key] = crowd
                if told is None or _who(crowd) != _who(told):
                    self._tell_watchers(key, crowd)
                if watched.large and (told is None or crowd.online != told.online):
                    data = {"aggregated": True, "online_count": crowd.online}
                    self._hub.tell(self._hub.watching(key), self._event(key, COUNTED, data), users_only=True)
        if len(self._told) > 2 * len(self._audience.channels) + MOST:
            self._told = {key: crowd for key, crowd in self._told.items() if key in self._audience.channels}

    def _tell_watchers(self, key: LogKey, crowd: Crowd) -> None:
        """Who has blocked one of them, or is blocked, hears of the others; who is nobody hears how many there are."""
        by_sight: dict[tuple[str, ...], list[Recipient]] = {}
        for recipient in self._hub.watching(key):
            hidden, ids = recipient.hidden, crowd.ids
            if recipient.user_id is None:
                ids = ()
            elif hidden:
                ids = tuple(user_id for user_id in ids if user_id not in hidden)
            by_sight.setdefault(ids, []).append(recipient)
        for ids, ears in by_sight.items():
            self._hub.tell(ears, self._event(key, WATCHERS_CHANGED, crowd_view(crowd, ids)))

    def _event(self, key: LogKey, type: str, data: Any) -> Entry:
        return passing_entry(
            app_id=key.app_id, log=key.log, epoch=self._shard.epoch, type=type, at=self._shard.clock.now(),
            actor=None, data=data,
        )  # fmt: skip

    async def _piped(self, fill: Callable[[Any], Any]) -> list[Any]:
        try:
            async with asyncio.timeout(PATIENCE), self._redis.pipeline(transaction=False) as pipe:
                await fill(pipe)
                answers: list[Any] = await pipe.execute()
                return answers
        except (*REDIS_ERRORS, TimeoutError) as error:
            raise Away(repr(error)) from error

    def _name(self, key: LogKey) -> str:
        return f"natter:{self._shard.id}:crowd:{{{key.app_id.hex}:{key.channel_id}}}"


def crowd_view(crowd: Crowd, ids: Sequence[str]) -> WatchersView:
    """Who watches, as whoever may see these ids sees it."""
    return {
        "count": crowd.watchers + crowd.anonymous,
        "aggregated": crowd.aggregated,
        "user_ids": list(ids),
        "anonymous": crowd.anonymous,
    }


def _who(crowd: Crowd) -> tuple[int, tuple[str, ...], int]:
    return crowd.watchers, crowd.ids, crowd.anonymous


def _sum(parts: Sequence[Part]) -> Crowd:
    named = {user_id for part in parts for user_id in part.ids}
    # A user who watches on two processes is one, as long as there are names to tell.
    few = len(named) <= LARGE and all(part.watchers <= LARGE for part in parts)
    watchers = len(named) if few else max(len(named), sum(part.watchers for part in parts))
    online = sum(part.online or 0 for part in parts)
    anonymous = sum(part.anonymous for part in parts)
    return Crowd(watchers, tuple(sorted(named)) if few else (), online, anonymous)
