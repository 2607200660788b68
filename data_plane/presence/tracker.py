"""A node's part in presence: says in Redis where its users are, tells of changes, and hears of others'.

What a user's devices here amount to is written when it changes and again within `BEAT` seconds, never by a connection.
Thousands written at once would keep everybody's messages waiting, so that they take turns. Whoever's write changes the
state of a user, by the script's own judgement, tells all nodes.
Processes that die say nothing more; any other finds that within `SWEEP` seconds after their word has run out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import orjson

from data_plane.fanout.hub import Hub
from data_plane.gateway.connection import Connection, Registry, UserConnection
from data_plane.log import Entry, LogKey
from data_plane.log.entries import PROFILES
from data_plane.presence.audience import Audience
from data_plane.presence.choices import Choice, User, load_choices, save_activity
from data_plane.presence.store import Away, PresenceStore, Put, Standing
from data_plane.presence.views import PresenceView, presence_view, public
from data_plane.shard import Shard
from kernel.clock import rfc3339, truncate_ms
from kernel.errors import Unavailable
from kernel.logging import get_logger

GATHER: Final = 0.05
"""Seconds in which changes gather before they are written together."""
TICK: Final = 0.2
"""Seconds between two looks at what is due, when nothing changes."""
BEAT: Final = 10.0
"""Seconds in which a process says again of each user that it is here, and an emptied Redis is full again."""
SWEEP: Final = 3.0
HEAL: Final = 30.0
"""Seconds after which what clients were told is compared with Redis: a lost message on the bus costs no more."""
SAVE: Final = 10.0
"""Seconds in which users are gathered to write when they were last active, and in which that is written."""
SAVED_AT_ONCE: Final = 100
"""Users of one such write: a thousand took 10 ms, for which others' messages waited."""
STALE: Final = 300.0
"""Seconds after which a user who stays online is active anew."""
MOST: Final = 1_000
"""Users in one statement."""
_RETRY: Final = 1.0
_log = get_logger(__name__)

CHANGED: Final = "presence.changed"


class PresenceAway(Unavailable):
    """Who is there is not known at the moment; everything else goes on."""

    code = "presence_away"
    title = "Presence is not known now"


class Chosen(msgspec.Struct, frozen=True):
    """What the user's own devices must hear of on every node: its choice is another one."""

    user: User
    choice: Choice


class _Local(msgspec.Struct, gc=False):
    """A user with a device here."""

    choice: Choice
    state: str = ""
    counts: bool = False
    active_at: float = 0.0


_STRANGER: Final = _Local(Choice())


class _Told(NamedTuple):
    at: int
    state: str


class Presence:
    """Of one process. `run` must be running; `announce` tells the other processes of a choice."""

    def __init__(
        self,
        shard: Shard,
        store: PresenceStore,
        hub: Hub,
        registry: Registry,
        audience: Audience,
        publish: Callable[[Sequence[Entry]], None],
        announce: Callable[[Chosen], None],
    ) -> None:
        self._shard = shard
        self._store = store
        self._registry = registry
        self._hub = hub
        self._publish = publish
        self._announce = announce
        self.audience = audience
        self._locals: dict[User, _Local] = {}
        self._dirty: set[User] = set()
        self._reload: set[User] = set()
        self._told: dict[User, _Told] = {}
        self._active: dict[User, datetime] = {}
        self._saving: dict[User, datetime] = {}
        """What was gathered in the time before, and is being written."""
        self._to_save = 0
        """How many that were."""
        self._share = 0.0
        """Users who are to be said again by now; the fraction is kept."""
        self._wake = asyncio.Event()
        self._beat_at = self._swept_at = self._healed_at = self._saved_at = shard.clock.monotonic()
        self.away = False
        """Whether Redis did not answer when it was last asked."""
        self.settled: Callable[[User], None] = lambda _: None
        """Hears of users with devices here whose state, or whose choice, is another one."""
        self.load: Callable[[LogKey], Awaitable[Any]] = _nothing
        """Gives the audience the members of a channel that has become small enough to name them."""
        hub.on_passing(CHANGED, self.heard)
        registry.listen(self._moved)

    # -- devices of this process -------------------------------------------------------------------------------------

    def _moved(self, connection: Connection) -> None:
        """A connection began or ended, or its device went away or came back. Nobody's concern nobody."""
        if not isinstance(connection, UserConnection):
            return
        if connection.closed and connection.people:
            for user_id in connection.people:
                self.audience.ask_no_more(connection, user_id)
            connection.people = None
        self._dirty.add((connection.app_id, connection.user_id))
        self._wake.set()

    def set_away(self, connection: UserConnection, away: bool) -> None:
        """Nobody is at this device, or somebody is again."""
        if connection.away != away:
            connection.away = away
            self._moved(connection)

    def chosen(self, chosen: Chosen) -> None:
        """A user has chosen something, here or elsewhere. Its devices here hear of it."""
        user, choice = chosen.user, chosen.choice
        local = self._locals.get(user)
        if local is not None and choice.version > local.choice.version:
            local.choice = choice
            self._dirty.add(user)
            self._wake.set()
        devices = self._registry.of_user(*user)
        if devices:
            state = local.state if local is not None else "offline"
            if choice.status == "invisible" or state == "invisible":
                state = "invisible" if choice.status == "invisible" else "online"
            now = self._shard.clock.now()
            choice = msgspec.structs.replace(choice, last_active_at=truncate_ms(now))
            view = presence_view(user[1], state or "online", choice, now, own=True)
            for connection in devices:
                connection.emit(CHANGED, self.event(user[1], view))

    async def choose(self, user: User, choice: Choice, *, new_text: bool) -> str:
        """A user's choice is committed: let everybody hear of it; returns the state that it makes."""
        self.chosen(Chosen(user, choice))
        self._announce(Chosen(user, choice))
        try:
            said = [Put(user, "-", choice.status, choice.version)]
            [[standing]] = [some async for some in self._store.put(said)]
        except Away as error:
            self._lost(error)
            return "offline"
        self._say(standing, choice, even_if_same=new_text)
        return standing.state

    def devices(self, app_id: UUID, user_id: str) -> Sequence[UserConnection]:
        """A user's connections here."""
        return list(self._registry.of_user(app_id, user_id))

    def counts_here(self, user: User) -> bool:
        """Whether this process, and no other, counts the user as one who is there and seen."""
        local = self._locals.get(user)
        return local is not None and local.counts and local.state in ("online", "away")

    def visible(self, user: User) -> bool:
        """Whether a user with a device here shows itself."""
        local = self._locals.get(user)
        return local is not None and local.choice.status != "invisible"

    # -- looking -----------------------------------------------------------------------------------------------------

    async def states(self, app_id: UUID, user_ids: Iterable[str]) -> dict[str, str]:
        """Where users are now, `invisible` included. Raises `PresenceAway`."""
        try:
            standings = await self._store.read([(app_id, user_id) for user_id in user_ids])
        except Away as error:
            self._lost(error)
            raise PresenceAway() from error
        found: dict[str, str] = {}
        for standing in standings:
            told = self._told.get(standing.user)
            # What was told while this was read is newer, and must not be taken back by it.
            found[standing.user[1]] = told.state if told is not None and told.at > standing.at else standing.state
        return found

    # -- telling -----------------------------------------------------------------------------------------------------

    def heard(self, entry: Entry) -> None:
        """A user's presence has changed somewhere: tell those here who follow it."""
        user = (entry.app_id, entry.subject or "")
        if not self.audience.follows(user):
            return
        told = self._told.get(user)
        if told is not None and told.at >= entry.position:
            return
        self._told[user] = _Told(entry.position, orjson.loads(entry.event)["data"]["status"])
        self._hub.tell(self.audience.of(user), entry, users_only=True)

    def _say(self, standing: Standing, choice: Choice, *, even_if_same: bool = False) -> None:
        if public(standing.before) == public(standing.state) and not even_if_same:
            return
        if _seen(standing):
            self._active[standing.user] = truncate_ms(self._shard.clock.now())
        self._publish([self._entry(standing, choice)])

    def _entry(self, standing: Standing, choice: Choice) -> Entry:
        app_id, user_id = standing.user
        now = self._shard.clock.now()
        if _seen(standing):
            # The table hears of that a little later.
            choice = msgspec.structs.replace(choice, last_active_at=truncate_ms(now))
        view = presence_view(user_id, standing.state, choice, now)
        return Entry(app_id, PROFILES, 0, CHANGED, orjson.dumps(self.event(user_id, view)), user_id, standing.at)

    def event(self, user_id: str, view: PresenceView) -> dict[str, Any]:
        """`presence.changed`, as clients get it."""
        return {
            "type": CHANGED,
            "channel_id": None,
            "seq": None,
            "epoch": self._shard.epoch,
            "at": rfc3339(self._shard.clock.now()),
            "actor": user_id,
            "data": view,
        }

    # -- the loop ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Say and hear for ever."""
        while True:
            try:
                async with asyncio.timeout(TICK):
                    await self._wake.wait()
            except TimeoutError:
                pass
            await asyncio.sleep(GATHER)
            try:
                await self.round()
                self.away = False
            except asyncio.CancelledError:
                raise
            except Away as error:
                self._lost(error)
                await asyncio.sleep(_RETRY)
            except Exception as error:
                _log.warning("presence.round_failed", error=repr(error))
                await asyncio.sleep(_RETRY)

    async def round(self) -> None:
        """Write what has changed here, and whatever is due. Raises `Away`, and what the database raises."""
        now = self._shard.clock.monotonic()
        self._wake.clear()
        due, self._dirty = self._dirty, set()
        due.update(self._again(now))
        try:
            await self._put(due)
        except BaseException:
            self._dirty |= due
            raise
        # A channel that was large has names again, and until they are known nobody in it is told of.
        for key in list(self.audience.unknown):
            await self.load(key)
        if now - self._swept_at >= SWEEP:
            self._swept_at = now
            await self._sweep()
        if now - self._healed_at >= HEAL:
            self._healed_at = now
            await self._heal()
        await self._save_some(now)

    async def leave(self) -> None:
        """The process stops: its users are here no more, whoever is to say so to Redis afterwards."""
        try:
            async with asyncio.timeout(2.0):
                await self._put(set(self._locals) | self._dirty)
                await self.save()
        except Exception as error:
            _log.warning("presence.left_unsaid", error=repr(error))

    def _again(self, now: float) -> list[User]:
        """Who is to be said again. Each in its turn, whoever was longest ago, all within `BEAT` seconds."""
        here = self._locals
        self._share += len(here) * (now - self._beat_at) / BEAT
        self._beat_at = now
        users = list(islice(here, int(self._share)))
        self._share = self._share - len(users) if len(users) < len(here) else 0.0
        for user in users:
            here[user] = here.pop(user)  # to the end of the line
        return users

    async def save(self) -> None:
        """Store when users were last active."""
        self._saving |= self._active  # who is in both is once in a statement, as it must be
        self._active = {}
        await self._save(len(self._saving))

    async def _save_some(self, now: float) -> None:
        """The share of it that is due."""
        passed = now - self._saved_at
        if passed >= SAVE:
            await self._save(len(self._saving))
            self._saving, self._active = self._active, {}
            self._to_save, self._saved_at, passed = len(self._saving), now, 0.0
        if self._saving:
            saved = self._to_save - len(self._saving)
            await self._save(max(SAVED_AT_ONCE, round(self._to_save * passed / SAVE) - saved))

    async def _save(self, count: int) -> None:
        while count > 0 and self._saving:
            some = list(islice(self._saving.items(), SAVED_AT_ONCE))
            await save_activity(self._shard.system, some)
            for user, _ in some:
                del self._saving[user]
            count -= len(some)

    async def _put(self, users: set[User]) -> None:
        if not users:
            return
        states = {user: self._devices(user) for user in users}
        strangers = [user for user in users if states[user] and (user not in self._locals or user in self._reload)]
        for at in range(0, len(strangers), MOST):
            found = await load_choices(self._shard.system, strangers[at : at + MOST])
            for user in strangers[at : at + MOST]:
                self._reload.discard(user)
                choice = found.get(user, Choice())
                local = self._locals.setdefault(user, _Local(choice))
                if choice.version > local.choice.version:
                    local.choice = choice
        puts = []
        for user, state in states.items():
            known = self._locals.get(user, _STRANGER)
            puts.append(Put(user, state, known.choice.status, known.choice.version, known.state))
        async for some in self._store.put(puts):
            for standing in some:
                self._settled(standing, states[standing.user])

    def _devices(self, user: User) -> str:
        devices = self._registry.of_user(*user)
        if not devices:
            return ""
        return "o" if any(not connection.away for connection in devices) else "a"

    def _settled(self, standing: Standing, said: str) -> None:
        user, local = standing.user, self._locals.get(standing.user)
        clock = self._shard.clock
        choice = local.choice if local is not None else Choice()
        if local is not None:
            news = (local.state, local.counts) != (standing.state, standing.counts)
            local.state, local.counts = standing.state, standing.counts
            if news:
                self.settled(user)
            if standing.version > choice.version:
                # It chose elsewhere, and the word of it was lost.
                self._reload.add(user)
                self._dirty.add(user)
            if standing.state == "online" and clock.monotonic() - local.active_at >= STALE:
                local.active_at = clock.monotonic()
                self._active[user] = truncate_ms(clock.now())
            if not said:
                del self._locals[user]
        self._say(standing, choice)

    async def _sweep(self) -> None:
        for app_id in self._registry.counts():
            swept = [standing for standing in await self._store.sweep(app_id)]
            for at in range(0, len(swept), MOST):
                part = swept[at : at + MOST]
                choices = await load_choices(self._shard.system, [standing.user for standing in part])
                for standing in part:
                    self._say(standing, choices.get(standing.user, Choice()))

    async def _heal(self) -> None:
        """Tell what a lost message would have told, and forget whom nobody follows any more."""
        people = self.audience.people()
        self._told = {user: told for user, told in self._told.items() if self.audience.follows(user)}
        for at in range(0, len(people), MOST):
            stale = []
            for standing in await self._store.read(people[at : at + MOST]):
                told = self._told.get(standing.user)
                if told is None:
                    self._told[standing.user] = _Told(standing.at, public(standing.state))
                elif told.at < standing.at and told.state != public(standing.state):
                    stale.append(standing)
            if stale:
                choices = await load_choices(self._shard.system, [standing.user for standing in stale])
                for standing in stale:
                    self.heard(self._entry(standing, choices.get(standing.user, Choice())))

    def _lost(self, error: Exception) -> None:
        if not self.away:
            self.away = True
            _log.warning("presence.redis_away", error=repr(error))


async def _nothing(key: LogKey) -> None:
    pass


def _seen(standing: Standing) -> bool:
    """Whether others saw the user there, before or after."""
    return {public(standing.before), public(standing.state)} != {"offline"}


__all__ = ["CHANGED", "Chosen", "Presence", "PresenceAway"]
