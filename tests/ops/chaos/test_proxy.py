"""The proxy breaks connections in the manner it is told, and heals."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from ops.chaos.proxy import DELAY, Proxy

PATIENCE = 10.0
"""Seconds that an answer may take on a busy machine."""


@pytest.fixture
async def proxy(free_ports: Callable[[int], list[int]]) -> AsyncIterator[Proxy]:
    """To a server that sends back what it gets."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    front, back = free_ports(2)
    server = await asyncio.start_server(echo, "127.0.0.1", back)
    made = Proxy(front, back)
    await made.start()
    yield made
    await made.stop()
    server.close()


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, proxy: Proxy) -> "Client":
        return cls(*await asyncio.open_connection("127.0.0.1", proxy.port))

    async def echo(self, text: bytes, *, seconds: float = PATIENCE) -> bytes:
        self.writer.write(text)
        return await asyncio.wait_for(self.reader.readexactly(len(text)), seconds)

    async def is_silent(self, seconds: float = 0.2) -> bool:
        try:
            await asyncio.wait_for(self.reader.read(1), seconds)
        except TimeoutError:
            return True
        return False


async def test_what_passes_is_what_was_sent(proxy: Proxy):
    client = await Client.to(proxy)
    assert await client.echo(b"hello") == b"hello"
    much = bytes(range(256)) * 20_000
    assert await client.echo(much) == much


async def test_cut_resets_old_connections_and_new_ones(proxy: Proxy):
    client = await Client.to(proxy)
    await client.echo(b"hello")
    proxy.break_with("cut")
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(client.reader.readexactly(1), PATIENCE)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await (await Client.to(proxy)).echo(b"hello")
    proxy.heal()
    assert await (await Client.to(proxy)).echo(b"hello") == b"hello"


async def test_swallow_is_silent_and_brings_everything_in_order_when_it_ends(proxy: Proxy):
    client = await Client.to(proxy)
    await client.echo(b"hello")
    proxy.break_with("swallow")
    for word in (b"one ", b"two ", b"three"):
        client.writer.write(word)
    late = await Client.to(proxy)
    late.writer.write(b"four")
    assert await client.is_silent()
    assert await late.is_silent()
    proxy.heal()
    assert await client.echo(b"") == b""
    assert await asyncio.wait_for(client.reader.readexactly(13), PATIENCE) == b"one two three"
    assert await asyncio.wait_for(late.reader.readexactly(4), PATIENCE) == b"four"


async def test_forget_leaves_old_connections_silent_for_ever(proxy: Proxy):
    client = await Client.to(proxy)
    await client.echo(b"hello")
    proxy.break_with("forget")
    client.writer.write(b"lost")
    proxy.heal()
    assert await (await Client.to(proxy)).echo(b"new") == b"new"
    client.writer.write(b"lost too")
    assert await client.is_silent()


async def test_slow_delays_and_keeps_the_order_over_its_end(proxy: Proxy):
    client = await Client.to(proxy)
    await client.echo(b"hello")
    proxy.break_with("slow")
    began = time.monotonic()
    assert await client.echo(b"slow") == b"slow"
    assert time.monotonic() - began >= 2 * DELAY
    for n in range(20):
        client.writer.write(b"%02d" % n)
        if n == 10:
            proxy.heal()
        await asyncio.sleep(0.01)
    got = await asyncio.wait_for(client.reader.readexactly(40), PATIENCE)
    assert got == b"".join(b"%02d" % n for n in range(20))


async def test_a_server_that_is_away_ends_the_connection(proxy: Proxy, free_ports: Callable[[int], list[int]]):
    away = Proxy(*free_ports(2))
    await away.start()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await (await Client.to(away)).echo(b"hello")
    await away.stop()
