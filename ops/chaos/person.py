"""One user: stays connected, resumes where it stood, and sends, edits, deletes, reads, types, and syncs over REST."""

import asyncio
import random
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

from kernel.ids import Ids
from ops.chaos.client import NoAnswer, NotConnected, Socket, entry_of
from ops.chaos.history import Connection, Entry, History, Operation
from ops.chaos.installation import Tenant
from ops.chaos.rest import GaveUp, Rest

PATIENCE_SECONDS = 30.0
"""How long a send is repeated before its outcome is left unknown."""
FRAGILE = 0.15
"""Share of the resumed connections that are lost again before the replay could be read."""
EDITABLE = 20
"""Own messages that may still be edited or deleted."""


class Person:
    """A user of one tenant with one connection at a time. `rooms` are the channels it is a member of now."""

    def __init__(
        self,
        tenant: Tenant,
        user: str,
        rooms: set[str],
        *,
        strange_room: str,
        nodes: dict[str, str],
        rest: Rest,
        history: History,
        rng: random.Random,
    ) -> None:
        self.tenant, self.id, self.rooms, self.rest, self.history = tenant, user, rooms, rest, history
        self.token = ""
        self.cursor: str | None = None
        self.socket: Socket | None = None
        self.online = asyncio.Event()
        self.stands: dict[str, int] = {}
        """The highest seq heard, by log."""
        self._strange_room = strange_room
        self._nodes = nodes
        self._random = rng
        self._ids = Ids()
        self._connections = 0
        self._mine: list[tuple[str, str]] = []
        self._watching: set[asyncio.Task[None]] = set()
        self.replay_cursor: str | None = None
        self.replay: list[Entry] = []
        """What `GET /v1/sync` has answered so far, from the user's first cursor on."""
        self._sent = 0
        self._leaving = False

    # -- connection --------------------------------------------------------------------------------------------------

    async def stay_connected(self) -> None:
        """Connect, and again whenever the connection ends, to any node, until `leave`."""
        while not self._leaving:
            node = self._random.choice(list(self._nodes))
            try:
                self.socket = await Socket.open(
                    self._nodes[node],
                    self.token,
                    self.cursor,
                    record=partial(self._record, node),
                    on_entry=self._heard,
                    on_cursor=self._stand_at,
                    fragile=self._connections > 0 and self._random.random() < FRAGILE,
                )
            except NotConnected as error:
                if "quota_exceeded" in str(error) or "unauth" in str(error):
                    self.history.note(f"{self.tenant.name}/{self.id}: {error}")
                if '"internal"' in str(error):
                    self.history.defects.append(f"connect on {node}: {error}")
                await asyncio.sleep(self._random.uniform(0.05, 0.4))
                continue
            self.online.set()
            for room in sorted(self.rooms):
                self.watch(room)
            await self.socket.closed.wait()
            self.online.clear()
            await asyncio.sleep(self._random.uniform(0.0, 0.6))

    async def go(self) -> None:
        """Disconnect for good."""
        self._leaving = True
        if self.socket is not None:
            await self.socket.close()

    def cut(self) -> None:
        """Lose the connection; `stay_connected` makes another."""
        if self.socket is not None:
            self.socket.abort()

    @property
    def state(self) -> str:
        """For a report: whether it is connected, where to, and where it stands."""
        node = self.socket.record.node if self.socket is not None and self.socket.record is not None else "nowhere"
        stands = {log[2:]: seq for log, seq in self.stands.items() if log[2:] in self.rooms}
        return f"{'online' if self.online.is_set() else 'offline'}, last on {node}, at {stands}"

    def watch(self, room: str) -> None:
        """Ask to hear who types in a room, for as long as this connection lasts."""
        task = asyncio.create_task(self._watch(room))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def _watch(self, room: str) -> None:
        if self.socket is not None:
            with suppress(NoAnswer):
                await self.socket.call("channel.watch", {"channel_id": room})

    def _record(self, node: str, ready: dict[str, Any]) -> Connection:
        self._connections += 1
        fresh = {c["id"]: c["seq"] for c in ready["channels"]} if ready["recovered"] is False else None
        for channel, seq in (fresh or {}).items():
            self.stands[f"c:{channel}"] = seq
        connection = Connection(
            name=f"{self.tenant.name}/{self.id}#{self._connections}@{node}",
            app=self.tenant.name,
            user=self.id,
            node=node,
            opened=time.monotonic(),
            recovered=ready["recovered"],
            fresh=fresh,
        )
        self.history.connections.append(connection)
        return connection

    def _heard(self, entry: Entry) -> None:
        self.stands[entry.log] = max(self.stands.get(entry.log, 0), entry.seq)

    def _stand_at(self, cursor: str) -> None:
        self.cursor = cursor

    # -- acting ------------------------------------------------------------------------------------------------------

    async def act(self, rate: float, until: Callable[[], bool]) -> None:
        """Do something `rate` times a second on average, one thing at a time."""
        due = time.monotonic()
        while not until():
            due = max(due + self._random.expovariate(rate), time.monotonic() - 1.0)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            await self._something()

    async def _something(self) -> None:
        roll = self._random.random()
        if roll < 0.03 and self._mine:
            await self._change("edit")
        elif roll < 0.04 and self._mine:
            await self._change("delete")
        elif roll < 0.06 and self.rooms:
            await self.mark_read(self._room())
        elif roll < 0.065:
            await self.send(self._strange_room)
        elif roll < 0.12 and self.rooms:
            await self.type(self._room())
        elif roll < 0.122:
            with suppress(GaveUp):
                await self.sync(pages=2)
        elif self.rooms:
            sent = await self.send(self._room())
            if sent.outcome == "ok" and self._random.random() < 0.04:
                await self.look(sent)

    def _room(self) -> str:
        return self._random.choice(sorted(self.rooms))

    async def send(self, room: str, *, padding: int = 0) -> Operation:
        """Send a message, with the same id until it is answered for good. `padding` characters make it long."""
        self._sent += 1
        text = f"{self.tenant.name} {self.id} {self._sent}" + "." * padding
        message = self._ids.new("msg")
        operation = self.history.begin("send", self.tenant.name, self.id, room, message=message, text=text)
        payload = {"channel_id": room, "id": message, "text": text}
        answer = await self._repeat(operation, lambda socket: socket.call("message.send", payload))
        if answer is not None and "message" in answer:
            operation.done("ok", seq=answer["message"]["seq"], number=answer["message"]["number"])
            self._mine = [*self._mine[1 - EDITABLE :], (room, message)]
        return operation

    async def mark_read(self, room: str) -> None:
        """Mark a channel read."""
        operation = self.history.begin("mark_read", self.tenant.name, self.id, room)
        answer = await self._repeat(operation, lambda s: s.call("receipt.read", {"channel_id": room}))
        if answer is not None and "read_number" in answer:
            operation.done("ok", read_number=answer["read_number"])

    async def type(self, room: str) -> None:
        """Begin to type, and stop at once, so that the next start is passed on too."""
        operation = self.history.begin("type", self.tenant.name, self.id, room)
        if await self._once(operation, "typing.start", {"channel_id": room}) is None:
            return
        if await self._once(operation, "typing.stop", {"channel_id": room}) is not None:
            operation.done("ok")

    async def sync(self, *, pages: int = 10**6) -> None:
        """Read on over REST where the last such reading ended. Raises `GaveUp`."""
        for _ in range(pages):
            params = {"cursor": self.replay_cursor, "limit": 1000}
            page = (await self.rest.call("GET", "/v1/sync", self.token, params=params)).expect(200)
            self.replay_cursor = page["cursor"]
            # Too much was missed: fresh state, which says so, and no entries.
            self.replay += [entry_of(self.id, event) for event in page["events"]] if page["recovered"] else []
            if not page["has_more"]:
                return

    async def _change(self, kind: Any) -> None:
        """Edit or delete a message of one's own, once: unlike a send it may be done twice by a repetition."""
        place = self._random.randrange(len(self._mine))
        room, message = self._mine[place]
        text = f"{self.tenant.name} {self.id} edited {self._random.random()}"
        operation = self.history.begin(kind, self.tenant.name, self.id, room, message=message, text=text)
        if kind == "edit":
            answer = await self._once(operation, "message.update", {"id": message, "text": text})
        else:
            del self._mine[place]
            answer = await self._once(operation, "message.delete", {"id": message})
        if answer is not None and "message" in answer:
            operation.done("ok")

    async def look(self, sent: Operation) -> None:
        """Read an acknowledged message over REST, on whatever node answers."""
        operation = self.history.begin("look", self.tenant.name, self.id, sent.channel, message=sent.message)
        with suppress(GaveUp):
            answer = await self.rest.call("GET", f"/v1/messages/{sent.message}", self.tenant.secret_key)
            found = answer.status == 200 and answer.body["message"]["seq"] == sent.answer["seq"]
            operation.done("ok", found=found, node=answer.node)

    async def _once(self, operation: Operation, event: str, payload: dict[str, Any]) -> dict[str, Any] | None:
        await self.online.wait()
        assert self.socket is not None
        operation.attempts += 1
        socket = self.socket
        try:
            answer = await socket.call(event, payload)
        except NoAnswer:
            socket.abort()
            operation.done("unknown")
            return None
        error = answer.get("error")
        if error is not None:
            operation.done("unknown" if error["retryable"] or error["code"] == "internal" else "failed", **error)
            return None
        return answer

    async def _repeat(
        self, operation: Operation, call: Callable[[Socket], Coroutine[Any, Any, dict[str, Any]]]
    ) -> dict[str, Any] | None:
        """The final answer, null when it is a refusal or never came; those outcomes are noted."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        doubtful = False
        while time.monotonic() < deadline:
            try:
                await asyncio.wait_for(self.online.wait(), deadline - time.monotonic())
                assert self.socket is not None
                operation.attempts += 1
                socket = self.socket
                answer = await call(socket)
            except TimeoutError:
                break
            except NoAnswer:
                # Whoever does not answer may be gone; another node may be there.
                socket.abort()
                doubtful = True
                await asyncio.sleep(0.02)
                continue
            error = answer.get("error")
            if error is None:
                return answer
            if not error["retryable"]:
                # An earlier attempt without an answer may have been done for all that.
                operation.done("unknown" if doubtful or error["code"] == "internal" else "failed", **error)
                return None
            doubtful = True
            await asyncio.sleep(min(0.2, error.get("retry_after", 0.1)))
        operation.done("unknown")
        return None
