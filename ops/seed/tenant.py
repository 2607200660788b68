"""Fills one app: the messages in bulk; people, channels and what is done to messages by the product's own use cases.

So whatever is kept beside a message (numbers, heads, counts, logs, commit rows, usage) is as the product keeps it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from random import Random
from typing import Any, Final, TypeVar

import asyncpg

from data_plane.channels.create import ChannelCreation
from data_plane.channels.repository import ChannelRepository
from data_plane.channels.schemas import MAX_MEMBERS_AT_ONCE, CreateChannel
from data_plane.grants.store import GrantStore
from data_plane.identity.caller import ServerCaller
from data_plane.log import LogReader, LogWriter
from data_plane.members.service import MemberService
from data_plane.receipts.flush import MAX_BATCH as POSITIONS
from data_plane.receipts.flush import Move, PositionFlusher
from data_plane.shard import Shard
from data_plane.users.schemas import MAX_BATCH, UserInBatch
from data_plane.users.write import upsert_users
from kernel.contracts import AppSnapshot
from kernel.db import Database
from kernel.db.database import asyncpg_url
from kernel.errors import Conflict, InvalidInput
from kernel.ids import Ids, parse_id
from kernel.outbox import Outbox
from kernel.security.vault import Vault
from ops.seed.afterwards import Afterwards
from ops.seed.bulk import store
from ops.seed.clock import PastClock
from ops.seed.plan import Plan, Room, make_plan
from ops.seed.rhythm import Rhythm
from ops.seed.talk import Talk
from ops.seed.unit import unit_of_work

CHUNK: Final = 20_000
"""Messages in one transaction, and in memory at one time."""
BEFORE: Final = timedelta(days=1)
"""The channels are that much older than their first message."""
_AWAY, _BEHIND = 0.12, 0.3
"""Of the memberships: who has read nothing but what it wrote itself, and who has a little left to read."""


class SeededBefore(Conflict):
    """The app holds what this seed makes."""

    code = "seeded_before"
    title = "The app was filled with this seed before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How much of everything. The same wish makes the same people, channels and messages."""

    seed: int = 1
    users: int = 1_000
    channels: int = 200
    messages: int = 1_000_000
    months: int = 6
    until: datetime


@dataclass(slots=True)
class Filled:
    """What was made. `digest` stands for every message: its channel, author, time and words."""

    users: int = 0
    channels: int = 0
    memberships: int = 0
    messages: int = 0
    edits: int = 0
    deletions: int = 0
    reactions: int = 0
    reads: int = 0
    digest: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@asynccontextmanager
async def shard_of_the_past(database_url: str, shard_id: str, at: datetime) -> AsyncIterator[Shard]:
    """The parts that use cases need, on a shard's database and with a clock that the seed moves.

    Nothing is told to the bus: nodes hear of it all by the commit rows, as they do of what a node wrote that died.
    """
    tenant, system = (
        Database(database_url, role=role, pool_size=1, name="natter-seed") for role in ("natter_app", "natter_engine")
    )
    try:
        pool = await system.pool()
        epoch: str = await pool.fetchval("select epoch from chat.shard")
        grants = GrantStore(system)
        await grants.load_all()
        yield Shard(
            id=shard_id,
            epoch=epoch,
            tenant=tenant,
            system=system,
            logs=LogWriter(epoch, lambda entries: None),
            reader=LogReader(system, epoch),
            grants=grants,
            outbox=Outbox("chat"),
            clock=PastClock(at),
            ids=Ids(),
            vault=Vault(Vault.generate_master_key()),
        )
    finally:
        await tenant.close()
        await system.close()


class Seeding:
    """One filling of one app. `tell` hears of progress in words."""

    def __init__(self, shard: Shard, app: AppSnapshot, wish: Wish, tell: Callable[[str], None]) -> None:
        assert isinstance(shard.clock, PastClock)
        self._shard, self._clock = shard, shard.clock
        self._app, self._app_id = app, parse_id("app", app.app_id)
        self._wish = wish
        self._tell = tell
        self._plan: Plan = make_plan(seed=wish.seed, users=wish.users, channels=wish.channels)
        self._since = wish.until - timedelta(days=30.4 * wish.months)
        self._server = ServerCaller(app=app, app_id=self._app_id)
        self._dice = self._dice_for("reads")
        self._filled = Filled()

    async def run(self) -> Filled:
        """Fill the app. Raises `SeededBefore`, `InvalidInput`; a run that was ended leaves what it had committed."""
        if self._wish.messages and not self._plan.rooms:
            raise InvalidInput("Messages need a channel.", field="channels")
        self._clock.at = self._since - BEFORE
        await self._people()
        await self._rooms()
        await self._messages()
        await self._reads()
        await self._settle()
        return self._filled

    # -- who and where ------------------------------------------------------------------------------------------------

    async def _people(self) -> None:
        for some in _batches(self._plan.people, MAX_BATCH):
            wanted = [UserInBatch(id=p.id, name=p.name, custom={"title": p.title}) for p in some]
            async with unit_of_work(self._shard, self._app_id) as uow:
                await upsert_users(self._shard, uow, self._app_id, wanted, actor=None)
        self._filled.users = len(self._plan.people)
        self._tell(f"{self._filled.users:,} users")

    async def _rooms(self) -> None:
        for room in self._plan.rooms:
            await self._room(room)
        self._filled.channels = len(self._plan.rooms)
        self._filled.memberships = sum(len(room.members) for room in self._plan.rooms)
        self._tell(f"{self._filled.channels:,} channels with {self._filled.memberships:,} memberships")

    async def _room(self, room: Room) -> None:
        founders, later = room.members[:MAX_MEMBERS_AT_ONCE], room.members[MAX_MEMBERS_AT_ONCE:]
        wish = CreateChannel(id=room.id, type=room.type, name=room.name, members=founders[1:], user_id=founders[0])
        async with unit_of_work(self._shard, self._app_id) as uow:
            if await ChannelRepository(uow.session, self._app_id).is_taken(room.id):
                raise SeededBefore(f"The app has a channel {room.id!r} already: take another --seed.")
        async with unit_of_work(self._shard, self._app_id) as uow:
            await ChannelCreation(self._shard).create(uow, self._server, wish)
        for some in _batches(later, MAX_MEMBERS_AT_ONCE):
            async with unit_of_work(self._shard, self._app_id) as uow:
                await MemberService(self._shard).add(uow, self._server, room.id, some)

    # -- what was said ------------------------------------------------------------------------------------------------

    async def _messages(self) -> None:
        wish = self._wish
        instants = iter(Rhythm(self._since, wish.until, wish.messages, self._dice_for("rhythm")))
        digest = sha256()
        afterwards = Afterwards(self._shard, self._clock, self._app, self._dice_for("afterwards"), self._filled)
        connection = await asyncpg.connect(
            asyncpg_url(self._shard.system.url),
            server_settings={"role": "natter_engine", "application_name": "natter-seed", "synchronous_commit": "off"},
            command_timeout=600,
        )
        try:
            for lines in _batches(Talk(self._plan, instants, self._dice_for("talk")), CHUNK):
                await store(connection, self._app, self._app_id, lines)
                self._filled.messages += len(lines)
                for line in lines:
                    digest.update(f"{line.room.id}\0{line.author}\0{line.at.isoformat()}\0{line.text}\n".encode())
                await afterwards.happen(lines)
                self._tell(f"{self._filled.messages:,} messages, up to {lines[-1].at:%Y-%m-%d}")
        finally:
            await connection.close()
        self._filled.digest = digest.hexdigest()

    # -- who has read it ----------------------------------------------------------------------------------------------

    async def _reads(self) -> None:
        """Most have read everything; some are a little behind, some have never come back."""
        self._clock.at = self._wish.until
        last = await self._last_numbers()
        moves: list[Move] = []
        for room in self._plan.rooms:
            for user in room.members:
                luck = self._dice.random()
                left = 0 if luck > _AWAY + _BEHIND else int(self._dice.paretovariate(0.8))
                number = last[room.id] - left
                if luck < _AWAY or number <= 0:
                    continue
                moves.append(Move(self._app_id, room.id, user, "read", number))
                self._filled.reads += 1
        # As a node does it: many positions in one statement, whose commit is waited for.
        flusher = PositionFlusher(self._shard.system.pool, self._clock, lambda stored: None)
        for at in range(0, len(moves), 10 * POSITIONS):
            await asyncio.gather(*(flusher.move(move) for move in moves[at : at + 10 * POSITIONS]))
        self._tell(f"{self._filled.reads:,} channels marked read")

    async def _settle(self) -> None:
        """A commit that waits for the disk, and so for all before it."""
        pool = await self._shard.system.pool()
        await pool.execute("select pg_logical_emit_message(true, 'natter.seed', '')")

    async def _last_numbers(self) -> dict[str, int]:
        pool = await self._shard.system.pool()
        rows = await pool.fetch(
            "select substr(log, 3) as id, last_number from chat.log_heads where app_id = $1 and log = any($2)",
            self._app_id,
            [f"c:{room.id}" for room in self._plan.rooms],
        )
        return {row["id"]: row["last_number"] for row in rows}

    def _dice_for(self, what: str) -> Random:
        return Random(f"{self._wish.seed} {what}")  # noqa: S311 - the same every time is what it is for


_Item = TypeVar("_Item")


def _batches(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
