"""A client that reads a byte a second is closed with a code, holds little memory until then, and disturbs nobody."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest

from data_plane.gateway.connection import MAX_BUFFERED
from data_plane.gateway.engineio.server import CLOSE_GRACE
from kernel.ids import parse_id
from tests.clients.conftest import Connect
from tests.clients.installation import Installation, RunningNode, Tenant
from tests.clients.test_chat import texts

BIG = "x" * 4_900
SLACK = 1_000_000
"""What comes between two looks at who is behind; such a client may be so by twice the bound."""


class Slow:
    """A raw connection that reads only when it is told to."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        self.socket.setblocking(False)

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def read(self, size: int) -> bytes:
        return await asyncio.get_running_loop().sock_recv(self.socket, size)

    async def open(self) -> "Slow":
        await asyncio.get_running_loop().sock_connect(self.socket, ("127.0.0.1", self._port))
        return self

    async def get(self, path: str, body: bytes | None = None) -> bytes:
        """A whole answer."""
        method = b"GET" if body is None else b"POST"
        await self.send(
            b"%s %s HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s"
            % (method, path.encode(), len(body or b""), body or b"")
        )
        data = b""
        while b"\r\n\r\n" not in data:
            data += await self.read(65_536)
        head, _, rest = data.partition(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        while len(rest) < size:
            rest += await self.read(65_536)
        return rest

    async def drip(self) -> None:
        """Read a byte a second."""
        with contextlib.suppress(ConnectionError):
            while await self.read(1):
                await asyncio.sleep(1)


@pytest.fixture
async def slow(installation: Installation) -> AsyncIterator[Slow]:
    made = await Slow(installation.nodes[0].port).open()
    yield made
    made.socket.close()


def held(node: RunningNode) -> int:
    """Bytes that wait for the slowest client."""
    return max(waiting(node).values(), default=0)


def waiting(node: RunningNode) -> dict[Any, int]:
    """Bytes that wait for each client."""
    engine = node.node.engine
    return {line: line.buffered() for line in (*engine.lines, *engine.polls.values())}


async def flood(tenant: Tenant, node: RunningNode, until: Callable[[], bool]) -> tuple[int, int]:
    """Post big messages until then; returns how many, and the most that was held for one client."""
    sent = most = 0

    async def post() -> None:
        nonlocal sent, most
        while not until() and sent < 6_000:
            sent += 1
            await tenant.post("/v1/channels/general/messages", text=f"{sent} {BIG}", user_id="bob")
            most = max(most, held(node))

    async with asyncio.timeout(100):
        await asyncio.gather(*(post() for _ in range(16)))
    return sent, most


def told(node: RunningNode, tenant: Tenant) -> Callable[[], bool]:
    app_id = parse_id("app", tenant.snapshot.app_id)
    (connection,) = node.node.gateway.registry.of_user(app_id, "turtle")
    return lambda: connection.closed


async def test_a_websocket_that_reads_a_byte_a_second(
    slow: Slow, connect: Connect, installation: Installation, tenant: Tenant
) -> None:
    node = installation.nodes[0]
    others = {*waiting(node)}  # of other tests: whoever went without a word has until its next ping
    await tenant.channel("general", "turtle", "bob", "hare")
    hare = await connect("javascript-websocket", "hare")
    await hare.event("connection.ready")
    await slow.send(
        b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert b" 101 " in await slow.read(65_536)
    await slow.send(masked(b"40" + orjson.dumps({"token": tenant.token("turtle")})))
    seen = b""
    while b"connection.ready" not in seen:
        seen += await slow.read(65_536)
    dripping = asyncio.create_task(slow.drip())
    sent, most = await flood(tenant, node, told(node, tenant))
    assert MAX_BUFFERED / 2 < most < 2 * MAX_BUFFERED + SLACK
    await asyncio.sleep(CLOSE_GRACE + 1)
    dripping.cancel()
    left = 0
    with pytest.raises(ConnectionResetError):
        while data := await slow.read(65_536):
            left += len(data)
    assert left < 300_000, "the system, too, has let go of what the client did not take"
    await hare.until(lambda: len(texts(hare)) >= sent, "all messages", 30)
    assert not hare.seen("disconnect")
    end = asyncio.get_running_loop().time() + 15
    while left_over := {who: size for who, size in waiting(node).items() if size > 1_000 and who not in others}:
        assert asyncio.get_running_loop().time() < end, left_over
        await asyncio.sleep(0.05)


async def test_a_poll_that_is_read_a_byte_a_second(
    slow: Slow, connect: Connect, installation: Installation, tenant: Tenant
) -> None:
    node = installation.nodes[0]
    await tenant.channel("general", "turtle", "bob", "hare")
    hare = await connect("javascript-polling", "hare", node=1)
    await hare.event("connection.ready")
    opened = await slow.get("/socket.io/?EIO=4&transport=polling")
    path = f"/socket.io/?EIO=4&transport=polling&sid={orjson.loads(opened[1:])['sid']}"
    await slow.get(path, b"40" + orjson.dumps({"token": tenant.token("turtle")}))
    seen = b""
    while b"connection.ready" not in seen:
        seen += await slow.get(path)
    await slow.send(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode())
    dripping = asyncio.create_task(slow.drip())
    sent, most = await flood(tenant, node, told(node, tenant))
    assert MAX_BUFFERED / 2 < most < 2 * MAX_BUFFERED + SLACK
    dripping.cancel()
    # The reason can still be fetched, in the place of a megabyte of what was missed.
    other = await Slow(node.port).open()
    last = await other.get(path)
    other.socket.close()
    assert b"connection.closing" in last
    assert b"slow_consumer" in last
    assert len(last) < MAX_BUFFERED / 10
    await hare.until(lambda: len(texts(hare)) >= sent, "all messages", 30)
    assert not hare.seen("disconnect")


async def test_who_takes_what_it_missed_is_not_slow_however_much_it_is(connect: Connect, tenant: Tenant) -> None:
    await tenant.channel("general", "bob", "polling", "websocket")
    first = {kind: await connect(f"javascript-{kind}", kind) for kind in ("polling", "websocket")}
    cursors = {kind: (await client.event("connection.ready"))["cursor"] for kind, client in first.items()}
    for client in first.values():
        await client.close()
    for n in range(50):
        await asyncio.gather(
            *(tenant.post("/v1/channels/general/messages", text=f"{n}.{m} {BIG}", user_id="bob") for m in range(8))
        )
    for kind, cursor in cursors.items():
        client = await connect(f"javascript-{kind}", kind, cursor=cursor)
        await client.until(lambda client=client: len(texts(client)) == 400, "two megabytes", 40)
        assert len(client.seen("connect")) == 1
        assert not client.received("connection.closing")


def masked(payload: bytes) -> bytes:
    """A client's text frame, with a mask of zeros."""
    size = len(payload)
    head = bytes((0x81, 0x80 | size)) if size < 126 else bytes((0x81, 0xFE, size >> 8, size & 255))
    return head + bytes(4) + payload
