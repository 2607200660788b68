"""A small Socket.IO client of our own: Engine.IO 4 text frames over one WebSocket, everything heard recorded.

Sources: the Engine.IO protocol, revision 4, and the Socket.IO protocol, revision 5.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from ops.chaos.history import Connection, Entry, Passing

OPEN_SECONDS = 10.0
ANSWER_SECONDS = 6.0


class NotConnected(Exception):
    """No connection came about: the node is away, or refuses."""


class NoAnswer(Exception):
    """The connection ended or time ran out before the acknowledgement: whether it was done is not known."""


class Socket:
    """One connection, from `open` to `closed`. `on_entry` and `on_cursor` are called as things arrive."""

    def __init__(
        self,
        websocket: ClientConnection,
        *,
        record: Callable[[dict[str, Any]], Connection],
        on_entry: Callable[[Entry], None],
        on_cursor: Callable[[str], None],
        fragile: bool = False,
    ) -> None:
        self._websocket = websocket
        self._record = record
        self._on_entry = on_entry
        self._on_cursor = on_cursor
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._calls = 0
        self._cut = False
        self._fragile = fragile
        self._ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.closed = asyncio.Event()
        self.closing: dict[str, Any] | None = None
        """What the server said before it closed."""
        self.record: Connection | None = None
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        url: str,
        token: str,
        cursor: str | None,
        *,
        record: Callable[[dict[str, Any]], Connection],
        on_entry: Callable[[Entry], None],
        on_cursor: Callable[[str], None],
        fragile: bool = False,
    ) -> "Socket":
        """Connect and wait for `connection.ready`, of which `record` makes the connection's record.

        A `fragile` connection is lost at that very moment, before anything that was missed could be read.
        Raises `NotConnected`.
        """
        address = url.replace("http", "ws", 1) + "/socket.io/?EIO=4&transport=websocket"
        try:
            async with asyncio.timeout(OPEN_SECONDS):
                websocket = await connect(address, compression=None, proxy=None, ping_interval=None, max_size=None)
                socket = cls(websocket, record=record, on_entry=on_entry, on_cursor=on_cursor, fragile=fragile)
                socket._task = asyncio.create_task(socket._read())
                auth = {"token": token} | ({"cursor": cursor} if cursor is not None else {})
                await websocket.send("40" + orjson.dumps(auth).decode())
                try:
                    await asyncio.shield(socket._ready)
                except BaseException:
                    socket.abort()
                    raise
        except (OSError, TimeoutError, WebSocketException, NoAnswer) as error:
            raise NotConnected(f"{url}: {error!r}") from error
        return socket

    async def call(self, event: str, payload: dict[str, Any], *, seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
        """Send an event and return its acknowledgement, which may be an `{"error": …}`. Raises `NoAnswer`."""
        if self.closed.is_set():
            raise NoAnswer("closed")
        self._calls += 1
        number = self._calls
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(seconds):
                await self._websocket.send(f"42{number}" + orjson.dumps([event, payload]).decode())
                result: dict[str, Any] = await answer
                return result
        except (OSError, TimeoutError, WebSocketException) as error:
            raise NoAnswer(repr(error)) from error
        finally:
            self._waiting.pop(number, None)

    def abort(self) -> None:
        """Cut the connection, as a lost network does. What was not read yet is lost with it."""
        self._cut = True
        self._websocket.transport.abort()

    async def close(self) -> None:
        """Disconnect in good order."""
        if not self.closed.is_set():
            with suppress(OSError, WebSocketException):
                await self._websocket.send("41")
            await self._websocket.close()
        await self.closed.wait()

    async def _read(self) -> None:
        try:
            async for text in self._websocket:
                if self._cut:
                    break
                if isinstance(text, str):
                    await self._packet(text)
        except (OSError, WebSocketException):
            pass
        finally:
            if self.record is not None:
                self.record.closed = time.monotonic()
            self.closed.set()
            for waiting in (self._ready, *self._waiting.values()):
                if not waiting.done():
                    waiting.set_exception(NoAnswer("the connection ended"))
                    waiting.exception()

    async def _packet(self, text: str) -> None:
        match text[:2]:
            case "2":
                await self._websocket.send("3")
            case "42":
                self._event(*orjson.loads(text[2:]))
            case "43":
                start = text.index("[")
                waiting = self._waiting.get(int(text[2:start]))
                if waiting is not None and not waiting.done():
                    waiting.set_result(orjson.loads(text[start:])[0])
            case "44":
                if not self._ready.done():
                    self._ready.set_exception(NoAnswer(text[2:]))
            case "41":
                await self._websocket.close()

    def _event(self, name: str, payload: dict[str, Any]) -> None:
        if name == "connection.ready":
            self.record = self._record(payload)
            self._on_cursor(payload["cursor"])
            self._ready.set_result(payload)
            if self._fragile:
                self.abort()
        elif name == "sync.cursor":
            self._on_cursor(payload["cursor"])
        elif name == "connection.closing":
            self.closing = payload
        elif self.record is not None and payload.get("seq", 0) is None:
            if payload["channel_id"] is not None:
                by = payload["data"].get("user_id", "")
                self.record.passing.append(Passing(payload["channel_id"], name, by, time.monotonic()))
        elif self.record is not None and "seq" in payload:
            entry = entry_of(self.record.user, payload)
            self.record.heard.append(entry)
            self._on_entry(entry)


def entry_of(user: str, event: dict[str, Any]) -> Entry:
    """The entry that an event tells of, as `user` gets it over a socket or from sync."""
    channel, data, type = event["channel_id"], event["data"], event["type"]
    about, text, position = "", None, 0
    if "message" in data:
        message = data["message"]
        about, text = message["id"], None if message["deleted_at"] else message["text"]
    elif type.startswith("member."):
        about = data["user_id"]
    elif type == "membership.added":
        about, position = data["channel"]["id"], data["from_seq"]
    elif type == "membership.removed":
        about, position = data["channel_id"], data["seq"]
    elif type == "unread.changed":
        about, position = data["channel_id"], data["read_number"]
    log = f"c:{channel}" if channel is not None else f"u:{user}"
    return Entry(log, event["seq"], type, about, text, position, time.monotonic(), event["epoch"])
