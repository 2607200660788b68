"""A Socket.IO connection by hand: packets go out as a test wrote them."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests import schemas

WAIT = 10.0


@dataclass
class Line:
    """One WebSocket. `said` holds the packets that came, `code` the WebSocket's close code once it ended."""

    socket: ClientConnection
    said: list[str] = field(default_factory=list)
    code: int | None = None
    acks: int = 0

    @classmethod
    async def open(cls, url: str, query: str = "", *, origin: str | None = None) -> "Line":
        """A transport, open and not yet authenticated."""
        address = f"{url.replace('http', 'ws', 1)}/socket.io/?EIO=4&transport=websocket{query}"
        headers = {"origin": origin} if origin is not None else {}
        socket = await connect(address, additional_headers=headers, max_size=None, proxy=None)
        line = cls(socket)
        await line.until("0")
        return line

    @classmethod
    async def anonymous(cls, url: str, key: str) -> "Line":
        """A connection of nobody, with a publishable key alone."""
        line = await cls.open(url, f"&key={key}")
        await line.send('40{"anonymous":true}')
        await line.until('42["connection.ready"')
        return line

    @classmethod
    async def connected(cls, url: str, token: str) -> "Line":
        """An authenticated connection."""
        line = await cls.open(url)
        await line.send("40" + orjson.dumps({"token": token}).decode())
        await line.until('42["connection.ready"')
        return line

    async def send(self, text: str | bytes) -> None:
        """A text frame, which need not be UTF-8. A line that is closed already takes it silently."""
        try:
            await self.socket.send(text, text=True)
        except ConnectionClosed:
            await self._end()

    async def until(self, start: str, seconds: float = WAIT) -> str | None:
        """The next packet that begins so; null when the line ends before."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    packet = await self.socket.recv()
                    assert isinstance(packet, str)
                    self.said.append(packet)
                    if packet.startswith("42["):
                        schemas.heard(*orjson.loads(packet[2:]))
                    if packet.startswith(start):
                        return packet
        except ConnectionClosed:
            await self._end()
            return None

    async def ask(self, event: str, payload: bytes) -> dict[str, Any] | None:
        """The acknowledgement of an event; null when the line ended instead."""
        self.acks += 1
        await self.send(b'42%d["%b",%b]' % (self.acks, event.encode(), payload))
        packet = await self.until(f"43{self.acks}[")
        if packet is None:
            return None
        found: dict[str, Any] = orjson.loads(packet.partition("[")[2][:-1])
        schemas.answered(event, found)
        return found

    def events(self, name: str) -> list[Any]:
        """The payloads of the events of one name that came."""
        start = f'42["{name}",'
        return [orjson.loads(packet.removeprefix(start)[:-1]) for packet in self.said if packet.startswith(start)]

    async def _end(self) -> None:
        await self.socket.wait_closed()
        self.code = self.socket.close_code

    async def close(self) -> None:
        await self.socket.close()
