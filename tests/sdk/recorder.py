"""A user's session with real nodes, written down: what it began with, what it heard and asked, and what a fresh reader
reads at its end. SDKs replay it (`sdk/protocol/README.md`)."""

import asyncio
from typing import Any

import orjson

from tests.convergence.base import Kind, Reading, difference
from tests.convergence.machine import Convergence
from tests.convergence.person import OWN, Person
from tests.convergence.reducer import Json, State

PATIENCE = 10.0
AFTER = {
    "channels": "channels",
    "members": "members",
    "messages": "messages",
    "what is pinned": "pins",
    "totals of what is unread": "unread",
    "grants": "grants",
    "invites": "invites",
    "own profile": "user",
    "blocks": "blocks",
    "presence": "presence",
    "receipts": "receipts",
}
"""Kinds of state that a vector ends with, by what the convergence tests call them."""
KINDS: dict[str, Kind] = {AFTER[kind.name]: kind for kind in Convergence.kinds if kind.name in AFTER}


class Recorder(Person):
    """A client that writes down its session."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.start: Json = {}
        self.steps: list[Json] = []
        self._calls = 0

    async def begin(self) -> None:
        profile, fresh = await self.read("/v1/users/me"), await self.read("/v1/sync")
        user = {name: profile[name] for name in OWN}
        self.start = {"user": user, "fresh": fresh}
        # Copies: the state changes what it is given.
        self.state = State.begin(dict(user), _copy(fresh))
        self.cursors = [fresh["cursor"]]
        await self.load()

    async def load(self) -> None:
        """Read what is not known, as an app that shows everything does."""
        if self.known.ask_for_invites:
            invites = (await self.read("/v1/invites", limit=100))["invites"]
            self._step({"read": "invites", "invites": invites})
            self.known.load_invites(_copy(invites))
        if self.known.ask_for_threads:
            threads = (await self.read("/v1/threads", limit=100))["threads"]
            self._step({"read": "threads", "threads": threads})
            self.known.load_threads(_copy(threads))
        for id in tuple(self.known.unloaded):
            path = f"/v1/channels/{id}"
            members, pins = await self.rest("GET", f"{path}/members"), await self.rest("GET", f"{path}/pins")
            page = await self.rest("GET", f"{path}/messages", limit=100)
            if members.is_success and page.is_success and pins.is_success and id in self.known.unloaded:
                read = {"members": members.json()["members"], "page": page.json(), "pins": pins.json()["pins"]}
                self._step({"read": "channel", "channel_id": id, **read})
                copied = _copy(read)
                self.known.load(id, copied["members"], copied["page"]["messages"], copied["pins"])

    async def disconnect(self) -> None:
        await super().disconnect()
        self._step({"lost": True})

    async def call(self, event: str, payload: Json, then: Any = None) -> Json:
        self._calls += 1
        self._step({"call": self._calls, "event": event, "payload": payload})
        return await super().call(event, payload, then)

    def _packet(self, packet: str) -> None:
        if packet.startswith("42["):
            name, payload = orjson.loads(packet[2:])
            self._step({"heard": name, "payload": payload})
        elif packet.startswith("43"):
            number, _, rest = packet[2:].partition("[")
            self._step({"answered": int(number), "answer": orjson.loads(rest[:-1])})
        super()._packet(packet)

    def _step(self, step: Json) -> None:
        self.steps.append(step)

    async def after(self) -> Json:
        """What a fresh reader reads, once this client knows the same."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            await self.load()
            reading = Reading(self)
            fresh = {name: await kind.fresh(reading) for name, kind in KINDS.items()}
            kept = {name: kind.kept(self.known) for name, kind in KINDS.items()}
            if fresh == kept:
                return fresh
            assert asyncio.get_running_loop().time() < deadline, difference(fresh, kept)
            await asyncio.sleep(0.05)


def replayed(vector: Json) -> Json:
    """What the reducer of the convergence tests makes of a recorded session, in the form of its `after`."""
    state = State.begin(dict(vector["user"]), _copy(vector["fresh"]))
    asked: dict[int, str] = {}
    for step in _copy(vector["steps"]):
        match step:
            case {"heard": "connection.ready", "payload": ready}:
                if not ready["recovered"]:
                    state = State.begin(state.user, ready)
                state.user = ready["user"]
            case {"heard": "sync.cursor"}:
                pass
            case {"heard": "watch.ended", "payload": ended}:
                state.stop_watching(ended["channel_id"])
                state.unwatch(ended["channel_id"])
            case {"heard": _, "payload": event}:
                state.apply(event)
            case {"read": "invites", "invites": invites}:
                state.load_invites(invites)
            case {"read": "threads", "threads": threads}:
                state.load_threads(threads)
            case {"read": "channel", "channel_id": id, "members": members, "page": page, "pins": pins}:
                state.load(id, members, page["messages"], pins)
            case {"call": number, "event": event}:
                asked[number] = event
            case {"answered": number, "answer": answer}:
                _answered(state, asked[number], answer)
            case {"lost": True}:
                state.disconnect()
    return {name: kind.kept(state) for name, kind in KINDS.items()}


def _answered(state: State, event: str, answer: Json) -> None:
    if "error" in answer:
        return
    if event == "presence.subscribe":
        state.subscribe(answer)
    elif event == "channel.watch":
        if answer["channel"]["id"] not in state.channels:
            state.enter(answer["channel"])
        state.watch(answer)


def _copy(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value))
