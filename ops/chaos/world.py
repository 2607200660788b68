"""Two tenants side by side, with the same user and channel names, in one installation; and what they did, recorded."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import asyncpg

from kernel.ids import parse_id
from ops.chaos.checker import HEALING_SECONDS
from ops.chaos.history import Connection, History, SlowConsumer, StoredChannel, StoredMessage, Usage, User
from ops.chaos.installation import Installation, Tenant
from ops.chaos.person import Person
from ops.chaos.rest import GaveUp, Rest
from ops.chaos.slow import PADDING, read_slowly

USAGE_SECONDS = 20.0
"""How long usage may take to reach the ledger once everything is whole."""

Over = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything, for each tenant."""

    users: int = 24
    rooms: int = 6
    rooms_of_user: int = 2


class World:
    """Made by `world()`: users connected, everything from then on recorded in `history`."""

    def __init__(self, installation: Installation, seed: int, size: Size) -> None:
        self.installation = installation
        self.size = size
        self.random = random.Random(seed)
        self.history = History(seed)
        self.rest = Rest(
            installation.node_urls,
            random.Random(self.random.random()),
            on_defect=self.history.defects.append,
            evidence=installation.busy_with,
        )
        self.tenants: list[Tenant] = []
        self.people: list[Person] = []
        self._connecting: list[asyncio.Task[None]] = []
        self._slow = 0
        self._asking = asyncio.Semaphore(8)

    # -- before ------------------------------------------------------------------------------------------------------

    async def populate(self) -> None:
        """Make tenants, users and rooms, and connect everybody."""
        self.tenants = await self.installation.tenants(f"red{self.history.seed}", f"blue{self.history.seed}")
        await asyncio.gather(*(self._populate(tenant) for tenant in self.tenants))
        self._connecting = [asyncio.create_task(person.stay_connected()) for person in self.people]
        await asyncio.wait_for(asyncio.gather(*(person.online.wait() for person in self.people)), 60)

    async def _populate(self, tenant: Tenant) -> None:
        size, server = self.size, tenant.secret_key
        # One name of its own for each tenant: what it does must be heard by nobody of the other.
        names = [*(f"user{n}" for n in range(size.users - 1)), f"only-{tenant.name}"]
        rooms: dict[str, list[str]] = {f"room{n}": [] for n in range(size.rooms)}
        for place, name in enumerate(names):
            for step in range(size.rooms_of_user):
                rooms[f"room{(place + step) % size.rooms}"].append(name)
        users = [{"id": name} for name in names]
        (await self.rest.call("POST", "/v1/users", server, json={"users": users})).expect(200)
        for room, members in rooms.items():
            body = {"id": room, "type": "group", "members": members}
            (await self.rest.call("POST", "/v1/channels", server, json=body)).expect(200, 201)
        made = [
            self._person(tenant, name, {room for room, members in rooms.items() if name in members}) for name in names
        ]
        await asyncio.gather(*(self._introduce(person) for person in made))
        self.people += made

    async def newcomer(self, tenant: Tenant, name: str, rooms: set[str]) -> Person:
        """A user that nobody has heard of, who joins rooms and connects."""
        person = self._person(tenant, name, rooms)
        for room in rooms:
            body = {"users": [{"id": name}]}
            (await self.rest.call("POST", "/v1/users", tenant.secret_key, json=body)).expect(200)
            await self._join(person, room)
        await self._introduce(person)
        self.people.append(person)
        self._connecting.append(asyncio.create_task(person.stay_connected()))
        await asyncio.wait_for(person.online.wait(), 30)
        return person

    def _person(self, tenant: Tenant, name: str, rooms: set[str]) -> Person:
        return Person(
            tenant,
            name,
            rooms,
            strange_room=self.random.choice([room for room in self.rooms() if room not in rooms] or ["nowhere"]),
            nodes=self.installation.node_urls,
            rest=self.rest,
            history=self.history,
            rng=random.Random(self.random.random()),
        )

    async def _introduce(self, person: Person) -> None:
        body = {"user_id": person.id, "expires_in": 3600}
        pair = (await self.rest.call("POST", "/v1/tokens", person.tenant.secret_key, json=body)).expect(201)
        person.token = pair["access_token"]
        state = (await self.rest.call("GET", "/v1/sync", person.token)).expect(200)
        person.cursor = state["cursor"]
        baseline = {channel["id"]: channel["seq"] for channel in state["channels"]}
        person.stands = {f"c:{channel}": seq for channel, seq in baseline.items()}
        self.history.users.append(User(person.tenant.name, person.id, baseline))
        person.replay_cursor = state["cursor"]

    async def renew_tokens(self) -> None:
        """New tokens for everybody, as after a night; connections that they had are made anew."""
        for person in self.people:
            body = {"user_id": person.id, "expires_in": 3600}
            pair = (await self.rest.call("POST", "/v1/tokens", person.tenant.secret_key, json=body)).expect(201)
            person.token = pair["access_token"]

    # -- meanwhile ---------------------------------------------------------------------------------------------------

    async def live(self, rate: float, meanwhile: Awaitable[object], *, restless: bool = True) -> None:
        """Let everybody act, `rate` times a second all together, for as long as `meanwhile` takes.

        Returns when all has been answered and everybody has what was there when `meanwhile` ended. With `restless`,
        users leave rooms and come back, and lose their connections and resume.
        """
        happening = asyncio.ensure_future(meanwhile)

        async def heal() -> None:
            await happening
            await self.settle()

        over = happening.done
        tasks = [person.act(rate / len(self.people), over) for person in self.people]
        if restless:
            tasks += [self._come_and_go(tenant, random.Random(self.random.random()), over) for tenant in self.tenants]
            tasks += [self._lose_connections(random.Random(self.random.random()), over)]
        await asyncio.gather(heal(), *tasks)

    async def _come_and_go(self, tenant: Tenant, rng: random.Random, over: Over) -> None:
        mine = [person for person in self.people if person.tenant is tenant]
        while not over():
            await asyncio.sleep(rng.uniform(0.2, 1.2))
            person = rng.choice(mine)
            # Now and then for so long that not even what is under way may reach them any more.
            seconds = rng.uniform(2.5, 5.0) if rng.random() < 0.3 else rng.uniform(0.0, 2.5)
            await self.stay_away(person, rng.choice(sorted(person.rooms)), seconds)

    async def stay_away(self, person: Person, room: str, seconds: float) -> None:
        """Let somebody leave a room and come back."""
        person.rooms.discard(room)
        try:
            await self._leave(person, room)
            await asyncio.sleep(seconds)
        finally:
            await self._join(person, room)
            person.rooms.add(room)
            person.watch(room)

    async def _leave(self, person: Person, room: str) -> None:
        operation, key = self.history.begin("leave", person.tenant.name, person.id, room), uuid4().hex
        answer = await self.rest.call("POST", f"/v1/channels/{room}/leave", person.token, key=key, seconds=60)
        answer.expect(204)
        operation.done("ok")

    async def _join(self, person: Person, room: str) -> None:
        operation, key = self.history.begin("join", person.tenant.name, person.id, room), uuid4().hex
        body = {"user_ids": [person.id]}
        path = f"/v1/channels/{room}/members"
        answer = await self.rest.call("POST", path, person.tenant.secret_key, json=body, key=key, seconds=60)
        answer.expect(200, 201)
        operation.done("ok")

    async def _lose_connections(self, rng: random.Random, over: Over) -> None:
        while not over():
            await asyncio.sleep(rng.uniform(0.1, 0.6))
            rng.choice(self.people).cut()

    async def be_slow(self, node: str) -> None:
        """Let somebody new in the first room take one byte a second, while another pours."""
        self._slow += 1
        tenant, room, name = self.tenants[0], self.rooms()[0], f"slow{self._slow}"
        reader = self._person(tenant, name, {room})
        body = {"users": [{"id": name}]}
        (await self.rest.call("POST", "/v1/users", tenant.secret_key, json=body)).expect(200)
        await self._join(reader, room)
        await self._introduce(reader)
        writer = next(p for p in self.people if p.tenant is tenant and room in p.rooms)
        # Who connects counts as active, whatever it hears.
        began = time.monotonic()
        url, log = self.installation.node_urls[node], self.installation.folder / f"{node}.log"
        self.history.connections.append(Connection(f"{tenant.name}/{name}", tenant.name, name, node, began, None))

        async def pour() -> int:
            sent = await asyncio.gather(*(writer.send(room, padding=PADDING) for _ in range(12)))
            return sum(len(each.text) for each in sent if each.outcome == "ok")

        told, poured = await read_slowly(url, reader.token, pour, log, user=name)
        ended = time.monotonic()
        self.history.slow.append(SlowConsumer(tenant.name, name, node, began, ended, poured, told))
        self.history.note(f"slow consumer on {node}: {told} after {ended - began:.1f} s and {poured:,} bytes")

    # -- afterwards --------------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Wait until everybody is online and has what is there now, for as long as the contract allows. Who took too
        long once has failed for good."""
        if self.history.settle_seconds == float("inf"):
            return
        began = time.monotonic()
        missing: list[Person] = []
        try:
            async with asyncio.timeout(HEALING_SECONDS):
                heads = await self._heads()
                while missing := [person for person in self.people if not self._has(person, heads)]:
                    await asyncio.sleep(0.02)
        except (TimeoutError, GaveUp):
            self.history.settle_seconds = float("inf")
            for person in missing[:5]:
                self.history.note(f"not settled: {person.tenant.name}/{person.id}, {person.state}")
        else:
            self.history.settle_seconds = max(self.history.settle_seconds, time.monotonic() - began)

    async def _heads(self) -> dict[tuple[str, str], int]:
        heads = {}
        for tenant in self.tenants:
            for room in self.rooms():
                channel = await self.rest.call("GET", f"/v1/channels/{room}", tenant.secret_key)
                heads[tenant.name, room] = channel.expect(200)["seq"]
        return heads

    def _has(self, person: Person, heads: dict[tuple[str, str], int]) -> bool:
        return person.online.is_set() and all(
            person.stands.get(f"c:{room}", 0) >= heads[person.tenant.name, room] for room in person.rooms
        )

    async def collect(self) -> History:
        """Everything that can be asked afterwards: history on each node, sync, standings, the ledger."""
        for tenant in self.tenants:
            for room in self.rooms():
                self.history.channels.append(await self._channel(tenant, room))
        self.history.online = {(p.tenant.name, p.id) for p in self.people if p.online.is_set()}
        await asyncio.gather(*(self._ask(person) for person in self.people))
        await self._usage()
        return self.history

    def rooms(self) -> list[str]:
        """The names of the rooms, the same for each tenant."""
        return [f"room{n}" for n in range(self.size.rooms)]

    async def _channel(self, tenant: Tenant, room: str) -> StoredChannel:
        server = tenant.secret_key
        head = (await self.rest.call("GET", f"/v1/channels/{room}", server)).expect(200)
        histories = {}
        for node in self.installation.node_urls:
            messages: list[StoredMessage] = []
            after = "0"
            while True:
                params = {"after": after, "limit": 100}
                answer = await self.rest.call(
                    "GET", f"/v1/channels/{room}/messages", server, params=params, nodes=[node]
                )
                page = answer.expect(200)
                for m in page["messages"]:
                    text = None if m["deleted_at"] else m["text"]
                    messages.append(StoredMessage(m["id"], m["seq"], m["number"], m["user_id"], text))
                if not page["has_after"]:
                    break
                after = str(messages[-1].seq)
            histories[node] = messages
        return StoredChannel(tenant.name, room, head["seq"], head["last_number"], histories)

    async def _ask(self, person: Person) -> None:
        """What a user is told in the end."""
        async with self._asking:
            await self._standings(person)
            await person.sync()
        self.history.replays[person.tenant.name, person.id] = person.replay

    async def _standings(self, person: Person) -> None:
        page = (await self.rest.call("GET", "/v1/channels", person.token, params={"limit": 100})).expect(200)
        for channel in page["channels"]:
            stored = next(c for c in self.history.channels if (c.app, c.id) == (person.tenant.name, channel["id"]))
            membership = channel["membership"]
            stored.standings[person.id] = (membership["read_number"], membership["unread"])

    async def _usage(self) -> None:
        """Wait until nothing of these apps is left to ship, then read what the ledger and its rollup have."""
        apps = {tenant.name: parse_id("app", tenant.app_id) for tenant in self.tenants}
        chat = await self.installation.chat_database.connect()
        control = await self.installation.control_database.connect()
        try:
            self.history.epoch = await chat.fetchval("select epoch from chat.shard")
            deadline = time.monotonic() + USAGE_SECONDS
            while await chat.fetchval(
                "select count(*) from chat.usage_outbox where app_id = any($1)", list(apps.values())
            ):
                if time.monotonic() > deadline:
                    break
                await asyncio.sleep(0.1)
            for name, app_id in apps.items():
                self.history.usage[name] = await _usage_of(control, app_id)
        finally:
            await chat.close()
            await control.close()

    async def leave(self) -> None:
        """Disconnect everybody."""
        await asyncio.gather(*(person.go() for person in self.people))
        for task in self._connecting:
            task.cancel()
        await asyncio.gather(*self._connecting, return_exceptions=True)
        await self.rest.close()


async def _usage_of(control: "asyncpg.Connection", app_id: object) -> Usage:
    ledger = await control.fetchrow(
        "select coalesce(sum(quantity) filter (where meter = 'messages'), 0)::bigint as messages, "
        "count(*) filter (where meter = 'mau') as active from control.usage_ledger where app_id = $1",
        app_id,
    )
    rollup = await control.fetch(
        "select meter, sum(quantity)::bigint as quantity from control.usage_hourly where app_id = $1 "
        "and meter in ('messages', 'mau') group by meter",
        app_id,
    )
    quarantined = await control.fetchval("select count(*) from control.usage_quarantine where app_id = $1", app_id)
    rolled_up = {"messages": 0, "mau": 0} | {row["meter"]: row["quantity"] for row in rollup}
    return Usage(ledger["messages"], ledger["active"], rolled_up, quarantined)


@asynccontextmanager
async def world(installation: Installation, seed: int, size: Size | None = None) -> AsyncIterator[World]:
    """Two new tenants with everybody connected; all disconnected at the end."""
    made = World(installation, seed, size or Size())
    try:
        await made.populate()
        yield made
    finally:
        await made.leave()
