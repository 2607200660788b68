"""A client that takes one byte a second while a channel of its pours: how long its node puts up with it."""

import asyncio
import os
import socket
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import orjson

PADDING: Final = 16_000
"""Characters of each message that pours."""
ENOUGH: Final = 8_000_000
"""Bytes: what the system takes for a client that does not read, what the node lets wait, and as much again."""
SECONDS: Final = 30.0
RECEIVE_BUFFER: Final = 4_096
"""Of the client's socket; what the system takes for it would hide that it does not read."""


async def read_slowly(
    url: str, token: str, pour: Callable[[], Awaitable[int]], log: Path, *, user: str
) -> tuple[str | None, int]:
    """Connect, read one byte a second while `pour` sends messages of so many bytes, until the node ends it.

    Returns what the node's log calls the reason (`closed` when it names none, null when it did not end the connection
    in `SECONDS`), and the bytes poured.
    """
    logged = log.stat().st_size
    line = await _connect(url, token)
    loop = asyncio.get_running_loop()
    poured = 0
    ended = False

    async def sip() -> None:
        nonlocal ended
        # A reset shows as the socket's error long before what lies in its buffer has been read a byte a second.
        with suppress(OSError):
            while await loop.sock_recv(line, 1):
                await asyncio.sleep(1.0)
                if line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    break
        ended = True

    sipping = asyncio.create_task(sip())
    deadline = time.monotonic() + SECONDS
    try:
        while not ended and poured < ENOUGH and time.monotonic() < deadline:
            poured += await pour()
        while not ended and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
    finally:
        sipping.cancel()
        await asyncio.gather(sipping, return_exceptions=True)
        line.close()
    if not ended:
        return None, poured
    said = await asyncio.to_thread(_said, log, logged, user)
    return ("slow_consumer" if said else "closed"), poured


def _said(log: Path, since: int, user: str) -> bool:
    with log.open("rb") as file:
        file.seek(since)
        return any(b"gateway.slow_consumer" in each and user.encode() in each for each in file)


async def _connect(url: str, token: str) -> socket.socket:
    """A Socket.IO connection that has heard `connection.ready`."""
    parts = urlsplit(url)
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    line.setblocking(False)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(15.0):
        await loop.sock_connect(line, (parts.hostname, parts.port))
        request = (
            "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\n"
            f"Host: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}\r\n\r\n"
        )
        await loop.sock_sendall(line, request.encode())
        await _until(line, b"\r\n\r\n")
        connect = b"40" + orjson.dumps({"token": token})
        # A client's frame is masked (RFC 6455, 5.3); a mask of zeros leaves the text as it is.
        await loop.sock_sendall(line, bytes([0x81, 0xFE]) + len(connect).to_bytes(2, "big") + bytes(4) + connect)
        await _until(line, b"connection.ready")
    return line


async def _until(line: socket.socket, what: bytes) -> None:
    heard = b""
    while what not in heard:
        received = await asyncio.get_running_loop().sock_recv(line, 1024)
        if not received:
            raise ConnectionError(f"closed before {what!r}: {heard[-300:]!r}")
        heard += received
