"""One HTTP request to another process of the shard, over TCP (`host:port`) or a Unix socket (`unix:/path`)."""

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final, NamedTuple

CONNECT_SECONDS: Final = 2.0
ANSWER_SECONDS: Final = 60.0
"""More than a poll is held: a ping comes every 25 s."""
_MOST_HEAD: Final = 65_536

Headers = Iterable[tuple[bytes, bytes]]


class Answer(NamedTuple):
    """What came back; header names are in lower case."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class NoAnswer(Exception):
    """The other process is gone, or went while it was asked."""


class Unreachable(NoAnswer):
    """Nobody listens there, so the request was not begun."""


async def connect(address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to it. Raises `Unreachable`."""
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            if address.startswith("unix:"):
                return await asyncio.open_unix_connection(address.removeprefix("unix:"), limit=_MOST_HEAD)
            host, port = split_address(address)
            return await asyncio.open_connection(host, port, limit=_MOST_HEAD)
    except (OSError, ValueError) as error:
        raise Unreachable(f"{address} cannot be reached: {error!r}") from error


async def ask(address: str, method: str, target: bytes, headers: Headers = (), body: bytes = b"") -> Answer:
    """Send it and return the answer. Raises `NoAnswer`. Cancelled, it hangs up, which the other side notices."""
    reader, writer = await connect(address)
    try:
        head = b"%s %s HTTP/1.1\r\nhost: natter\r\nconnection: close\r\ncontent-length: %d\r\n" % (
            method.encode(), target, len(body),
        )  # fmt: skip
        writer.write(head + b"".join(b"%s: %s\r\n" % header for header in headers) + b"\r\n" + body)
        async with asyncio.timeout(ANSWER_SECONDS):
            return await _read(reader)
    except (OSError, EOFError, ValueError, asyncio.LimitOverrunError) as error:
        raise NoAnswer(f"{address} gave no answer: {error!r}") from error
    finally:
        with contextlib.suppress(OSError):
            writer.transport.abort()


def split_address(address: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[v6]:port`. Raises `ValueError`."""
    host, _, port = address.rpartition(":")
    if not host:
        raise ValueError(f"{address!r} is no host:port")
    return host.strip("[]"), int(port)


async def _read(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    status = int(lines[0].split(b" ", 2)[1])
    headers = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(b":") for line in lines[1:])]
    headers = [(name, value) for name, value in headers if name]
    size = int(dict(headers).get(b"content-length", b"0"))
    return Answer(status, headers, await reader.readexactly(size))
