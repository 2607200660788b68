"""What every rule needs: users with clients, the app's server, and the comparison of each state with fresh state."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, ClassVar, NamedTuple

import httpx
import orjson
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from tests.clients.conftest import WIDE
from tests.clients.installation import Installation, Tenant
from tests.convergence.person import Person
from tests.convergence.reducer import Json, State

USERS = ("ann", "bob", "cid")
CHANNELS = ("den", "lab", "show")
"""A group and a team that are there from the start, and a livestream, which everybody may watch and join."""
PATIENCE = 4.0
"""Seconds in which a state must have become what a fresh one is."""

users = st.sampled_from(USERS)
channels = st.sampled_from(CHANNELS)


class Reading:
    """What a user reads for one comparison; each address once."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self._answers: dict[str, asyncio.Task[Any]] = {}

    async def get(self, path: str) -> Any:
        """The answer to a GET, which must succeed."""
        if path not in self._answers:
            self._answers[path] = asyncio.create_task(self.person.read(path))
        return await self._answers[path]

    async def each_channel(self, path: str) -> dict[str, Any]:
        """The same for every channel of the user's: `path` has `{}` for its id."""
        ids = sorted(await self.channels())
        return dict(zip(ids, await asyncio.gather(*(self.get(path.format(id)) for id in ids)), strict=True))

    async def channels(self) -> dict[str, Json]:
        """The user's channels, and those that it watches and may see."""
        fresh = {channel["id"]: channel for channel in (await self.get("/v1/sync"))["channels"]}
        watched = [id for id, channel in self.person.known.channels.items() if channel["membership"] is None]
        for id in watched:
            answer = await self.person.rest("GET", f"/v1/channels/{id}")
            if answer.is_success and id not in fresh:
                fresh[id] = answer.json()
        return fresh


class Kind(NamedTuple):
    """One kind of state: how to read it, and how it is in what a client keeps. Both must give the same."""

    name: str
    fresh: Callable[[Reading], Awaitable[Any]]
    kept: Callable[[State], Any]


class Nodes(NamedTuple):
    """Two nodes of a shard, on the loop of the tests."""

    installation: Installation
    loop: asyncio.AbstractEventLoop

    async def tenant(self) -> Tenant:
        """A new app, from the machine's loop."""
        making = asyncio.run_coroutine_threadsafe(self.installation.tenant(limits=WIDE), self.loop)
        return await asyncio.wrap_future(making)


class Base(RuleBasedStateMachine):
    """Rules call `act` for what a user does and `serve` for what the customer's server does. Each ends by comparing the
    state of every connected user with what is read then."""

    nodes: ClassVar[Nodes]
    kinds: ClassVar[Sequence[Kind]]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.http = httpx.AsyncClient(timeout=20, trust_env=False)
        self.people: dict[str, Person] = {}
        self.sent: list[str] = []
        """Ids of all messages."""
        self.made = 0
        self.failed = False

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something, then settle and compare."""

        async def both() -> Any:
            done = await work
            await self.settle()
            return done

        self.failed = True
        done = self.loop.run_until_complete(both())
        self.failed = False
        return done

    @initialize()
    def begin(self) -> None:
        """Three users, in three channels and by themselves, connected to two nodes."""
        self.run(self._begin())

    async def _begin(self) -> None:
        self.tenant = await self.nodes.tenant()
        urls = [node.url for node in self.nodes.installation.nodes]
        self.server_url = urls[0]
        await self.serve("POST", "/v1/users", {"users": [{"id": user} for user in USERS]})
        for id, type, members in (
            ("den", "group", ["bob"]),
            ("lab", "team", ["bob", "cid"]),
            ("show", "livestream", []),
        ):
            body = {"id": id, "type": type, "name": id, "members": members, "user_id": "ann"}
            await self.serve("POST", "/v1/channels", body)
        for place, user in enumerate(USERS):
            person = self.people[user] = Person(user, self.tenant.token(user), urls, self.http)
            await person.begin()
            await person.connect(place % len(urls))

    def teardown(self) -> None:
        async def end() -> None:
            try:
                if not self.failed and self.people:
                    for person in self.people.values():
                        if not person.connected:
                            await person.connect(0)
                    await self.settle()
            finally:
                for person in self.people.values():
                    await person.disconnect()
                await self.http.aclose()

        self.loop.run_until_complete(end())
        self.loop.close()

    # -- what rules do -------------------------------------------------------------------------------------------------

    async def serve(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """A call by the customer's server."""
        answer = await self.http.request(
            method,
            self.server_url + path,
            content=None if body is None else orjson.dumps(body),
            headers={"authorization": f"Bearer {self.tenant.secret_key}", "content-type": "application/json"},
        )
        return _orderly(answer)

    async def act(self, user: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """A call by a user, which may be refused."""
        return _orderly(await self.people[user].rest(method, path, body))

    async def ask(
        self, user: str, event: str, payload: Json, method: str, path: str, body: Any = None, *, late: bool = False
    ) -> Json:
        """The same over the user's socket or, where it has none, over REST. The acknowledgement or the answer. `late`:
        what is asked for may be over by then, and so be no good input."""
        if self.people[user].connected:
            answer = await self.people[user].call(event, payload)
            failure = answer.get("error", {"code": ""})
            assert failure["code"] not in ("internal", "rate_limited", "unavailable"), answer
            assert late or failure["code"] != "invalid_input", answer
            return answer
        said = await self.act(user, method, path, body)
        return said.json() if said.content else {}

    # -- what must hold ------------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Every connected user's state is what it reads."""
        # One after the other to its end: whatever is still read when a test fails would fail again, unheard.
        settling = (self._settle(person) for person in self.people.values() if person.connected)
        for outcome in await asyncio.gather(*settling, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _settle(self, person: Person) -> None:
        deadline, pause = self.loop.time() + PATIENCE, 0.05
        while True:
            person.changed.clear()
            await person.load()
            reading = Reading(person)
            fresh = await asyncio.gather(*(kind.fresh(reading) for kind in self.kinds))
            kept = [kind.kept(person.known) for kind in self.kinds]
            assert not person.unexpected, person.unexpected
            if fresh == kept:
                return
            if self.loop.time() > deadline:
                wrong = [
                    f"{person.id}'s {kind.name} did not converge: {difference(there, here)}"
                    for kind, there, here in zip(self.kinds, fresh, kept, strict=True)
                    if there != here
                ]
                raise AssertionError("\n".join(wrong))
            # Whatever it hears ends the pause. Reading everything once more for nothing is what costs.
            with suppress(TimeoutError):
                await asyncio.wait_for(person.changed.wait(), min(pause, PATIENCE / 4))
            pause *= 2


def difference(fresh: Any, kept: Any, where: str = "") -> str:
    """The first places in which two values differ."""
    if isinstance(fresh, dict) and isinstance(kept, dict):
        return "; ".join(
            difference(fresh.get(key, "nothing"), kept.get(key, "nothing"), f"{where}.{key}")
            for key in sorted({*fresh, *kept}, key=str)
            if fresh.get(key, "nothing") != kept.get(key, "nothing")
        )
    return f"{where.lstrip('.')} is {str(fresh)[:300]} and was kept as {str(kept)[:300]}"


def _orderly(answer: httpx.Response) -> httpx.Response:
    """Not a defect, nor a refusal that has nothing to do with what was asked."""
    assert answer.status_code < 500 and answer.status_code not in (400, 401, 429), answer.text
    return answer
