"""Connections are taken in some at a time, and none is lost for it."""

import asyncio
import errno
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiofastnet

from data_plane.gateway.turnstile import Turnstile
from ops.entrypoints import acceptor as module
from ops.entrypoints.acceptor import Acceptor
from ops.entrypoints.sockets import Sockets

WORK = 0.0005
"""Seconds that the loop has with each connection when it begins."""


class Echo(asyncio.Protocol):
    """Says what it hears."""

    def __init__(self) -> None:
        until = time.monotonic() + WORK
        while time.monotonic() < until:
            pass

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[attr-defined]


@asynccontextmanager
async def listening(sock: socket.socket | None = None) -> AsyncIterator[tuple[Acceptor, int]]:
    sock = sock or socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    line = Turnstile()
    sockets = Sockets(line)
    accepting = Acceptor(sock, Echo, line, sockets, 512)
    try:
        yield accepting, port
    finally:
        accepting.close()
        await accepting.wait_closed()
        sockets.close()


async def say(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello")
    said = await reader.readexactly(5)
    writer.close()
    return said


async def test_a_crowd_is_taken_in_while_others_have_turns() -> None:
    async with listening() as (_, port):
        crowd = []
        for _ in range(200):  # in the system's queue, all of them, before the loop looks once
            crowd.append(sock := socket.create_connection(("127.0.0.1", port)))
            sock.send(b"hello")
            sock.setblocking(False)
        loop, longest, last = asyncio.get_running_loop(), 0.0, time.monotonic()
        answers = asyncio.gather(*(loop.sock_recv(sock, 5) for sock in crowd))
        turns = 0
        while not answers.done():
            await asyncio.sleep(0)
            now = time.monotonic()
            turns, longest, last = turns + 1, max(longest, now - last), now
        assert set(await answers) == {b"hello"}
        assert turns >= 200 // module.AT_ONCE, f"{turns} turns, the longest {longest * 1000:.0f} ms"
        for sock in crowd:
            sock.close()


class Full(socket.socket):
    """A process that can open no more files, until it can."""

    refusals = 3

    def accept(self) -> tuple[socket.socket, object]:
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_who_comes_while_no_more_files_can_be_opened_waits(monkeypatch) -> None:
    monkeypatch.setattr(module, "RETRY", 0.01)
    sock = Full()
    sock.bind(("127.0.0.1", 0))
    async with listening(sock) as (_, port), asyncio.timeout(10):
        assert await say(port) == b"hello"
    assert sock.refusals == 0


async def test_closed_it_takes_nobody_in_and_finishes_who_was_coming() -> None:
    async with listening() as (accepting, port), asyncio.timeout(10):
        assert await say(port) == b"hello"
        assert accepting.sockets
        accepting.close()
        accepting.close()
        await accepting.wait_closed()
        assert accepting.sockets == ()
        refused = await asyncio.gather(say(port), return_exceptions=True)
        assert isinstance(refused[0], ConnectionRefusedError)


async def test_one_connection_that_cannot_begin_harms_no_other(monkeypatch) -> None:
    begin, failures = aiofastnet.connect_accepted_socket, [RuntimeError("a defect")]

    async def once(loop, make, sock):
        if failures:
            raise failures.pop()
        return await begin(loop, make, sock)

    monkeypatch.setattr(aiofastnet, "connect_accepted_socket", once)
    async with listening() as (_, port), asyncio.timeout(10):
        first = await asyncio.gather(say(port), return_exceptions=True)
        assert isinstance(first[0], (ConnectionError, asyncio.IncompleteReadError))
        assert await say(port) == b"hello"
