"""A Socket.IO client that shows everything: each frame as it came. Engine.IO 4 over one WebSocket."""

import asyncio
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlencode

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from tests import schemas

SECONDS = 10.0


class Wire:
    """One connection. `frames` are Socket.IO packets, oldest first."""

    def __init__(self, websocket: ClientConnection) -> None:
        self._websocket = websocket
        self._changed = asyncio.Event()
        self._acks = 0
        self.frames: list[str] = []
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, url: str, auth: dict[str, Any], *, query: dict[str, str] | None = None) -> Self:
        """Connect, and wait for the server's word: `connection.ready`, or a refusal as the last frame."""
        parameters = urlencode({"EIO": "4", "transport": "websocket"} | (query or {}))
        address = f"{url.replace('http', 'ws', 1)}/socket.io/?{parameters}"
        wire = cls(await connect(address, compression=None, proxy=None, ping_interval=None, max_size=None))
        await wire._websocket.send("40" + orjson.dumps(auth).decode())
        await wire._until(lambda: any(frame[0] == "4" or "connection.ready" in frame for frame in wire.frames))
        return wire

    @property
    def refusal(self) -> str | None:
        """The connect error, if it was refused."""
        return next((frame for frame in self.frames if frame[0] == "4"), None)

    @property
    def events(self) -> list[str]:
        """Everything that the server told by itself; cursors aside, which come to whoever is connected."""
        told = (frame for frame in self.frames if frame[0] == "2")
        return [frame for frame in told if not frame.startswith('2["sync.cursor"')]

    @property
    def open_still(self) -> bool:
        """Whether the server has not hung up."""
        return not self._task.done()

    async def call(self, event: str, payload: Any) -> str:
        """Send an event and return its acknowledgement as text."""
        self._acks += 1
        head = f"3{self._acks}["
        await self._websocket.send(f"42{self._acks}" + orjson.dumps([event, payload]).decode())
        await self._until(lambda: any(frame.startswith(head) for frame in self.frames))
        answer = next(frame[len(head) - 1 :] for frame in self.frames if frame.startswith(head))
        schemas.answered(event, *orjson.loads(answer))
        return answer

    async def close(self) -> None:
        """Hang up."""
        with suppress(WebSocketException, OSError):
            await self._websocket.close()
        await self._task

    async def _until(self, true: Any) -> None:
        async with asyncio.timeout(SECONDS):
            while not true():
                self._changed.clear()
                if self._task.done():
                    raise ConnectionError(f"the connection ended: {self.frames[-3:]}")
                await self._changed.wait()

    async def _read(self) -> None:
        with suppress(WebSocketException, OSError):
            async for text in self._websocket:
                if text == "2":
                    await self._websocket.send("3")
                elif isinstance(text, str) and text[0] == "4":
                    self.frames.append(text[1:])
                    if text.startswith("42["):
                        schemas.heard(*orjson.loads(text[2:]))
                self._changed.set()
        self._changed.set()
