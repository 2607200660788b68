"""uvicorn's HTTP protocol, but the head and the body of an answer leave in one write.

uvicorn writes each as it comes, which is two system calls, two packets and two wake-ups of the client.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class OneWriteProtocol(HttpToolsProtocol):
    """Speaks to its transport through one that keeps a head back until the body comes."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(_KeepsHeads(transport, self.loop))  # type: ignore[arg-type]

    def handle_websocket_upgrade(self) -> None:
        """The WebSocket's protocol gets the transport itself."""
        self.transport = self.transport.whole()  # type: ignore[attr-defined]
        super().handle_websocket_upgrade()
        # It holds this, and neither would go until somebody looks for garbage.
        self.parser = None  # type: ignore[assignment]


class _KeepsHeads:
    """The part of a transport that uvicorn uses. A head waits for the next write, or for the loop's next turn."""

    __slots__ = ("_head", "_loop", "_transport", "get_extra_info", "is_closing", "pause_reading", "resume_reading")

    def __init__(self, transport: Any, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head: bytes | None = None
        self.get_extra_info = transport.get_extra_info
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        head = self._head
        if head is not None:
            self._head = None
            self._transport.write(head + data)
        elif data.startswith(b"HTTP/1.1 "):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def whole(self) -> Any:
        """The transport, with nothing kept back."""
        self._flush()
        return self._transport

    def _flush(self) -> None:
        head, self._head = self._head, None
        if head is not None:
            self._transport.write(head)
