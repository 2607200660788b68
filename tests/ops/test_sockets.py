"""Who is known is served first, who comes or goes when its turn has come, and nobody's bytes are lost for it."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiofastnet
import pytest

from data_plane.gateway.turnstile import Turnstile
from ops.entrypoints import sockets as module
from ops.entrypoints.sockets import Sockets

HELD = 500_000
"""Bytes that are more than the system takes for a client that does not read."""


class Held:
    """A line whose turns the test gives."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []

    def enter_waking(self, work: Callable[[], None]) -> None:
        self.waiting.append(work)

    async def go_on(self) -> None:
        """Until nobody waits any more."""
        while self.waiting:
            self.waiting.pop(0)()
            await turns()


class Heard(asyncio.Protocol):
    """Notes what comes, and says what it is told to."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.data: list[bytes] = []
        self.lost: list[Exception | None] = []
        self.full = 0
        self.then: Callable[[bytes], None] = lambda data: None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data.append(data)
        self.then(data)

    def pause_writing(self) -> None:
        self.full += 1

    def resume_writing(self) -> None:
        self.full -= 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)


class House:
    """Sockets that are watched, and the other ends of their connections."""

    def __init__(self, line: Any) -> None:
        self.line = line
        self.sockets = Sockets(line)
        self.here: list[Heard] = []
        self.there: list[socket.socket] = []

    async def join(self, *, known: bool = True) -> tuple[Heard, socket.socket]:
        """A new connection over TCP. One that is `known` has been read as often as it takes, through the line."""
        with socket.create_server(("127.0.0.1", 0)) as listening:
            there = socket.create_connection(listening.getsockname())
            sock, _ = listening.accept()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        there.setblocking(False)
        sock.setblocking(False)
        self.sockets.take_in(sock.fileno())
        loop: Any = self.sockets
        _, heard = await aiofastnet.connect_accepted_socket(loop, Heard, sock)
        self.here.append(heard)
        self.there.append(there)
        for _ in range(module.READS if known else 0):
            there.send(b"?")
            await turns()
            await self.line.go_on()
        heard.data.clear()
        return heard, there


async def turns(count: int = 8) -> None:
    """The loop goes round that often, and looks at its sockets each time."""
    for _ in range(count):
        await asyncio.sleep(0)
    await asyncio.sleep(0.001)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


@asynccontextmanager
async def house(line: Any) -> AsyncIterator[House]:
    made = House(line)
    try:
        yield made
    finally:
        for heard in made.here:
            heard.transport.abort()
        await turns()
        made.sockets.close()
        for there in made.there:
            there.close()


@pytest.fixture
async def held() -> AsyncIterator[House]:
    async with house(Held()) as made:
        yield made


async def test_a_newcomer_is_read_in_its_turn_and_then_like_everybody(held: House) -> None:
    heard, there = await held.join(known=False)
    for word in (b"one", b"two"):
        there.send(word)
        await turns()
        assert word not in heard.data
        await held.line.go_on()
        assert heard.data[-1] == word
    there.send(b"three")
    await until(lambda: heard.data == [b"one", b"two", b"three"])
    assert not held.line.waiting


async def test_ends_wait_while_who_is_left_is_served(held: House) -> None:
    left, other = await held.join()
    left.then = lambda data: left.transport.write(data.upper())
    gone = [await held.join() for _ in range(3 * module.ENDS_AT_ONCE)]
    for at, (_, there) in enumerate(gone):
        if at % 2:  # some are cut off, some say that they go
            there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        there.close()
    for word in (b"a", b"b", b"c"):
        other.send(word)
        async with asyncio.timeout(10):
            assert await asyncio.get_running_loop().sock_recv(other, 10) == word.upper()
    assert not any(heard.lost for heard, _ in gone)
    assert len(held.line.waiting) == 1
    held.line.waiting.pop()()
    await turns()
    assert sum(len(heard.lost) for heard, _ in gone) == module.ENDS_AT_ONCE
    await held.line.go_on()
    assert [len(heard.lost) for heard, _ in gone] == [1] * len(gone)
    assert not left.lost


async def test_what_was_said_before_the_end_is_heard_first(held: House) -> None:
    heard, there = await held.join()
    said = b"x" * HELD
    heard.transport.pause_reading()
    there.setblocking(True)
    sending = asyncio.get_running_loop().run_in_executor(None, lambda: (there.sendall(said), there.close()))
    await turns()
    assert heard.data == []
    heard.transport.resume_reading()
    while not sending.done() or not heard.lost:
        await turns()
        await held.line.go_on()
    assert b"".join(heard.data) == said
    assert heard.lost == [None]


async def test_who_only_listens_any_more_gets_what_waits_for_it(held: House) -> None:
    heard, there = await held.join()
    heard.transport.set_write_buffer_limits(high=1_000)
    heard.transport.write(b"y" * HELD)
    assert heard.full == 1
    there.shutdown(socket.SHUT_WR)
    got = 0
    async with asyncio.timeout(10):
        while got < HELD or not heard.lost:
            with contextlib.suppress(BlockingIOError):
                got += len(there.recv(65_536))
            await turns()
            await held.line.go_on()
    assert got == HELD
    assert heard.lost == [None]


async def test_who_is_cut_off_while_nobody_reads_it_is_noticed_when_it_is_written_to(held: House) -> None:
    heard, there = await held.join()
    heard.transport.pause_reading()
    heard.transport.write(b"y" * HELD)
    there.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    there.close()
    await turns()
    await held.line.go_on()
    await until(lambda: len(heard.lost) == 1)
    assert isinstance(heard.lost[0], OSError)


async def test_one_that_is_closed_by_another_in_the_same_turn_is_not_called(held: House) -> None:
    pairs = [await held.join() for _ in range(10)]
    for heard, _ in pairs:
        heard.then = lambda data: [other.transport.abort() for other, _ in pairs]  # type: ignore[func-returns-value]
    for _, there in pairs:
        there.send(b"!")
    await until(lambda: all(heard.lost for heard, _ in pairs))
    assert sum(len(heard.data) for heard, _ in pairs) == 1


async def test_a_number_that_is_given_again_is_another_sockets(held: House) -> None:
    first, there = await held.join()
    number = first.transport.get_extra_info("socket").fileno()
    there.close()
    await turns()  # its end is noticed, and waits
    first.transport.abort()
    await turns()
    for _ in range(20):
        second, there = await held.join(known=False)
        if second.transport.get_extra_info("socket").fileno() == number:
            break
    else:
        pytest.fail("the system did not use the number again")
    there.send(b"new")
    await turns()
    assert second.data == []  # it is a newcomer, whatever the first was
    await held.line.go_on()
    assert second.data == [b"new"]
    assert len(first.lost) == 1
    assert not second.lost


async def test_a_protocol_that_fails_harms_nobody_else(held: House) -> None:
    bad, there = await held.join(known=False)
    good, other = await held.join(known=False)

    def fail(data: bytes) -> None:
        raise RuntimeError("a defect")

    bad.then = fail
    told: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context["exception"]))
    there.send(b"1")
    other.send(b"2")
    await turns()
    await held.line.go_on()
    assert good.data == [b"2"]
    assert [type(error) for error in told] == [RuntimeError]
    assert len(bad.lost) == 1


async def test_hundreds_come_talk_and_go_through_a_real_line() -> None:
    async with house(Through(Turnstile())) as made:
        pairs = [await made.join(known=False) for _ in range(300)]
        for round_ in range(4):
            for _, there in pairs:
                there.send(b"%d" % round_)
            await until(lambda: all(len(b"".join(heard.data)) == round_ + 1 for heard, _ in pairs))  # noqa: B023
        for _, there in pairs:
            there.send(b"!")
            there.close()
        await until(lambda: all(heard.lost for heard, _ in pairs))
        assert {b"".join(heard.data) for heard, _ in pairs} == {b"0123!"}


class Through:
    """A turnstile, where a test would wait for a held line."""

    def __init__(self, turns: Turnstile) -> None:
        self.enter_waking = turns.enter_waking

    async def go_on(self) -> None:
        """It does by itself."""


async def test_closed_it_leaves_transports_that_can_be_closed_too(held: House) -> None:
    heard, _ = await held.join()
    held.sockets.close()
    held.sockets.close()
    heard.transport.close()
    await until(lambda: heard.lost == [None])
