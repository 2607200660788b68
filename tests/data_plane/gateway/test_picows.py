"""The contract with private parts of uvicorn, picows and aiofastnet that `engineio/websocket.py` relies on.

A new version of one is taken when this file passes with it; then its number is written here and in `pyproject.toml`.
"""

import asyncio
import tomllib
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from picows import WSAutoPingStrategy
from picows.picows import WSProtocol

from data_plane.gateway.engineio.protocol import Limits
from data_plane.gateway.engineio.websocket import MAX_UNREAD_FOR_PONG, _Socket
from data_plane.gateway.turnstile import Turnstile
from tests.data_plane.gateway.echoes import Served, serving
from tests.data_plane.gateway.raw import (
    ACCEPT,
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Raw,
    frame,
    request,
)

TESTED = {"uvicorn": "0.54.0", "picows": "2.3.1", "aiofastnet": "1.2.0"}
MAX_PAYLOAD = 100_000
LIMITS = Limits(max_payload=MAX_PAYLOAD)

IDLE = WSAutoPingStrategy.PING_WHEN_IDLE
Calls = list[tuple[str, Any]]


@pytest.fixture(scope="module", params=["asyncio", "uvloop", "sockets"])
def calls_and_server(request: Any, free_ports: Callable[[int], list[int]]) -> Iterator[tuple[Calls, Served]]:
    """A server on each kind of loop and as a node has it, and the calls that uvicorn made to what the factory gave."""
    calls: Calls = []

    def spying(factory: Any) -> Any:
        def make(*args: Any, **kwargs: Any) -> Any:
            calls.append(("factory", (args, sorted(kwargs))))
            protocol = factory(*args, **kwargs)

            class Spy(asyncio.BufferedProtocol):
                """Stands before the protocol, and steps aside once it has seen `data_received`."""

                def connection_made(self, transport: Any) -> None:
                    calls.append(("connection_made", transport))
                    protocol.connection_made(transport)

                def data_received(self, head: bytes) -> None:
                    calls.append(("data_received", head))
                    calls.append(("protocol then", transport_protocol(calls[-2][1])))
                    protocol.data_received(head)

                def get_buffer(self, hint: int) -> Any:
                    return protocol.get_buffer(hint)

                def buffer_updated(self, size: int) -> None:
                    protocol.buffer_updated(size)

                def __getattr__(self, name: str) -> Any:
                    return getattr(protocol, name)

                def connection_lost(self, error: Exception | None) -> None:
                    protocol.connection_lost(error)

                def pause_writing(self) -> None:
                    protocol.pause_writing()

                def resume_writing(self) -> None:
                    protocol.resume_writing()

                def eof_received(self) -> Any:
                    return protocol.eof_received()

            spy = Spy()
            calls.append(("made", spy))
            return spy

        return make

    with serving(free_ports(1)[0], request.param, LIMITS, spying) as served:
        yield calls, served


def transport_protocol(transport: Any) -> Any:
    """Who gets a transport's bytes at this moment."""
    return transport.get_protocol()


@pytest.fixture
def served(calls_and_server: tuple[Calls, Served]) -> Served:
    return calls_and_server[1]


async def there(served: Served, ask: Callable[[], Any]) -> Any:
    """What the server's own thread says: transports answer no other."""

    async def asked() -> Any:
        return ask()

    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(asked(), served.loop))


async def seen(served: Served) -> int:
    """How many were let in, once the server has done what it had begun."""
    done = asyncio.Event()
    here = asyncio.get_running_loop()
    served.loop.call_soon_threadsafe(here.call_soon_threadsafe, done.set)
    await done.wait()
    return len(served.doors.echoes)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


# -- versions and signatures -------------------------------------------------------------------------------------------


def test_the_pinned_versions_are_the_tested_ones() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    for name, tested in TESTED.items():
        assert version(name) == tested
        assert f"{name}=={tested}" in project["dependencies"]


async def test_picowss_protocol_takes_fifteen_arguments_and_is_a_buffered_protocol() -> None:
    assert issubclass(WSProtocol, asyncio.BufferedProtocol)
    arguments = (None, None, False, lambda _: None, Log(), True, 5.0, False, 20, 20, IDLE, False, 1_000, None, 2_048)
    WSProtocol(*arguments)
    for wrong in (arguments[:-1], (*arguments, None)):
        with pytest.raises(TypeError):
            WSProtocol(*wrong)
    for name in ("get_buffer", "buffer_updated", "connection_made", "connection_lost", "pause_writing", "eof_received"):
        assert callable(getattr(WSProtocol, name))


class Log:
    def isEnabledFor(self, _: int) -> bool:
        return False


async def test_a_buffer_is_writable_and_never_empty() -> None:
    protocol = _Socket(lambda _: None, 1_000, Turnstile())  # type: ignore[arg-type,return-value]
    room = protocol.get_buffer(-1)
    assert isinstance(room, memoryview)
    assert not room.readonly
    assert len(room) > 256
    # What is not the end of a request head is kept, and the room grows.
    for _ in range(3):
        protocol.buffer_updated(len(protocol.get_buffer(-1)))
        assert len(protocol.get_buffer(-1)) > 256


# -- uvicorn's calls ---------------------------------------------------------------------------------------------------


async def test_uvicorn_makes_connects_feeds_and_then_installs_the_protocol(
    calls_and_server: tuple[Calls, Served],
) -> None:
    calls, served = calls_and_server
    calls.clear()
    raw = await Raw.upgraded(served.port)
    names = [name for name, _ in calls]
    assert names == ["factory", "made", "connection_made", "data_received", "protocol then"]
    seen = dict(calls)
    assert seen["factory"] == ((), ["app_state", "config", "server_state"])
    assert seen["protocol then"] is not seen["made"], "the head comes before the protocol is the transport's"
    async with asyncio.timeout(10):
        while await there(served, lambda: transport_protocol(seen["connection_made"])) is not seen["made"]:
            await asyncio.sleep(0.005)
    await raw.close()


async def test_the_headers_of_a_handshake_are_forgotten_when_it_is_over(served: Served) -> None:
    raw = await Raw.upgraded(served.port)
    ws = (await served.echo(raw.sid)).transport._ws
    assert (ws.request.headers, ws.response.headers) == ({}, {})
    await raw.close()


async def test_the_head_is_put_together_again_with_lower_case_names(calls_and_server: tuple[Calls, Served]) -> None:
    calls, served = calls_and_server
    calls.clear()
    query = "EIO=4&transport=websocket&key=pk_%C3%A9&x=a+b"
    head = request(query=query, ORIGIN="  https://a.example  ", X_Forwarded_For="203.0.113.7, 198.51.100.4", X_Odd="é:")
    raw = await Raw.upgraded(served.port, head)
    lines = dict(calls)["data_received"].split(b"\r\n")
    assert lines[0] == f"GET /engine.io/?{query} HTTP/1.1".encode()
    assert b"origin: https://a.example" in [line.strip() for line in lines]
    assert "x-odd: é:".encode("latin-1") in lines
    assert lines[-2:] == [b"", b""]
    asked, origin, address = served.doors.asked[-1]
    assert (asked["key"], asked["x"]) == (["pk_é"], ["a b"])
    assert (origin, address) == ("https://a.example", "198.51.100.4")
    await raw.close()


@pytest.mark.parametrize("connection", ["Upgrade", "upgrade", "keep-alive, Upgrade", "Keep-Alive,upgrade"])
async def test_any_connection_header_that_names_the_upgrade_will_do(served: Served, connection: str) -> None:
    raw = await Raw.open(served.port)
    raw.send(request(Connection=connection))
    head = await raw.head()
    assert head.startswith(b"HTTP/1.1 101 ")
    assert (await raw.frame())[1].startswith(b"0{")
    assert b"sec-websocket-accept: " + ACCEPT.lower() in head.lower()
    await raw.close()


async def test_a_head_in_pieces_is_one_head(served: Served) -> None:
    raw = await Raw.open(served.port)
    for byte in request(Origin="https://a.example"):
        raw.send(bytes((byte,)))
        await raw.writer.drain()
        await asyncio.sleep(0)
    assert (await raw.head()).startswith(b"HTTP/1.1 101 ")
    assert (await raw.frame())[1].startswith(b"0{")
    await raw.close()


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (request(Sec_WebSocket_Key=None), b"400"),
        (request(Sec_WebSocket_Key="short"), b"400"),
        (request(Sec_WebSocket_Key="x" * 30_000), b"400"),
        (request(Sec_WebSocket_Version="12"), b"400"),
        (request(Sec_WebSocket_Version=None), b"400"),
        (request(method="DELETE"), b"400"),
        (request("/other/"), b"404"),
        (request(query="EIO=3&transport=websocket"), b"400"),
        (request(query="EIO=4&transport=polling"), b"400"),
        (request(query="EIO=4&transport=websocket&EIO=4"), b"400"),
    ],
)
async def test_what_is_no_handshake_is_refused_and_nobody_is_let_in(served: Served, head: bytes, status: bytes) -> None:
    before = await seen(served)
    raw = await Raw.open(served.port)
    raw.send(head)
    answer = await asyncio.wait_for(raw.reader.read(), 10)
    assert answer[9:12] == status or (b"x" * 30_000 in head and not answer), answer[:200]
    assert await seen(served) == before
    await raw.close()


async def test_what_comes_along_with_the_upgrade_request_is_dropped(served: Served) -> None:
    # RFC 6455, section 4.1: a client waits for the answer before it sends more. uvicorn drops what comes earlier.
    raw = await Raw.upgraded(served.port, request() + frame(TEXT, b"4early"))
    raw.send(frame(TEXT, b"4later"))
    assert await raw.frame() == (TEXT, b"4later")
    assert (await served.echo(raw.sid)).heard == [b"later"]
    await raw.close()


async def test_half_a_frame_along_with_the_upgrade_request_ends_the_connection(served: Served) -> None:
    whole = frame(TEXT, b"4" + b"\x01" * 60, mask=b"\x00" * 4)
    raw = await Raw.upgraded(served.port, request() + whole[:20])
    raw.send(whole[20:])
    assert await raw.ended() == 1002
    echo = await served.echo(raw.sid)
    await until(lambda: echo.ends == 1)
    assert echo.heard == []


# -- frames ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 124, 125, 126, 1_000, 65_534, 65_535, 65_536, MAX_PAYLOAD - 1])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_a_message_of_any_size_comes_back_whole(served: Served, opcode: int, size: int) -> None:
    raw = await Raw.upgraded(served.port)
    body = bytes(index * 31 % 94 + 33 for index in range(size))
    sent = b"4" + body if opcode == TEXT else body
    raw.send(frame(opcode, sent))
    assert await raw.frame() == (opcode, sent)
    assert (await served.echo(raw.sid)).heard == [body]
    await raw.close()


async def test_a_masked_frame_in_pieces_is_one_frame(served: Served) -> None:
    raw = await Raw.upgraded(served.port)
    for payload in (b"4short", b"4" + b"long " * 60):
        for byte in frame(TEXT, payload):
            raw.send(bytes((byte,)))
            await raw.writer.drain()
            await asyncio.sleep(0)
        assert await raw.frame() == (TEXT, payload)
    await raw.close()


async def test_frames_that_arrive_together_are_answered_in_order(served: Served) -> None:
    raw = await Raw.upgraded(served.port)
    said = [b"4%d" % number for number in range(300)]
    raw.send(b"".join(frame(TEXT, text) for text in said))
    assert [await raw.frame() for _ in said] == [(TEXT, text) for text in said]
    await raw.close()


@pytest.mark.parametrize("last", [PING, PONG])
async def test_answers_leave_at_once_when_a_control_frame_comes_last(served: Served, last: int) -> None:
    raw = await Raw.upgraded(served.port)
    raw.send(frame(TEXT, b"4a") + frame(TEXT, b"4b") + frame(last, b"beat"))
    got = [await raw.frame() for _ in range(3 if last == PING else 2)]
    assert [each for each in got if each[0] == TEXT] == [(TEXT, b"4a"), (TEXT, b"4b")]
    # And what the server says of itself is not held back either.
    served.loop.call_soon_threadsafe((await served.echo(raw.sid)).received, b"4unasked")
    assert await raw.frame() == (TEXT, b"4unasked")
    await raw.close()


async def test_a_ping_is_answered_with_its_own_payload(served: Served) -> None:
    raw = await Raw.upgraded(served.port)
    for payload in (b"", b"beat", b"\x00\xff" * 62):
        raw.send(frame(PING, payload))
        assert await raw.frame() == (PONG, payload)
    await raw.close()


async def test_pings_of_a_client_that_reads_nothing_do_not_fill_the_memory(served: Served) -> None:
    raw = await Raw.upgraded(served.port)
    raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
    flood = frame(PING, b"x" * 125, mask=b"\x00" * 4) * 500
    for _ in range(200):  # 13 MB, which is more than the sockets' buffers hold
        raw.send(flood)
        await raw.writer.drain()
    assert await there(served, (await served.echo(raw.sid)).transport.buffered) <= MAX_UNREAD_FOR_PONG + 200
    raw.writer.transport.abort()


async def test_who_is_paused_is_heard_later_and_in_order(served: Served) -> None:
    raw = await Raw.upgraded(served.port)
    echo = await served.echo(raw.sid)
    raw.send(frame(TEXT, b"4pause") + frame(TEXT, b"4one") + frame(TEXT, b"4pause") + frame(TEXT, b"4two"))
    assert await raw.frame() == (TEXT, b"4pause")
    raw.send(frame(TEXT, b"4three"))
    other = await Raw.upgraded(served.port)
    other.send(frame(TEXT, b"4other"))
    assert await other.frame() == (TEXT, b"4other")

    assert echo.heard == [b"pause"], "what came along with it is kept"
    served.loop.call_soon_threadsafe(echo.transport.resume)
    assert [await raw.frame(), await raw.frame()] == [(TEXT, b"4one"), (TEXT, b"4pause")]
    other.send(frame(TEXT, b"4other"))
    assert await other.frame() == (TEXT, b"4other")
    assert echo.heard == [b"pause", b"one", b"pause"]
    served.loop.call_soon_threadsafe(echo.transport.resume)
    assert [await raw.frame(), await raw.frame()] == [(TEXT, b"4two"), (TEXT, b"4three")]


async def test_who_is_paused_can_be_closed(served: Served) -> None:
    raw = await Raw.upgraded(served.port)
    echo = await served.echo(raw.sid)
    raw.send(frame(TEXT, b"4pause"))
    assert await raw.frame() == (TEXT, b"4pause")
    served.loop.call_soon_threadsafe(echo.transport.close)
    assert (await raw.frame())[0] == CLOSE
    served.loop.call_soon_threadsafe(echo.transport.resume)
    async with asyncio.timeout(10):
        while not echo.ends:
            await asyncio.sleep(0.002)


async def test_a_message_in_parts_is_one_message_and_control_frames_may_come_between(served: Served) -> None:
    raw = await Raw.upgraded(served.port)
    parts = [frame(TEXT, b"4on", fin=False), frame(CONTINUATION, b"", fin=False), frame(PING, b"!")]
    raw.send(b"".join([*parts, frame(CONTINUATION, b"e mes", fin=False), frame(CONTINUATION, b"sage")]))
    got = [await raw.frame() for _ in range(2)]
    assert sorted(got) == sorted([(PONG, b"!"), (TEXT, b"4one message")])
    raw.send(frame(BINARY, b"\x01", fin=False))
    raw.send(frame(CONTINUATION, b"\x02"))
    assert await raw.frame() == (BINARY, b"\x01\x02")
    await raw.close()


async def test_empty_parts_cost_nothing(served: Served) -> None:
    raw = await Raw.upgraded(served.port)
    raw.send(frame(TEXT, b"4a", fin=False))
    raw.send(frame(CONTINUATION, b"", fin=False, mask=b"\x00" * 4) * 100_000)
    await raw.writer.drain()
    raw.send(frame(PING, b"here?"))
    assert await raw.frame() == (PONG, b"here?")
    assert len((await served.echo(raw.sid)).transport._parts) == 2
    raw.send(frame(CONTINUATION, b"b"))
    assert await raw.frame() == (TEXT, b"4ab")
    await raw.close()


WRONG = {
    "unmasked": (frame(TEXT, b"4hello", mask=b""), 1002),
    "unknown opcode": (frame(3, b"x"), 1002),
    "unknown control opcode": (frame(11, b"x"), 1002),
    "a control frame in parts": (frame(PING, b"x", fin=False), 1002),
    "a control frame too long": (b"\x89\xfe\x00\x7e" + b"\x00" * 130, 1002),
    "a continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "text within a message in parts": (frame(TEXT, b"4a", fin=False) + frame(TEXT, b"4b"), 1002),
    "bytes within a message in parts": (frame(TEXT, b"4a", fin=False) + frame(BINARY, b"b"), 1002),
    "a length that is not minimal": (b"\x81\xfe\x00\x05" + b"\x00" * 9, 1002),
    "a length of 2**63": (b"\x81\xff" + b"\x80" + b"\x00" * 11, 1002),
    "too large": (frame(TEXT, b"4" + b"x" * MAX_PAYLOAD), 1009),
    "a head that promises too much": (b"\x81\xff" + (2**62).to_bytes(8, "big") + b"\x00" * 4, 1009),
    "too large in parts": (
        frame(TEXT, b"4" + b"x" * 60_000, fin=False) + frame(CONTINUATION, b"x" * 60_000, fin=False),
        1009,
    ),
    "a close code that is none": (frame(CLOSE, b"\x03\xe7"), 1002),
    "half a close code": (frame(CLOSE, b"\x03"), 1002),
    "a close reason that is no text": (frame(CLOSE, b"\x03\xe8\xff\xff"), 1007),
    "HTTP": (request(), 1002),
    "noise": (b"\x07" * 50_000, 1002),
}


@pytest.mark.parametrize("what", WRONG)
async def test_what_is_no_frame_ends_the_connection_with_the_protocols_code(served: Served, what: str) -> None:
    data, code = WRONG[what]
    raw = await Raw.upgraded(served.port)
    echo = await served.echo(raw.sid)
    raw.send(data)
    assert await raw.ended() == code
    await until(lambda: echo.ends == 1)
    assert echo.heard == []
    await raw.close()


async def test_noise_without_end_is_not_kept(served: Served) -> None:
    raw = await Raw.upgraded(served.port)
    echo = await served.echo(raw.sid)
    raw.send(b"\x07" * 100)
    began = asyncio.get_running_loop().time()
    with pytest.raises(ConnectionError):
        while asyncio.get_running_loop().time() - began < 10:
            raw.send(b"\x07" * 65_536)
            await raw.writer.drain()
            await asyncio.sleep(0)
    await until(lambda: echo.ends == 1)
    raw.writer.transport.abort()


# -- the end -----------------------------------------------------------------------------------------------------------


async def test_a_close_frame_is_answered_and_the_connection_ends(served: Served) -> None:
    raw = await Raw.upgraded(served.port)
    echo = await served.echo(raw.sid)
    raw.send(frame(TEXT, b"4a") + frame(TEXT, b"4b") + frame(CLOSE, (1000).to_bytes(2, "big") + b"bye"))
    assert [await raw.frame() for _ in range(2)] == [(TEXT, b"4a"), (TEXT, b"4b")]
    assert await raw.ended() == 1000
    await until(lambda: echo.ends == 1)
    await raw.close()


async def test_nothing_after_the_close_frame_counts(served: Served) -> None:
    raw = await Raw.upgraded(served.port)
    echo = await served.echo(raw.sid)
    raw.send(frame(CLOSE) + frame(TEXT, b"4late"))
    await raw.ended()
    await until(lambda: echo.ends == 1)
    assert echo.heard == []


@pytest.mark.parametrize("how", ["eof", "reset"])
async def test_a_client_that_goes_without_a_word_is_gone_once(served: Served, how: str) -> None:
    raw = await Raw.upgraded(served.port)
    echo = await served.echo(raw.sid)
    if how == "eof":
        raw.writer.write_eof()
    else:
        raw.writer.transport.abort()
    await until(lambda: echo.ends == 1)
    await asyncio.sleep(0.05)
    assert echo.ends == 1
    await raw.close()


async def test_a_receiver_that_fails_ends_its_own_connection_only(served: Served) -> None:
    bystander = await Raw.upgraded(served.port)
    raw = await Raw.upgraded(served.port)
    echo = await served.echo(raw.sid)
    raw.send(frame(TEXT, b"4fail"))
    assert await raw.ended() == 1011
    await until(lambda: echo.ends == 1)
    bystander.send(frame(TEXT, b"4still here"))
    assert await bystander.frame() == (TEXT, b"4still here")
    await bystander.close()


async def test_who_reads_nothing_is_noticed_and_cut_off(served: Served) -> None:
    raw = await Raw.upgraded(served.port)
    echo = await served.echo(raw.sid)
    raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
    async with asyncio.timeout(30):
        while not echo.clogs:  # more and more, because a client has time for what comes at once
            raw.send(frame(TEXT, b"4tell:500000"))
            await asyncio.sleep(0.01)
    await until(lambda: echo.ends == 1)
    raw.writer.transport.abort()


def test_each_of_the_wrong_frames_is_wrong_for_itself() -> None:
    """The helper that makes them makes right ones too, or the tests above would pass for any input."""
    assert frame(TEXT, b"4hello", mask=b"\x00" * 4) == b"\x81\x86\x00\x00\x00\x004hello"
    assert frame(TEXT, b"ab", mask=b"\x01\x02\x03\x04") == b"\x81\x82\x01\x02\x03\x04" + bytes((0x60, 0x60))
