"""A WebSocket whose session lives on another node: its bytes go there and back, and nobody here looks at them."""

import asyncio
from typing import Any, Final

HIGH_WATER: Final = 65_536
"""Bytes that may wait in either direction. Beyond them the owner's own buffer grows, so it notices a slow consumer."""


class _End(asyncio.Protocol):
    """One of the two connections."""

    def __init__(self, tunnel: "Tunnel") -> None:
        self._tunnel = tunnel
        self.transport: Any = None
        self.other: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.set_write_buffer_limits(high=HIGH_WATER)

    def data_received(self, data: bytes) -> None:
        self.other.write(data)

    def pause_writing(self) -> None:
        self.other.pause_reading()

    def resume_writing(self) -> None:
        if not self.other.is_closing():
            self.other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._tunnel.over.set()
        if self.other is not None:
            self.other.close()


class Tunnel:
    """Joins a client's connection, with the head of its request, and a new one to the owner."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self.over = asyncio.Event()

    async def open(self, host: str, port: int, head: bytes, *, seconds: float) -> None:
        """Connect, pass on the head, then everything. Raises `OSError`, and the client may still be answered."""
        loop = asyncio.get_running_loop()
        there, here = _End(self), _End(self)
        async with asyncio.timeout(seconds):
            upstream, _ = await loop.create_connection(lambda: there, host, port)
        there.other = self._client
        here.other = upstream
        here.connection_made(self._client)
        self._client.set_protocol(here)
        upstream.write(head)
        self._client.resume_reading()
        if self._client.is_closing():
            upstream.close()

    def cut(self) -> None:
        """End it now."""
        self._client.abort()
