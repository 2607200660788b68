"""One user of the machine: a client that keeps a `State` by the rules of `reducer.py`, over a real socket and REST."""

import asyncio
import itertools
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx
import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests import schemas
from tests.convergence.reducer import Json, State

PATIENCE = 10.0
OWN = ("id", "name", "image", "role", "custom")
"""What `connection.ready` tells of the own profile."""


class Person:
    """A user's client. `state` is null before `begin`."""

    def __init__(self, user_id: str, token: str, urls: list[str], http: httpx.AsyncClient) -> None:
        self.id = user_id
        self.urls = urls
        self.state: State | None = None
        self.cursors: list[str] = []
        """Every one that it was told, oldest first."""
        self.unexpected: list[str] = []
        self.changed = asyncio.Event()
        self._http = http
        self._token = token
        self._node = 0
        self._socket: ClientConnection | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ready: asyncio.Future[Json] | None = None
        self._answers: dict[int, asyncio.Future[Json]] = {}
        self._then: dict[int, Callable[[Json], None]] = {}
        self._numbers = itertools.count(1)

    @property
    def connected(self) -> bool:
        """Whether it hears."""
        return self._socket is not None

    @property
    def known(self) -> State:
        """The state, once there is one."""
        assert self.state is not None
        return self.state

    async def rest(self, method: str, path: str, body: Any = None, **params: Any) -> httpx.Response:
        """A call of its own, to the node that it is connected to or was last."""
        return await self._http.request(
            method,
            self.urls[self._node] + path,
            content=None if body is None else orjson.dumps(body),
            params=params,
            headers={"authorization": f"Bearer {self._token}", "content-type": "application/json"},
        )

    async def read(self, path: str, **params: Any) -> Any:
        """A GET that must succeed."""
        answer = await self.rest("GET", path, **params)
        assert answer.is_success, f"{self.id}: GET {path}: {answer.text}"
        return answer.json()

    async def call(self, event: str, payload: Json, then: Callable[[Json], None] | None = None) -> Json:
        """An event, acknowledged. `then` is done with an answer that is no error before anything else is heard."""
        assert self._socket is not None
        number = next(self._numbers)
        if then is not None:
            self._then[number] = then
        self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(f"42{number}" + orjson.dumps([event, payload]).decode())
        answer = await asyncio.wait_for(self._answers[number], PATIENCE)
        del self._answers[number]
        schemas.answered(event, answer)
        return answer

    async def begin(self) -> None:
        """Read fresh state, which everything after it is applied to."""
        profile, fresh = await self.read("/v1/users/me"), await self.read("/v1/sync")
        self.unexpected += schemas.problems_of_ack("sync", fresh)
        self.state = State.begin({name: profile[name] for name in OWN}, fresh)
        self.cursors = [fresh["cursor"]]
        await self.load()

    # -- coming and going ----------------------------------------------------------------------------------------------

    async def connect(self, node: int, *, back: int = 0) -> None:
        """Connect to a node with the newest cursor, or one that is older by so many."""
        assert self._socket is None
        self._node = node
        auth = {"token": self._token, "cursor": self.cursors[max(0, len(self.cursors) - 1 - back)]}
        address = self.urls[node].replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        self._socket = await connect(address, compression=None, proxy=None, ping_interval=None, max_size=None)
        self._ready = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read(self._socket))
        await self._socket.send("40" + orjson.dumps(auth).decode())
        await asyncio.wait_for(asyncio.shield(self._ready), PATIENCE)

    async def disconnect(self) -> None:
        """Go. What it only watched, it watches no more."""
        socket, self._socket = self._socket, None
        if socket is not None and self._reading is not None:
            socket.transport.abort()
            with suppress(ConnectionClosed):
                await self._reading
            self.known.disconnect()

    async def catch_up(self) -> None:
        """Go on from the cursor over REST, page by page."""
        while True:
            page = await self.read("/v1/sync", cursor=self.cursors[-1], limit=7)
            self.unexpected += schemas.problems_of_ack("sync", page)
            if not page["recovered"]:
                self._begin_again(page)
            for event in page.get("events", ()):
                self.known.apply(event)
            self.cursors.append(page["cursor"])
            if not page["has_more"]:
                return

    async def load(self) -> None:
        """Read members and history of the channels that it has none of, and its invites if they are not known."""
        if self.known.ask_for_invites:
            self.known.load_invites((await self.read("/v1/invites", limit=100))["invites"])
        if self.known.ask_for_threads:
            self.known.load_threads((await self.read("/v1/threads", limit=100))["threads"])
        for channel_id in tuple(self.known.unloaded):
            members = await self.rest("GET", f"/v1/channels/{channel_id}/members", limit=100)
            messages = await self.rest("GET", f"/v1/channels/{channel_id}/messages", limit=100)
            pins = await self.rest("GET", f"/v1/channels/{channel_id}/pins")
            if (
                members.is_success and messages.is_success and pins.is_success
            ):  # otherwise an event is on its way that says why not
                self.known.load(channel_id, members.json()["members"], messages.json()["messages"], pins.json()["pins"])

    async def watch(self, channel_id: str) -> None:
        """Watch a channel, if it may."""

        def begin(answer: Json) -> None:
            if channel_id not in self.known.channels:
                self.known.enter(answer["channel"])
            self.known.watch(answer)

        await self.call("channel.watch", {"channel_id": channel_id}, begin)

    async def follow(self, *user_ids: str) -> None:
        """Hear of these users' presence."""
        await self.call("presence.subscribe", {"user_ids": user_ids}, lambda answer: self.known.subscribe(answer))

    async def unwatch(self, channel_id: str) -> None:
        """Watch it no more."""
        await self.call("channel.unwatch", {"channel_id": channel_id})
        self.known.stop_watching(channel_id)
        self.known.unwatch(channel_id)

    def _begin_again(self, fresh: Json) -> None:
        self.state = State.begin(self.known.user, fresh)
        self.cursors = [fresh["cursor"]]

    # -- hearing -------------------------------------------------------------------------------------------------------

    async def _read(self, socket: ClientConnection) -> None:
        with suppress(ConnectionClosed):
            async for packet in socket:
                if packet == "2":
                    await socket.send("3")
                elif isinstance(packet, str) and socket is self._socket:
                    self._packet(packet)

    def _packet(self, packet: str) -> None:
        if packet.startswith("42["):
            self.hear(*orjson.loads(packet[2:]))
        elif packet.startswith("43"):
            number, _, rest = packet[2:].partition("[")
            answer = orjson.loads(rest[:-1])
            then = self._then.pop(int(number), None)
            if then is not None and "error" not in answer:
                then(answer)
            if int(number) in self._answers:
                self._answers[int(number)].set_result(answer)
        self.changed.set()

    def hear(self, name: str, payload: Json) -> None:
        """One event."""
        schemas.heard(name, payload)
        match name:
            case "connection.ready":
                if not payload["recovered"]:
                    self._begin_again(payload)
                self.known.user = payload["user"]
                self.cursors.append(payload["cursor"])
                assert self._ready is not None
                self._ready.set_result(payload)
            case "sync.cursor":
                self.cursors.append(payload["cursor"])
            case "watch.ended":
                self.known.stop_watching(payload["channel_id"])
                self.known.unwatch(payload["channel_id"])
            case "connection.closing" | "error":
                self.unexpected.append(f"{name} {payload}")
            case _:
                self.known.apply(payload)
