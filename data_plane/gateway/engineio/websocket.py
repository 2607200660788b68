"""WebSockets by picows: no task per connection, no coroutine per packet, frames written as they are.

uvicorn hands each upgrade request here (its `ws` factory). This and `tests/data_plane/gateway/test_picows.py` are the
only places that know private parts: uvicorn's call `factory(config, server_state, app_state)` followed by
`connection_made`, `data_received(head)` and `set_protocol`, picows's class `WSProtocol`, which is a `BufferedProtocol`,
and aiofastnet's `write_nocheck`, which is `write` for bytes on the loop's own thread. Versions are pinned exactly.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec
import orjson
from picows import (
    WSAutoPingStrategy,
    WSCloseCode,
    WSFrame,
    WSListener,
    WSMsgType,
    WSTransport,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSProtocol  # type: ignore[attr-defined]

from data_plane.gateway.engineio.protocol import retry_after
from data_plane.gateway.peers.hops import HEADER
from data_plane.gateway.turnstile import Turnstile

READ_BUFFER: Final = 2_048
HANDSHAKE_TIMEOUT: Final = 5.0
_NO_LINGER: Final = struct.pack("ii", 1, 0)
"""Value of SO_LINGER: on, for no time."""
_TEXT: Final = WSMsgType.TEXT
_BINARY: Final = WSMsgType.BINARY
_CONTINUATION: Final = WSMsgType.CONTINUATION
_CLOSE: Final = WSMsgType.CLOSE
_PING: Final = WSMsgType.PING
MAX_UNREAD_FOR_PONG: Final = 65_536
"""Bytes; who leaves more than this unread gets no more pongs, so that pings alone cannot fill the memory."""
_NO_HEADERS: Final[Any] = {}
"""Of every handshake that is over."""


class Upgrade(msgspec.Struct, frozen=True):
    """A request for a WebSocket."""

    method: str
    path: str
    query: dict[str, list[str]]
    origin: str | None
    address: str
    forwarded: str | None
    hop: str | None = None
    """The proof that another process passed it on; see `peers/hops.py`."""


class Elsewhere(Exception):
    """Another process answers the request: `take(transport, head)` gives it the connection."""

    def __init__(self, take: Callable[[Any, bytes], None]) -> None:
        super().__init__()
        self.take = take


class Refused(Exception):
    """Answer the request with this problem document instead."""

    def __init__(self, problem: dict[str, Any]) -> None:
        super().__init__(problem.get("detail"))
        self.problem = problem

    @property
    def headers(self) -> dict[str, str]:
        """Of the answer."""
        wait = retry_after(self.problem)
        extra = {"Retry-After": wait} if wait is not None else {}
        return {"Content-Type": "application/problem+json", **extra}


class Line(WSListener):
    """One WebSocket. Subclasses say what its messages mean; `write` puts a finished frame on the wire."""

    __slots__ = ("_corked", "_direct", "_parts", "_parts_size", "_tcp", "_ws", "max_payload", "write")

    write: Callable[[bytes], None]

    def __init__(self, max_payload: int) -> None:
        self._ws: WSTransport | None = None
        self._tcp: Any = None
        self._direct: Callable[[bytes], None] | None = None
        """The `write` of an open connection with nothing corked."""
        self._corked: list[bytes] | None = None
        """What leaves together: answers to frames that arrived together, and whatever was said to wait for more."""
        self._parts: list[bytes] | None = None
        self._parts_size = 0
        self.max_payload = max_payload
        self.write = _nowhere

    # -- for subclasses ----------------------------------------------------------------------------------------------

    def connected(self) -> None:
        """The WebSocket is open."""

    def text(self, payload: bytes) -> None:
        """A text message arrived; UTF-8 that nobody has checked yet."""

    def binary(self, payload: bytes) -> None:
        """A binary message arrived."""

    def disconnected(self) -> None:
        """It is gone. Called once, after `connected`."""

    def clogged(self) -> None:
        """More is waiting to be sent than `max_buffered`."""

    # -- what they may do --------------------------------------------------------------------------------------------

    def limit_buffer(self, size: int) -> None:
        """Call `clogged` when more bytes than this wait for the client."""
        self._tcp.set_write_buffer_limits(high=size)

    def cork_for_a_moment(self) -> None:
        """Let what is written now wait for what follows until the loop's turn after the next."""
        if self._corked is None and self.write is not _nowhere:
            self._corked = []
            self.write = self._corked.append
            later = asyncio.get_running_loop().call_soon
            later(later, self._uncork)

    def buffered(self) -> int:
        """Bytes that wait for the client, beyond what the system has taken."""
        return int(self._tcp.get_write_buffer_size()) if self._tcp is not None else 0

    def stop_reading(self) -> None:
        """Leave what the client sends where it is. What has been read already still arrives."""
        if self._tcp is not None and not self._tcp.is_closing():
            self._tcp.pause_reading()

    def read_on(self) -> None:
        """The end of `stop_reading`."""
        if self._tcp is not None and not self._tcp.is_closing():
            self._tcp.resume_reading()

    def shut(self, *, grace: float, code: WSCloseCode = WSCloseCode.OK) -> None:
        """Send what waits, then close; a client that does not take it is cut off after `grace` seconds."""
        ws, tcp = self._ws, self._tcp
        if ws is None or ws.is_disconnected or self.write is _nowhere:
            return
        self._uncork()
        self.write = _nowhere
        if not ws.is_close_frame_sent:
            ws.send_close(code)
        ws.disconnect()
        asyncio.get_running_loop().call_later(grace, _reset, tcp)

    def cut(self) -> None:
        """Close at once."""
        self._corked = None
        self.write = _nowhere
        if self._tcp is not None:
            _reset(self._tcp)

    # -- picows calls these ------------------------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._ws = transport
        # picows keeps them as long as the connection lives, and nobody reads them any more.
        transport.request.headers = transport.response.headers = _NO_HEADERS
        self._tcp = transport.underlying_transport
        self.write = self._direct = getattr(self._tcp, "write_nocheck", self._tcp.write)
        self.connected()

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if (
            self.write is self._direct
            and frame.msg_type is _TEXT  # the very member, and comparing takes twice as long
            and frame.last_in_buffer
            and frame.fin
            and self._parts is None
            and not transport.is_close_frame_sent
        ):
            self.text(frame.get_payload_as_bytes())  # what nearly all are
        else:
            self._other_frame(transport, frame)

    def _other_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        # What is left of a buffer after the end counts no more. picows itself goes on after a frame that it refused,
        # and would hand over the very message that was too large.
        if transport.is_close_frame_sent or self.write is _nowhere:
            return
        kind = frame.msg_type
        if self._corked is None and not frame.last_in_buffer:
            self._corked = []
            self.write = self._corked.append
        if kind == _TEXT and frame.fin and self._parts is None:
            self.text(frame.get_payload_as_bytes())
        elif kind == _CLOSE:
            self.shut(grace=1.0)
        elif kind in (_TEXT, _BINARY, _CONTINUATION):
            self._gather(kind, frame)
        elif kind == _PING and self.buffered() < MAX_UNREAD_FOR_PONG:
            transport.send_pong(frame.get_payload_as_bytes())
        if self._corked is not None and frame.last_in_buffer:
            self._uncork()

    def lost(self) -> None:
        """There is nothing to write to any more. `disconnected` follows."""
        self._corked = None
        self.write = _nowhere

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.lost()
        if self._ws is not None:
            self.disconnected()

    def pause_writing(self) -> None:
        self.clogged()

    def resume_writing(self) -> None:
        pass

    def _uncork(self) -> None:
        waiting, self._corked = self._corked, None
        if waiting is not None:
            self.write = self._direct or _nowhere
            if waiting:
                self.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))

    def _gather(self, kind: WSMsgType, frame: WSFrame) -> None:
        payload = frame.get_payload_as_bytes()
        if (kind == _CONTINUATION) != (self._parts is not None):
            self._parts = None
            self.shut(grace=1.0, code=WSCloseCode.PROTOCOL_ERROR)
            return
        if kind == _BINARY and frame.fin:
            self.binary(payload)
            return
        if self._parts is None:
            # The first part says what the message is.
            self._parts = [b"t" if kind == _TEXT else b"b"]
            self._parts_size = 0
        self._parts_size += len(payload)
        if self._parts_size > self.max_payload:
            self._parts = None
            self.shut(grace=1.0, code=WSCloseCode.MESSAGE_TOO_BIG)
            return
        if payload:  # of empty parts, any number is allowed
            self._parts.append(payload)
        if frame.fin:
            parts, self._parts = self._parts, None
            whole = b"".join(parts[1:])
            (self.text if parts[0] == b"t" else self.binary)(whole)


def _reset(tcp: Any) -> None:
    """Close at once, and have the system forget what it has not sent yet: that may be megabytes, for as long as a
    client reads a byte now and then."""
    if not tcp.is_closing() or tcp.get_write_buffer_size():
        with contextlib.suppress(OSError):
            tcp.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    tcp.abort()


def _nowhere(_: bytes) -> None:
    """Where writes go before the beginning and after the end."""


class _Quiet:
    """A logger that says nothing: picows would make one of its own for every connection."""

    def isEnabledFor(self, _: int) -> bool:
        return False

    def info(self, *_: Any) -> None:
        pass

    log = debug = warning = error = exception = info


_QUIET: Final = _Quiet()


class _Socket(WSProtocol):  # type: ignore[misc]
    """picows's protocol, begun with an upgrade request that another has read."""

    __slots__ = ("_accept", "_tcp", "_turns")

    def __init__(self, accept: Callable[[Upgrade], Line], max_payload: int, turns: Turnstile) -> None:
        super().__init__(
            None,
            None,
            False,
            self._answer,
            _QUIET,
            True,
            HANDSHAKE_TIMEOUT,
            False,
            20,
            20,
            WSAutoPingStrategy.PING_WHEN_IDLE,
            False,  # picows would answer pings without telling of them, of one that is the last of its buffer too
            max_payload,
            None,
            READ_BUFFER,
        )
        self._accept: Any = accept
        self._turns = turns
        self._tcp: Any = None

    def connection_made(self, transport: Any) -> None:
        # picows begins once it is clear that the connection stays here.
        self._tcp = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._tcp = None
        if self.transport is not None:
            if isinstance(self.listener, Line):
                self.listener.lost()
            # When thousands go at once, others have turns in between.
            self._turns.enter(super().connection_lost, exc)

    def data_received(self, head: bytes) -> None:
        """uvicorn's one call: the request's head, put together again."""
        # Until picows has begun, it has no room for what follows.
        self._tcp.pause_reading()
        self._turns.enter(self._begin, head)

    def _begin(self, head: bytes) -> None:
        accept, tcp = self._accept, self._tcp
        self._accept = self._tcp = None
        if tcp is None:
            return  # gone while it waited
        tcp.resume_reading()
        try:
            line = accept(read_upgrade(head, tcp))
        except Elsewhere as elsewhere:
            elsewhere.take(tcp, head)
            return
        except Refused as refused:
            self._accept = WSUpgradeResponseWithListener(
                WSUpgradeResponse.create_error_response(
                    refused.problem["status"],
                    orjson.dumps(refused.problem),
                    refused.headers,
                ),
                None,
            )
        else:
            self._accept = line
        super().connection_made(tcp)
        view = memoryview(_handshake(head))
        while len(view):
            room = self.get_buffer(len(view))
            size = min(len(room), len(view))
            room[:size] = view[:size]
            view = view[size:]
            self.buffer_updated(size)

    def _answer(self, _: Any) -> Any:
        answer, self._accept = self._accept, None
        return answer


def socket_factory(
    accept: Callable[[Upgrade], Line], max_payload: int, turns: Turnstile
) -> Callable[..., asyncio.BaseProtocol]:
    """What uvicorn's setting `ws` takes. `accept` makes a request's `Line`, or raises `Refused`, when its turn has come
    among `turns`."""

    def factory(config: Any, server_state: Any, app_state: Any) -> asyncio.BaseProtocol:
        protocol: asyncio.BaseProtocol = _Socket(accept, max_payload, turns)
        return protocol

    return factory


def read_upgrade(head: bytes, transport: Any) -> Upgrade:
    """What matters of a request's head."""
    lines = head.split(b"\r\n")
    method, target = lines[0].decode("latin-1").split(" ")[:2]
    path, _, query = target.partition("?")
    headers = _headers(lines)
    peer = transport.get_extra_info("peername")
    origin, forwarded = headers.get(b"origin"), headers.get(b"x-forwarded-for")
    return Upgrade(
        method=method,
        path=path,
        query=parse_qs(query),
        origin=origin.decode("latin-1") if origin is not None else None,
        address=str(peer[0]) if peer else "",
        forwarded=forwarded.decode("latin-1") if forwarded is not None else None,
        hop=headers[HEADER].decode("latin-1") if HEADER in headers else None,
    )


def refuse(transport: Any, problem: dict[str, Any]) -> None:
    """Answer an upgrade request, whose connection nobody has taken, with a problem document, and close."""
    body = orjson.dumps(problem)
    head = b"HTTP/1.1 %d Refused\r\ncontent-type: application/problem+json\r\nconnection: close\r\n" % problem["status"]
    transport.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
    transport.close()


def _headers(lines: list[bytes]) -> dict[bytes, bytes]:
    pairs = (line.partition(b":") for line in lines[1:] if line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _handshake(head: bytes) -> bytes:
    """The head with only what a WebSocket handshake needs: picows keeps it as long as the connection lives, and takes
    `Connection: keep-alive, Upgrade`, which is what Firefox sends, for none."""
    headers = _headers(head.split(b"\r\n"))
    kept = [b"GET / HTTP/1.1", b"Host: natter", b"Upgrade: websocket", b"Connection: Upgrade"]
    kept += [
        name + b": " + headers[name] for name in (b"sec-websocket-key", b"sec-websocket-version") if name in headers
    ]
    return b"\r\n".join(kept) + b"\r\n\r\n"
