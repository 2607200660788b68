"""HTTP by hand: a request goes out byte for byte as a test wrote it, which no client library allows."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson

Headers = Iterable[tuple[str, bytes | str]]


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, Any]:
        """The problem document; empty when it is none."""
        if self.headers.get("content-type") != "application/problem+json":
            return {}
        found: dict[str, Any] = orjson.loads(self.body)
        return found

    def __str__(self) -> str:
        return f"{self.status} {self.body[:300].decode(errors='replace')}"


async def request(
    url: str, method: str, target: str, headers: Headers = (), body: bytes | None = None, *, chunks: int = 0
) -> Answer:
    """One request on a connection of its own. With `chunks` the body goes in so many pieces, its length untold."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        head = [f"{method} {target} HTTP/1.1".encode(), f"host: {where.netloc}".encode(), b"connection: close"]
        head += [name.encode() + b": " + (v if isinstance(v, bytes) else v.encode()) for name, v in headers]
        if body is not None:
            head.append(b"transfer-encoding: chunked" if chunks else b"content-length: %d" % len(body))
        writer.write(b"\r\n".join(head) + b"\r\n\r\n")
        if body is not None:
            await _send(writer, body, chunks)
        said = await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()
    return _parse(said)


async def _send(writer: asyncio.StreamWriter, body: bytes, chunks: int) -> None:
    if not chunks:
        writer.write(body)
        return
    size = -(-len(body) // chunks)
    for start in range(0, len(body), size):
        piece = body[start : start + size]
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await asyncio.sleep(0)
    writer.write(b"0\r\n\r\n")


def _parse(said: bytes) -> Answer:
    head, _, body = said.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = b"".join(_pieces(body))
    return Answer(int(status.split()[1]) if status else 0, headers, body)


def _pieces(body: bytes) -> Iterator[bytes]:
    while body:
        size, _, body = body.partition(b"\r\n")
        yield body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
