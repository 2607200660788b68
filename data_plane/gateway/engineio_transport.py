"""Engine.IO by python-engineio: polling, WebSocket and the upgrade between them. Carries packets' text, no more.

The Socket.IO layer above is our own (`packets`, `gateway`), so that its caps hold for every transport. This and
`tests/data_plane/gateway` are the only places that know python-engineio's private parts: a socket's `queue`, which
takes a packet without a coroutine, and a packet's `encode_cache`, which makes one encoding serve all receivers.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

import engineio
import orjson
from engineio.exceptions import QueueEmpty
from engineio.packet import MESSAGE, NOOP, Packet
from engineio.payload import Payload

from data_plane.gateway.connection import Frame
from data_plane.gateway.packets import MAX_PACKET
from data_plane.gateway.posts import NO_PACKET, as_read, packet_or_none, read_post
from kernel.errors import NatterError
from kernel.http.linger import Linger
from kernel.logging import get_logger

PING_INTERVAL: Final = 25
PING_TIMEOUT: Final = 20
POLL_PACKETS: Final = 16
"""Packets in one answer to a poll: python-socketio's client takes no more, and would reconnect for ever."""
_CLOSE_GRACE: Final = 1.0

_log = get_logger(__name__)
ASGI = Callable[[Any, Any, Any], Awaitable[None]]
Receive = Callable[[], Awaitable[Any]]
_ENGINE: Final = "engineio.server"
_CLIENTS_FAULTS: Final = frozenset(
    {
        "Invalid UTF-8 sequence received from client.",  # closed with 1007
        "ASGI callable returned without completing handshake.",  # refused with a problem document
    }
)

MAX_PAYLOAD: Final = MAX_PACKET * 4
"""Bytes of one request, or of one WebSocket message."""
# A polling client sends what it gathered in one request and splits it by bytes alone, so bytes must be the only limit
# that it meets: the library answers a payload of more than 16 packets with success, and drops it.
Payload.max_decode_packets = MAX_PAYLOAD


class Wire(Protocol):
    """What the gateway offers a transport."""

    def origin_refusal(self, query: dict[str, list[str]], origin: str | None) -> dict[str, Any] | None:
        """A problem document when this handshake's origin or key is not allowed."""
        ...

    def opened(self, wire_id: str, transport: "EngineIoSocket", query: dict[str, list[str]], address: str) -> bool:
        """A client opened a transport. False refuses it."""
        ...

    def received(self, wire_id: str, text: str) -> None:
        """A Socket.IO packet arrived. Must not block."""
        ...

    def ended(self, wire_id: str) -> None:
        """The transport is gone."""
        ...


class EngineIoSocket:
    """The sending side of one client, as a `Transport`."""

    __slots__ = ("_closed", "_server", "_sid")

    def __init__(self, server: Any, sid: str) -> None:
        self._server = server
        self._sid = sid
        self._closed = False

    def send(self, frame: Frame) -> None:
        socket = self._server.sockets.get(self._sid)
        if socket is None or self._closed:
            return
        if frame.made is None:
            frame.made = Packet(MESSAGE, frame.text)
        socket.queue.put_nowait(frame.made)

    def buffered(self) -> int:
        socket = self._server.sockets.get(self._sid)
        if socket is None:
            return 0
        # The queue holds packets; its bytes are summed only when there are enough to matter.
        waiting = socket.queue.qsize()
        if waiting < 64:
            return 0
        return sum(len(packet.data or "") for packet in socket.queue._queue if packet is not None)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        socket = self._server.sockets.get(self._sid)
        if socket is None:
            return
        if socket.upgraded:
            socket.queue.put_nowait(None)  # the writer sends what comes before it, then closes the WebSocket
        # A polling client fetches the rest with its next request; a client that does neither is cut off.
        asyncio.get_running_loop().call_later(_CLOSE_GRACE, self._cut)

    def _cut(self) -> None:
        socket = self._server.sockets.get(self._sid)
        if socket is not None:
            # Not the server's `disconnect`: it waits until the queue is fetched, and who is gone never fetches it.
            # No packet that says so either: python-socketio's client takes it for a farewell and does not reconnect.
            task = asyncio.ensure_future(socket.close(wait=False, abort=True))
            task.add_done_callback(lambda t: t.cancelled() or t.exception())


class _Json:
    @staticmethod
    def loads(text: str | bytes) -> Any:
        return orjson.loads(text)

    @staticmethod
    def dumps(value: Any, **_: Any) -> str:
        return orjson.dumps(value).decode()


class EngineIoServer:
    """The ASGI application under `/socket.io/`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._server: Any = engineio.AsyncServer(
            async_mode="asgi",
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_TIMEOUT,
            max_http_buffer_size=MAX_PAYLOAD,
            cors_allowed_origins="*",  # `_refuse` has decided by then, per app
            cors_credentials=False,
            async_handlers=False,
            json=_Json,
            logger=False,
            monitor_clients=True,
        )
        self._server.on("connect", self._connect)
        self._server.on("message", self._message)
        self._server.on("disconnect", self._disconnect)
        self._patiently = Linger(self._serve)
        for name in (_ENGINE, "uvicorn.error"):
            logging.getLogger(name).addFilter(_quietly)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request or WebSocket."""
        await self._patiently(scope, receive, send)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        if "sid" not in query and scope.get("method") != "OPTIONS":
            origin = next((v.decode("latin-1") for k, v in scope["headers"] if k == b"origin"), None)
            refusal = self._wire.origin_refusal(query, origin)
            if refusal is not None:
                await _refuse(scope, receive, send, refusal)
                return
        if scope["type"] == "websocket":
            receive = _only_packets(receive)
        elif scope["method"] == "POST":
            try:
                scope, receive = as_read(scope, await read_post(receive, MAX_PAYLOAD))
            except NatterError as error:
                await _refuse(scope, receive, send, error.as_problem())
                return
        await self._server.handle_request(scope, receive, send)

    async def stop(self) -> None:
        """Stop watching clients."""
        with contextlib.suppress(Exception):
            await self._server.shutdown()

    def _connect(self, sid: str, environ: dict[str, Any]) -> bool | None:
        query = parse_qs(environ.get("QUERY_STRING", ""))
        socket = self._server.sockets[sid]
        socket.poll = lambda: _poll(socket)
        client = environ["asgi.scope"].get("client")
        accepted = self._wire.opened(sid, EngineIoSocket(self._server, sid), query, client[0] if client else "")
        return None if accepted else False

    def _message(self, sid: str, data: Any) -> None:
        # Binary messages have no place in Socket.IO without attachments, which are refused; an empty text is malformed.
        self._wire.received(sid, data if isinstance(data, str) else "5")

    def _disconnect(self, sid: str, *_: Any) -> None:
        socket = self._server.sockets.get(sid)
        if socket is not None and not socket.upgraded:
            # A poll that waits would wait for the next ping, and its client with it.
            socket.queue.put_nowait(Packet(NOOP))
        self._wire.ended(sid)


def _only_packets(receive: Receive) -> Receive:
    """Messages that are no Engine.IO packet as a Socket.IO packet that is none, which is answered as every such.

    The library would end the connection without a word, and leave a traceback in the log.
    """

    async def receive_packet() -> Any:
        message = await receive()
        if message["type"] == "websocket.receive":
            if message.get("text") is not None:
                return {"type": "websocket.receive", "text": packet_or_none(message["text"])}
            if not message.get("bytes"):
                return {"type": "websocket.receive", "text": NO_PACKET}
        return message

    return receive_packet


def _quietly(record: logging.LogRecord) -> bool:
    """What a client did wrong is no error of ours: one line without a traceback. A logging filter."""
    ours = record.name == _ENGINE and record.exc_info
    if record.levelno == logging.ERROR and not ours and (record.name == _ENGINE or record.msg in _CLIENTS_FAULTS):
        record.levelno, record.levelname, record.exc_info = logging.INFO, "INFO", None
    return True


async def _poll(socket: Any) -> list[Any]:
    """What waits for a client: python-engineio's `AsyncSocket.poll`, with a limit for those that poll over HTTP."""
    try:
        packets = [await asyncio.wait_for(socket.queue.get(), PING_INTERVAL + PING_TIMEOUT)]
    except (TimeoutError, asyncio.CancelledError) as error:
        raise QueueEmpty from error
    socket.queue.task_done()
    if packets[0] is None:
        return []
    while not socket.queue.empty() and (socket.upgraded or len(packets) < POLL_PACKETS):
        packet = socket.queue.get_nowait()
        socket.queue.task_done()
        if packet is None:
            socket.queue.put_nowait(None)
            break
        packets.append(packet)
    return packets


async def _refuse(scope: Any, receive: Any, send: Any, problem: dict[str, Any]) -> None:
    body = orjson.dumps(problem)
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", str(len(body)).encode())]
    if scope["type"] == "websocket":
        await receive()
        if "websocket.http.response" in scope.get("extensions", {}):
            await send({"type": "websocket.http.response.start", "status": problem["status"], "headers": headers})
            await send({"type": "websocket.http.response.body", "body": body})
        else:
            await send({"type": "websocket.close", "code": 1008})
        return
    # The page may read why it was refused, though nothing else.
    headers.append((b"access-control-allow-origin", b"*"))
    await send({"type": "http.response.start", "status": problem["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body})
