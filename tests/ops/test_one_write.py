"""An answer leaves in one write, and nothing of it is kept back for long."""

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from ops.entrypoints.http import OneWriteProtocol


class Transport:
    """A transport that keeps its writes."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False
        self.protocol: Any = None

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("127.0.0.1", 1), "sockname": ("127.0.0.1", 2)}.get(name)

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol


class Upgraded:
    """What uvicorn's `ws` makes."""

    def __init__(self, **_: Any) -> None:
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.head = data


async def app(scope: Any, receive: Any, send: Any) -> None:
    """`/slow` waits between head and body, `/many` sends the body in two parts, `/broken` sends no body."""
    headers = [] if scope["path"] == "/many" else [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    if scope["path"] == "/broken":
        raise ValueError
    if scope["path"] == "/slow":
        await asyncio.sleep(0.05)
    if scope["path"] == "/many":
        await send({"type": "http.response.body", "body": b"one", "more_body": True})
    await send({"type": "http.response.body", "body": b"whole"})


@pytest.fixture
async def line() -> tuple[OneWriteProtocol, Transport]:
    """A connection."""
    config = uvicorn.Config(app, ws=Upgraded, lifespan="off", log_config=None)  # type: ignore[arg-type]
    config.load()
    protocol, transport = OneWriteProtocol(config, ServerState(), {}), Transport()
    protocol.connection_made(transport)  # type: ignore[arg-type]
    return protocol, transport


async def ask(line: tuple[OneWriteProtocol, Transport], *heads: str) -> list[bytes]:
    """Send requests; what was written when the last is answered."""
    protocol, transport = line
    transport.writes.clear()
    protocol.data_received("".join(f"{head} HTTP/1.1\r\nhost: n\r\n\r\n" for head in heads).encode())
    async with asyncio.timeout(10):
        while protocol.pipeline or not (protocol.cycle.response_complete or transport.closed):
            await asyncio.sleep(0.005)
    await asyncio.sleep(0.01)
    return transport.writes


async def test_head_and_body_are_one_write(line: tuple[OneWriteProtocol, Transport]) -> None:
    for _ in range(3):
        (whole,) = await ask(line, "GET /")
        assert whole.startswith(b"HTTP/1.1 200 OK\r\n")
        assert whole.endswith(b"\r\n\r\nwhole")


async def test_a_head_without_a_body_goes_out_alone(line: tuple[OneWriteProtocol, Transport]) -> None:
    (head,) = await ask(line, "HEAD /")
    assert head.endswith(b"\r\n\r\n")


async def test_a_head_does_not_wait_for_a_body_that_comes_later(line: tuple[OneWriteProtocol, Transport]) -> None:
    head, body = await ask(line, "GET /slow")
    assert head.endswith(b"\r\n\r\n")
    assert body == b"whole"


async def test_parts_keep_their_order(line: tuple[OneWriteProtocol, Transport]) -> None:
    first, second = await ask(line, "GET /many")
    assert first.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (first + second).endswith(b"\r\n\r\n3\r\none\r\n5\r\nwhole\r\n0\r\n\r\n")


async def test_what_is_kept_back_goes_out_before_the_end(line: tuple[OneWriteProtocol, Transport]) -> None:
    (head,) = await ask(line, "GET /broken")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert line[1].closed


async def test_pipelined_requests_are_answered_in_order(line: tuple[OneWriteProtocol, Transport]) -> None:
    head, body, whole = await ask(line, "GET /slow", "GET /")
    assert (head[-4:], body) == (b"\r\n\r\n", b"whole")
    assert whole.endswith(b"\r\n\r\nwhole")


async def test_a_websocket_gets_the_transport_itself(line: tuple[OneWriteProtocol, Transport]) -> None:
    line[0].data_received(b"GET / HTTP/1.1\r\nhost: n\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
    assert isinstance(line[1].protocol, Upgraded)
    assert line[1].protocol.transport is line[1]
