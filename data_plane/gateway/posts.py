"""What clients post when they poll, as python-engineio can take it.

The library reads a body of any size into memory, answers what it cannot read with success and a traceback, and waits
for a client that it refuses. So a body is read here, within limits, and handed on when it is nothing but packets.
"""

from typing import Any, Final

from data_plane.gateway.packets import BINARY_EVENT
from kernel.errors import Malformed, TooLarge

NO_PACKET: Final = "4?"
"""A Socket.IO packet that is none, which is answered as every such."""
_BINARY: Final = "4" + BINARY_EVENT
_ON_WEBSOCKETS: Final = frozenset("0123456")
_POSTED: Final = frozenset("134")
"""Close, pong, message: for any other the library waits for the client, and its post is not answered."""
_BETWEEN: Final = "\x1e"


def packet_or_none(text: str, types: frozenset[str] = _ON_WEBSOCKETS) -> str:
    """The Engine.IO packet as it is, or in its place one that is refused in order."""
    if text[:1] in types:
        return text
    # Base 64 is how polling carries binary messages, which are refused as such.
    return _BINARY if text[:1] == "b" else NO_PACKET


async def read_post(receive: Any, at_most: int) -> bytes:
    """A body's packets. Raises `TooLarge`, or `Malformed` for what is no UTF-8."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Malformed("The body ended before it was whole.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > at_most:
            raise TooLarge(f"A post may have {at_most:,} bytes.")
    if not body:
        return b""
    try:
        packets = body.decode().split(_BETWEEN)
    except UnicodeDecodeError as error:
        raise Malformed("Packets are UTF-8.") from error
    return _BETWEEN.join(packet_or_none(packet, _POSTED) for packet in packets).encode()


def as_read(scope: Any, body: bytes) -> tuple[Any, Any]:
    """The scope and the `receive` of a request whose body has been read."""
    headers = [
        (name, value) for name, value in scope["headers"] if name not in (b"content-length", b"transfer-encoding")
    ]
    headers.append((b"content-length", str(len(body)).encode()))

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return {**scope, "headers": headers}, receive
