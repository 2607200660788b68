"""A client for benchmarks that ask one thing after another: one WebSocket in the event loop, a call and its answer.

Speaks just enough Engine.IO and Socket.IO. A line that is left alone only counts bytes, so that a hundred of them that
hear every message do not delay the one that is looked at.
"""

import asyncio
import base64
import os
import time
from typing import Any, Final
from urllib.parse import urlsplit

import orjson

PATIENCE: Final = 60.0
"""Seconds to wait for an answer or an event. What takes longer is no number but a fault."""


class Line(asyncio.Protocol):
    """One connection. `open` makes it."""

    def __init__(self) -> None:
        self._transport: Any = None
        self._buffer = b""
        self._open = False
        self._number = 0
        self._acks: dict[int, asyncio.Future[Any]] = {}
        self._events: list[tuple[str, asyncio.Future[tuple[float, Any]]]] = []
        self._auth: dict[str, Any] = {}
        self.idle = False
        """Whether it answers pings and looks at nothing else."""

    @classmethod
    async def open(cls, url: str, token: str, cursor: str | None = None) -> "tuple[Line, Any]":
        """Connect; returns when `connection.ready` has come, with what it said."""
        parts, loop = urlsplit(url), asyncio.get_running_loop()
        _, line = await loop.create_connection(cls, parts.hostname or "127.0.0.1", parts.port or 80)
        key = base64.b64encode(os.urandom(16)).decode()
        ready = line.hears("connection.ready")
        line._auth = {"token": token} | ({"cursor": cursor} if cursor else {})
        line._transport.write(
            f"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        return line, (await _in_time(ready))[1]

    async def call(self, event: str, **payload: Any) -> Any:
        """Send an event and return its answer. Raises `RuntimeError` for a refusal."""
        self._number += 1
        answer = self._acks[self._number] = asyncio.get_running_loop().create_future()
        self._send(b"42%d%b" % (self._number, orjson.dumps([event, payload])))
        told = await _in_time(answer)
        if isinstance(told, dict) and "error" in told:
            raise RuntimeError(f"{event} was refused: {told}")
        return told

    def hears(self, event: str) -> "asyncio.Future[tuple[float, Any]]":
        """When the next event of this name comes, and what it says."""
        heard: asyncio.Future[tuple[float, Any]] = asyncio.get_running_loop().create_future()
        self._events.append((event, heard))
        return heard

    def close(self) -> None:
        """Hang up."""
        self._transport.close()

    # -- the wire ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self.idle and not self._acks:
            self._buffer = b""
            if b"\x81\x012" in data:
                self._send(b"3")
            return
        self._buffer += data
        if not self._open:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if b" 101 " not in self._buffer[:20]:
                raise RuntimeError(f"the server refused a WebSocket: {self._buffer[:300]!r}")
            self._open, self._buffer = True, self._buffer[end + 4 :]
        at, buffer = 0, self._buffer
        while len(buffer) - at >= 2:
            length, head = buffer[at + 1] & 127, 2
            if length > 125:
                size = 2 if length == 126 else 8
                length, head = int.from_bytes(buffer[at + 2 : at + 2 + size], "big"), 2 + size
            if len(buffer) - at < head + length:
                break
            if buffer[at] & 15 == 1:
                self._packet(buffer[at + head : at + head + length])
            at += head + length
        self._buffer = buffer[at:]

    def connection_lost(self, error: Exception | None) -> None:
        for future in (*self._acks.values(), *(heard for _, heard in self._events)):
            if not future.done():
                future.set_exception(RuntimeError("the server closed a connection"))
                future.exception()  # somebody may be waiting for it, or nobody

    def _packet(self, packet: bytes) -> None:
        if packet == b"2":
            self._send(b"3")
        elif packet.startswith(b"0"):
            self._send(b"40" + orjson.dumps(self._auth))
        elif packet.startswith(b"43"):
            start = packet.index(b"[")
            answer = self._acks.pop(int(packet[2:start]), None)
            if answer is not None and not answer.done():
                answer.set_result(orjson.loads(packet[start:])[0])
        elif packet.startswith(b"42"):
            for name, heard in self._events:
                if packet.startswith(b'42["' + name.encode() + b'"') and not heard.done():
                    heard.set_result((time.perf_counter(), orjson.loads(packet[2:])[1]))
            self._events = [(name, heard) for name, heard in self._events if not heard.done()]

    def _send(self, payload: bytes) -> None:
        """A text frame. Its mask is zero, which leaves the payload as it is and is a mask like any other."""
        size = len(payload)
        length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
        self._transport.write(b"\x81" + length + bytes(4) + payload)


async def _in_time(future: "asyncio.Future[Any]") -> Any:
    async with asyncio.timeout(PATIENCE):
        return await future
