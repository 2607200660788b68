"""Who does not take what is sent is told on and cut off; who takes it may be far behind for a moment."""

import asyncio
import os
import socket
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from websockets.asyncio.client import connect

from data_plane.gateway.engineio import server
from data_plane.gateway.engineio.frame import Frame
from data_plane.gateway.engineio.server import CLOSE_GRACE, EngineServer
from ops.entrypoints.server import Server

LIMIT = 100_000
KERNEL = 6_000_000
"""More than the system takes for a client that reads nothing."""


class Receiver:
    """One client, as the gateway sees it."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.clogged_times = 0

    def clogged(self) -> None:
        self.clogged_times += 1
        self.transport.close()

    def received(self, packet: bytes) -> None: ...

    def ended(self) -> None: ...


class Doors:
    def __init__(self) -> None:
        self.receivers: list[Receiver] = []

    def refusal(self, query: dict[str, list[str]], origin: str | None, address: str) -> None:
        return None

    def opened(self, transport: Any, query: dict[str, list[str]], address: str) -> Receiver:
        self.receivers.append(Receiver(transport))
        return self.receivers[-1]


@pytest.fixture
async def house(free_ports: Callable[[int], list[int]]) -> AsyncIterator[tuple[Doors, int]]:
    doors = Doors()
    (port,) = free_ports(1)
    engine = EngineServer(doors, max_buffered=LIMIT)  # type: ignore[arg-type]
    http = Server(
        uvicorn.Config(
            engine, host="127.0.0.1", port=port, loop="none", ws=engine.websocket_protocol, lifespan="off",
            log_config=None, access_log=False, timeout_graceful_shutdown=1,
        )  # type: ignore[arg-type]
    )  # fmt: skip
    serving = asyncio.create_task(http.serve())
    while not http.started:
        await asyncio.sleep(0.01)
    yield doors, port
    await engine.stop()
    http.should_exit = True
    await serving


@asynccontextmanager
async def deaf(port: int) -> AsyncIterator[socket.socket]:
    """A client that reads nothing once it is connected."""
    loop, line = asyncio.get_running_loop(), socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.setblocking(False)
    await loop.sock_connect(line, ("127.0.0.1", port))
    head = (
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}\r\n\r\n"
    )
    await loop.sock_sendall(line, head.encode())
    heard = b""
    while b'"sid"' not in heard:
        heard += await loop.sock_recv(line, 4096)
    yield line
    line.close()


async def until(condition: Callable[[], object], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_client_that_reads_may_get_far_more_at_once_than_may_wait(house: tuple[Doors, int]):
    doors, port = house
    address = f"ws://127.0.0.1:{port}/socket.io/?EIO=4&transport=websocket"
    async with connect(address, compression=None, proxy=None, max_size=None) as client:
        await client.recv()
        large = Frame(b"x" * (KERNEL + 50 * LIMIT))
        for _ in range(3):
            doors.receivers[0].transport.send(large)
            assert len(await client.recv()) == KERNEL + 50 * LIMIT + 1
        await asyncio.sleep(1.0)
        doors.receivers[0].transport.send(Frame(b"still here"))
        assert await client.recv() == "4still here"
    assert doors.receivers[0].clogged_times == 0


async def test_a_client_that_reads_nothing_is_told_on_and_reset(
    house: tuple[Doors, int], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(server, "SLOWEST", 2_000_000)
    doors, port = house
    async with deaf(port) as line:
        (receiver,) = doors.receivers
        receiver.transport.send(Frame(b"x" * (KERNEL + 2 * LIMIT)))
        await until(lambda: receiver.clogged_times, 5.0)
        assert receiver.clogged_times == 1
        await until(lambda: line.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), CLOSE_GRACE + 2.0)


async def test_who_falls_behind_by_another_limit_gets_no_more_time(house: tuple[Doors, int]):
    doors, port = house
    async with deaf(port):
        (receiver,) = doors.receivers
        receiver.transport.send(Frame(b"x" * (KERNEL + 2 * LIMIT)))
        await asyncio.sleep(0.5)
        assert not receiver.clogged_times, "at 256 kB/s this takes seconds"
        receiver.transport.send(Frame(b"x" * 2 * LIMIT))
        await until(lambda: receiver.clogged_times, 1.0)
