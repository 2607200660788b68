"""WebSocket frames by hand, over a real socket: what no client library would send."""

import asyncio
import contextlib
import json
import os
from dataclasses import dataclass
from typing import Final

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
KEY: Final = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT: Final = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""RFC 6455's own example of a key and its answer (section 1.3)."""
QUERY: Final = "EIO=4&transport=websocket"
WAIT: Final = 10.0


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, mask: bytes | None = None, first: int = 0) -> bytes:
    """A client's frame. `mask`: four bytes, or none at all where it is empty; `first`: more bits of the first byte."""
    mask = os.urandom(4) if mask is None else mask
    size, bit = len(payload), 0x80 if mask else 0
    head = bytes((opcode | (0x80 if fin else 0) | first,))
    if size < 126:
        head += bytes((bit | size,))
    elif size < 65_536:
        head += bytes((bit | 126,)) + size.to_bytes(2, "big")
    else:
        head += bytes((bit | 127,)) + size.to_bytes(8, "big")
    return head + mask + masked(payload, mask)


def masked(payload: bytes, mask: bytes) -> bytes:
    """XOR with the mask (RFC 6455, section 5.3)."""
    if not mask:
        return payload
    whole = mask * (len(payload) // 4 + 1)
    return (int.from_bytes(payload, "big") ^ int.from_bytes(whole[: len(payload)], "big")).to_bytes(len(payload), "big")


def request(path: str = "/engine.io/", query: str = QUERY, *, method: str = "GET", **headers: str | None) -> bytes:
    """An upgrade request. Headers by name, `_` for `-`; `None` leaves one out."""
    fields: dict[str, str | None] = {
        "Host": "natter.example",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": KEY.decode(),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{method} {path}?{query} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items() if value)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


@dataclass
class Raw:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    sid: str = ""
    """Of the Engine.IO session."""

    @classmethod
    async def open(cls, port: int) -> "Raw":
        """A TCP connection."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 22))

    @classmethod
    async def upgraded(cls, port: int, head: bytes | None = None) -> "Raw":
        """A WebSocket whose Engine.IO handshake has been read."""
        raw = await cls.open(port)
        raw.send(head or request())
        answer = await raw.head()
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        opening = (await raw.frame())[1]
        assert opening.startswith(b'0{"sid":')
        raw.sid = json.loads(opening[1:])["sid"]
        return raw

    def send(self, data: bytes) -> None:
        """Bytes as they are."""
        self.writer.write(data)

    async def head(self) -> bytes:
        """The head of an HTTP answer."""
        async with asyncio.timeout(WAIT):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def frame(self) -> tuple[int, bytes]:
        """The next frame's opcode and payload. Raises `IncompleteReadError` at the end of the connection."""
        async with asyncio.timeout(WAIT):
            first, second = await self.reader.readexactly(2)
            assert first & 0x80, "servers here do not fragment"
            assert not second & 0x80, "servers do not mask"
            size = second
            if second >= 126:
                size = int.from_bytes(await self.reader.readexactly(2 if second == 126 else 8), "big")
            return first & 0x0F, await self.reader.readexactly(size)

    async def ended(self) -> int | None:
        """Read to the end; the code of the close frame, if there was one."""
        code = None
        try:
            while True:
                opcode, payload = await self.frame()
                if opcode == CLOSE:
                    code = int.from_bytes(payload[:2], "big")
        except (asyncio.IncompleteReadError, ConnectionResetError):
            return code

    async def close(self) -> None:
        """Gone."""
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()
