"""What is fuzzed: each target takes any bytes and raises when the code under test does what it must not.

Used by the property tests (hypothesis) and by the harness (atheris), so that what one finds the other repeats.
"""

import asyncio
import base64
import socket
from collections.abc import Callable
from typing import Any, Final

import orjson
import uvicorn

from data_plane.gateway import packets
from data_plane.gateway.attachments import Assembly, take_out
from data_plane.gateway.engineio import polling, protocol
from data_plane.gateway.engineio.frame import Frame
from data_plane.gateway.engineio.protocol import Limits
from data_plane.gateway.engineio.server import EngineServer
from data_plane.gateway.packets import BinaryRefused, NamespaceRefused, Packet, Rules
from kernel.errors import InvalidInput, Malformed, TooLarge
from ops.ports import free_port
from tests.data_plane.gateway.raw import BINARY, CONTINUATION, PING, TEXT, Raw, frame, request
from tests.fuzz.model import read_stream

DOCUMENTED: Final = (BinaryRefused, NamespaceRefused, TooLarge, Malformed, InvalidInput)
EVERYTHING: Final = Rules(namespaces=True, attachments=10, arguments=20)
MAX_PAYLOAD: Final = 4_096

Target = Callable[[bytes], None]


# -- packets -----------------------------------------------------------------------------------------------------------


def packet(data: bytes) -> None:
    """The Socket.IO codec: the documented errors only, and what is read can be written and read again."""
    for rules in (packets.PRODUCT, EVERYTHING):
        try:
            read = packets.decode(data, rules)
        except DOCUMENTED as error:
            orjson.dumps(error.as_dict())
            continue
        check(read, rules)
        if read.type == packets.ACK or (read.type == packets.EVENT and read.namespace == "/"):
            assert packets.decode(written(read), rules) == read


def check(read: Packet, rules: Rules) -> None:
    """What every packet that was accepted must be."""
    assert read.type in (b"0", b"1", b"2", b"3", b"5", b"6")
    assert rules.namespaces or read.namespace == "/" or read.type == packets.CONNECT
    assert read.ack_id is None or 0 <= read.ack_id < 10**packets.MAX_ACK_ID
    assert len(read.event) <= packets.MAX_EVENT_NAME
    assert read.attachments <= rules.attachments
    assert len(read.arguments) <= rules.arguments
    if read.attachments:
        attach(read)


def written(read: Packet) -> bytes:
    """The packet as a client would send it."""
    head = read.type if read.namespace == "/" else read.type + read.namespace.encode() + b","
    body = read.payload if read.type == packets.ACK else [read.event, *read.arguments]
    return head + (b"%d" % read.ack_id if read.ack_id is not None else b"") + dumps(body)


def dumps(value: Any) -> bytes:
    """JSON of any depth; orjson stops at 254 levels when it writes."""
    out: list[str] = []
    pending: list[Any] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, _Text):
            out.append(item)
        elif isinstance(item, list):
            pending.append(_Text("]"))
            for index in range(len(item) - 1, -1, -1):
                pending += [item[index], _Text("," if index else "")]
            pending.append(_Text("["))
        elif isinstance(item, dict):
            pending.append(_Text("}"))
            for index, (key, inner) in reversed(list(enumerate(item.items()))):
                pending += [inner, _Text(("," if index else "") + orjson.dumps(key).decode() + ":")]
            pending.append(_Text("{"))
        else:
            out.append(orjson.dumps(item).decode())
    return "".join(out).encode()


class _Text(str):
    """Text that stands as it is."""


# -- attachments -------------------------------------------------------------------------------------------------------


def attach(read: Packet) -> None:
    """Bring a packet the attachments that it announced: it becomes whole, or is refused."""
    assembly, parts = Assembly(read), [b"part%d" % number for number in range(read.attachments)]
    for number, part in enumerate(parts, 1):
        try:
            whole = assembly.add(part)
        except Malformed:
            return
        assert (whole is not None) == (number == len(parts))
    assert whole is not None
    assert whole.attachments == 0
    value = [whole.payload, *whole.arguments]
    assert filled(take_out(value)) == value


def filled(taken: tuple[Any, list[bytes]]) -> Any:
    """Put back what `take_out` took."""
    value, parts = taken
    assembly = Assembly(Packet(packets.BINARY_EVENT, payload=value, attachments=max(1, len(parts))))
    whole = None
    for part in parts or [b""]:
        whole = assembly.add(part)
    assert whole is not None
    return whole.payload


# -- transports --------------------------------------------------------------------------------------------------------


class Ear:
    """A receiver that notes what it hears."""

    def __init__(self, transport: Any) -> None:
        self.transport = transport
        self.heard: list[tuple[int, bytes]] = []
        self.ends = 0

    def received(self, packet: bytes) -> None:
        message = packet[1:]
        self.heard.append((TEXT, message))
        self.transport.send(Frame(message))

    def received_binary(self, data: bytes) -> None:
        self.heard.append((BINARY, data))
        self.transport.send_binary(data)

    def broken(self) -> None:
        self.transport.close()

    def moved(self, transport: Any) -> None:
        self.transport = transport

    def clogged(self) -> None:
        asyncio.get_running_loop().call_soon(self.transport.close)

    def ended(self) -> None:
        self.ends += 1


class Doors:
    """Lets everybody in; `ear` is who came last."""

    ear: Ear

    def refusal(self, query: dict[str, list[str]], origin: str | None, address: str) -> dict[str, Any] | None:
        return None

    def opened(self, transport: Any, query: dict[str, list[str]], address: str) -> Ear:
        self.ear = Ear(transport)
        return self.ear


class Bench:
    """A server of the gateway's Engine.IO on a real socket, on a loop that runs while a target does."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.doors = Doors()
        self.engine = EngineServer(self.doors, limits=Limits(max_payload=MAX_PAYLOAD), path="/engine.io/")
        self.port = free_port()
        listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        config = uvicorn.Config(
            self._app,
            loop="none",
            http="httptools",
            ws=self.engine.websocket_protocol,  # type: ignore[arg-type]
            lifespan="off",
            log_config=None,
        )
        self._server = uvicorn.Server(config)
        self._serving = self.loop.create_task(self._server._serve([listener]))
        self._failures: list[dict[str, Any]] = []
        self.loop.set_exception_handler(lambda _, context: self._failures.append(context))
        while not self._server.started:
            self.run(asyncio.sleep(0.001))

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        await self.engine(scope, receive, send)

    def run(self, work: Any) -> Any:
        """Do it, then complain about what failed behind its back."""
        result = self.loop.run_until_complete(work)
        assert not self._failures, self._failures
        return result

    def close(self) -> None:
        """Stop the server."""
        self._server.should_exit = True
        self.loop.run_until_complete(self._serving)
        self.loop.close()


_benches: list[Bench] = []


def bench() -> Bench:
    """The process's one."""
    if not _benches:
        _benches.append(Bench())
    return _benches[0]


def polled(data: bytes) -> None:
    """The body of one POST, as ASGI hands it over: taken packet by packet up to the first that is none."""
    bench().run(_polled(bench(), data))


async def _polled(bench: Bench, data: bytes) -> None:
    engine = bench.engine
    session = polling.PollingSession(engine, engine.new_sid())
    engine.polls[session.sid] = session
    ear = Ear(session)
    session.live(ear)
    answers: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        answers.append(message)

    pieces = [data[: len(data) // 2], data[len(data) // 2 :]]

    async def receive() -> dict[str, Any]:
        piece = pieces.pop(0) if pieces else b""
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    query = f"EIO=4&transport=polling&sid={session.sid}".encode()
    await polling.serve(engine, {"method": "POST", "query_string": query, "headers": []}, receive, send)
    status = answers[0]["status"]
    expected, sound = expected_of_payload(data)
    if len(data) > MAX_PAYLOAD:
        assert (status, ear.heard, session.over) == (413, [], True)
    else:
        assert status in (200, 400)
        assert ear.heard == expected
        assert session.broken is not sound
    session.cut()
    assert ear.ends == 1
    assert session.sid not in engine.polls


def expected_of_payload(data: bytes) -> tuple[list[tuple[int, bytes]], bool]:
    """What a receiver hears of a payload, and whether all of it was packets."""
    heard: list[tuple[int, bytes]] = []
    for each in data.split(protocol.SEPARATOR):
        if each[:1] == b"4":
            heard.append((TEXT, each[1:]))
        elif each[:1] == b"1":
            return heard, True
        elif each[:1] == b"b":
            try:
                heard.append((BINARY, base64.b64decode(each[1:], validate=True)))
            except ValueError:
                return heard, False
        elif each[:1] != b"3":
            return heard, False
    return heard, True


def stream(data: bytes) -> None:
    """Bytes after the upgrade, over a real socket: what is heard is what a second, plain reader of frames finds."""
    bench().run(_stream(bench(), data))


async def _stream(bench: Bench, data: bytes) -> None:
    raw = await Raw.open(bench.port)
    raw.send(request())
    assert (await raw.head()).startswith(b"HTTP/1.1 101 ")
    await raw.frame()
    ear = bench.doors.ear
    raw.send(data)
    raw.writer.write_eof()
    try:
        while await asyncio.wait_for(raw.reader.read(65_536), 10):
            pass
    except ConnectionResetError:
        pass
    raw.writer.transport.abort()
    async with asyncio.timeout(10):
        while not ear.ends:
            await asyncio.sleep(0)
    messages, sound = read_stream(data, MAX_PAYLOAD)
    expected = [heard for message in messages for heard in heard_of(*message)]
    # A reset may overtake what was sent before it, and picows drops the frame before one that it refuses.
    assert ear.heard == expected[: len(ear.heard)]
    assert not sound or ear.heard == expected
    assert ear.ends == 1
    assert not bench.engine.lines


def heard_of(opcode: int, payload: bytes) -> list[tuple[int, bytes]]:
    """What a receiver hears of one message."""
    if opcode == BINARY:
        return [(BINARY, payload)]
    return [(TEXT, payload[1:])] if payload[:1] == b"4" else []


def frames(data: bytes) -> None:
    """The same, from bytes that are read as instructions, so that most of what is sent are frames."""
    stream(b"".join(instructed(data)))


def instructed(data: bytes) -> list[bytes]:
    """Frames, right and nearly right ones: two bytes say what, then comes the payload."""
    made: list[bytes] = []
    at = 0
    while at + 2 <= len(data) and len(made) < 200:
        what, size = data[at], data[at + 1]
        payload = data[at + 2 : at + 2 + size]
        at += 2 + size
        opcode = (TEXT, TEXT, BINARY, CONTINUATION, CONTINUATION, PING, 8, what & 0x0F)[what & 7]
        if what & 0x40:
            payload *= 17
        if opcode == TEXT and what & 8:
            payload = b"4" + payload
        whole = frame(opcode, payload, fin=not what & 0x10, mask=b"" if what & 0xE0 == 0xE0 else b"\x01\x02\x03\x04")
        made.append(whole[: size % 7] if what == 0x9F else whole)
    return made


TARGETS: dict[str, Target] = {"packet": packet, "polled": polled, "stream": stream, "frames": frames}
