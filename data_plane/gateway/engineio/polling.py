"""HTTP long-polling: a GET waits for packets, a POST brings them.

Browsers, Node.js and balancers send a request again by themselves when a connection that they had kept is reset, and
nobody can tell whether the first one was answered. A client marks each of its requests with a `t` of its own, so a
request that comes again is known by it: what it brought is not taken twice, and what it was answered is answered again.
"""

import asyncio
import base64
import binascii
from collections import deque
from typing import TYPE_CHECKING, Any, Final

import orjson

from data_plane.gateway.engineio import protocol
from data_plane.gateway.engineio.frame import Frame
from data_plane.gateway.engineio.slow import Judge
from data_plane.gateway.peers import Router
from data_plane.gateway.peers.hops import HEADER
from kernel.logging import get_logger

if TYPE_CHECKING:
    from data_plane.gateway.engineio.server import EngineServer, Receiver, WebSocketSession

_log = get_logger(__name__)
_TEXT: Final = b"text/plain; charset=UTF-8"
LAST_POLL: Final = 5.0
"""Seconds in which a client may fetch what was sent before its session was closed."""
_PACKETS_AT_ONCE: Final = 100
"""Packets of one request that are taken before others have their turn: it may hold a hundred thousand."""
_MOST_MARK: Final = 64
"""Characters of a request's `t` that is worth remembering."""
SLOWEST_POLL: Final = 32_768
"""Bytes a second that a client takes at least: 16 packets of 200 bytes ten times a second."""
# Credentials are bearer tokens inside packets, never cookies, so any page may read the answers; whether its origin may
# use the app is decided at the handshake.
_CORS: Final = (b"access-control-allow-origin", b"*")


class PollingSession:
    """A client that polls. A `Transport`."""

    __slots__ = (
        "_awaits_pong", "_ending", "_judging", "_paused", "_poll", "_queue", "_receiver", "_server", "_timer",
        "_waiting", "answered", "broken", "brought", "over", "sid", "taken", "upgrading",
    )  # fmt: skip

    def __init__(self, server: "EngineServer", sid: str) -> None:
        self._server = server
        self.sid = sid
        self.over = False
        """Whether it was closed, or handed over to a WebSocket."""
        self.broken = False
        """Whether the client sent what is no packet."""
        self.taken = 0
        """Packets that the client has fetched."""
        self.answered: tuple[str, bytes] | None = None
        """The `t` of the last GET, and what it was answered, until the next one shows that it arrived."""
        self.brought: str | None = None
        """The `t` of the last POST."""
        self.upgrading: WebSocketSession | None = None
        self._receiver: Receiver | None = None
        self._queue: deque[bytes] = deque()
        self._waiting = 0
        self._poll: asyncio.Future[None] | None = None
        self._paused: asyncio.Future[None] | None = None
        self._awaits_pong = False
        self._ending = self._judging = False
        self._timer: asyncio.TimerHandle | None = None

    def live(self, receiver: "Receiver") -> None:
        """The handshake is done."""
        self._receiver = receiver
        self._timer = asyncio.get_running_loop().call_later(self._server.limits.ping_interval, self._ping)

    # -- as a transport ----------------------------------------------------------------------------------------------

    def send(self, frame: Frame) -> None:
        """Queue it for the next poll."""
        for message in frame.messages:
            self.put(protocol.MESSAGE + message)

    send_soon = send

    def send_binary(self, data: bytes) -> None:
        """Queue a binary message."""
        self.put(protocol.BINARY + base64.b64encode(data))

    def buffered(self) -> int:
        """Bytes that wait for the next poll."""
        return self._waiting

    def mark(self) -> int:
        """Packets so far."""
        return self.taken + len(self._queue)

    def passed(self, mark: int) -> bool:
        """Whether the client has fetched them."""
        return self.taken >= mark

    def pause(self) -> None:
        """Let the client's next request wait for its answer: it sends one after the other."""
        if self._paused is None and not self.over:
            self._paused = asyncio.get_running_loop().create_future()

    def resume(self) -> None:
        """Answer it."""
        paused, self._paused = self._paused, None
        if paused is not None and not paused.done():
            paused.set_result(None)

    async def takes_more(self) -> None:
        """Return when the client may send its next request."""
        if self._paused is not None:
            await self._paused

    def close(self) -> None:
        """End it once the client has fetched what waits, or has had `LAST_POLL` seconds to."""
        if self.over or self._ending:
            return
        self._ending = True
        self._stop_timer()
        if self._queue:
            asyncio.get_running_loop().call_later(LAST_POLL, self._not_fetched)
        else:
            self.cut()

    def _not_fetched(self) -> None:
        if not self.over:
            _log.info("polling.not_fetched", packets=len(self._queue))
            self.cut()

    def cut(self) -> None:
        """End it now."""
        if self.over:
            return
        self.over = True
        self._stop_timer()
        self._server.polls.pop(self.sid, None)
        self.release_poll()
        self.resume()
        if self.upgrading is not None:
            self.upgrading.cut()
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.ended()

    # -- packets -----------------------------------------------------------------------------------------------------

    def put(self, packet: bytes) -> None:
        """Queue an Engine.IO packet."""
        if self.over:
            return
        self._queue.append(packet)
        self._waiting += len(packet)
        if self._poll is not None and not self._poll.done() and self.upgrading is None:
            self._poll.set_result(None)
        if self._waiting > self._server.max_buffered and not self._judging and not self._ending:
            self._judging = True
            Judge(self._behind, limit=self._server.max_buffered, rate=SLOWEST_POLL, over=self._judged)

    def _behind(self) -> int | None:
        return self._waiting if self._receiver is not None and not self._ending else None

    def _judged(self, slow: bool) -> None:
        self._judging = False
        if slow and self._receiver is not None:
            # The session ends, and its client must resume: what it has not fetched would only hide the reason from it.
            self.taken += len(self._queue)
            self._queue.clear()
            self._waiting = 0
            self._receiver.clogged()

    async def poll(self) -> bytes | None:
        """What the next answer holds; `None` when another poll waits already, which ends the session."""
        if self._poll is not None:
            self.put(protocol.CLOSE)
            self.cut()
            return None
        if not self._queue and not self.over and self.upgrading is None:
            self._poll = asyncio.get_running_loop().create_future()
            try:
                await self._poll
            finally:
                self._poll = None
        if self.upgrading is not None or not self._queue:
            return protocol.NOOP
        packets = [self._queue.popleft() for _ in range(min(len(self._queue), self._server.limits.poll_packets))]
        self._waiting -= sum(map(len, packets))
        self.taken += len(packets)
        if self._ending and not self._queue:
            self.cut()
        return protocol.SEPARATOR.join(packets)

    def release_poll(self) -> None:
        """Answer a poll that waits, with nothing."""
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)

    def take(self, packet: bytes) -> None:
        """One packet of a request."""
        kind, receiver = packet[:1], self._receiver
        if receiver is None or self.over:
            return
        if kind == protocol.MESSAGE:
            answer = receiver.received(packet)
            if answer is not None:
                self.put(answer)
        elif kind == protocol.PONG:
            self._awaits_pong = False
        elif kind == protocol.CLOSE:
            self.cut()
        elif kind == protocol.BINARY and (data := _from_base64(packet[1:])) is not None:
            receiver.received_binary(data)
        else:
            self.broken = True
            receiver.broken()

    def hand_over(self) -> "tuple[Receiver, list[Frame]]":
        """The client has upgraded: end the polling, and give what it has not fetched to the WebSocket."""
        if self._receiver is None:
            raise RuntimeError("the session is not live")
        self.over = True
        self._stop_timer()
        self._server.polls.pop(self.sid, None)
        self.release_poll()
        self.resume()
        receiver, self._receiver = self._receiver, None
        return receiver, [Frame(packet[1:]) for packet in self._queue if packet[:1] == protocol.MESSAGE]

    # -- heartbeats --------------------------------------------------------------------------------------------------

    def _ping(self) -> None:
        self._awaits_pong = True
        self.put(protocol.PING)
        self._timer = asyncio.get_running_loop().call_later(self._server.limits.ping_timeout, self._check_pong)

    def _check_pong(self) -> None:
        limits = self._server.limits
        if self._awaits_pong:
            self.cut()
            return
        wait = max(0.0, limits.ping_interval - limits.ping_timeout)
        self._timer = asyncio.get_running_loop().call_later(wait, self._ping)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


async def serve(server: "EngineServer", scope: Any, receive: Any, send: Any) -> None:
    """One HTTP request."""
    method = scope["method"]
    if method == "OPTIONS":
        await _answer(send, 204, b"", extra=_PREFLIGHT)
        return
    query = server.query_of(scope)
    if query.get("EIO") != ["4"]:
        await _refuse(send, problem(400, "malformed", "This server speaks Engine.IO 4: `EIO=4`."))
    elif query.get("transport") != ["polling"]:
        await _refuse(send, problem(400, "malformed", "`transport` must be `polling` or, for WebSockets, `websocket`."))
    elif method not in ("GET", "POST"):
        await _refuse(send, problem(400, "malformed", "Polling is GET and POST."))
    elif "sid" not in query:
        await _open(server, scope, query, send)
    else:
        sid = query["sid"][0]
        session = server.polls.get(sid)
        hop = server.step_of(dict(scope["headers"]).get(HEADER), sid)
        if session is None and server.router is not None and server.router.is_elsewhere(sid, hop):
            await _pass_on(server, server.router, sid, scope, receive, send)
        elif hop is not None and ("leave" in query or "release" in query):
            server.move(sid, query)
            await _answer(send, 200, b"ok")
        elif session is None:
            await _refuse(send, no_session())
        elif method == "GET":
            await _get(session, _mark(query), receive, send)
        else:
            await _post(server, session, _mark(query), receive, send)


def _mark(query: dict[str, list[str]]) -> str | None:
    """What tells one request of a client from its others."""
    mark = query.get("t", [""])[0]
    return mark if 0 < len(mark) <= _MOST_MARK else None


async def _open(server: "EngineServer", scope: Any, query: dict[str, list[str]], send: Any) -> None:
    if scope["method"] != "GET":
        await _refuse(send, problem(400, "malformed", "A session begins with GET."))
        return
    headers = dict(scope["headers"])
    origin, forwarded = headers.get(b"origin"), headers.get(b"x-forwarded-for")
    client = scope.get("client")
    address = server.client_address(
        client[0] if client else "", forwarded.decode("latin-1") if forwarded is not None else None
    )
    refusal = server.wire.refusal(query, origin.decode("latin-1") if origin is not None else None, address)
    if refusal is not None:
        await _refuse(send, refusal)
        return
    session = PollingSession(server, server.new_sid())
    server.polls[session.sid] = session
    session.live(server.wire.opened(session, query, address))
    body = protocol.open_packet(session.sid, server.limits, upgrades=["websocket"])
    await _answer(send, 200, body)


async def _get(session: PollingSession, mark: str | None, receive: Any, send: Any) -> None:
    if session.answered is not None and session.answered[0] == mark:
        await _answer(send, 200, session.answered[1])
        return
    session.answered = None
    polled = asyncio.ensure_future(session.poll())
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({polled, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not polled.done():
            # Whoever hangs up in the middle of a poll may have missed its answer: better a new session.
            polled.cancel()
            session.cut()
    if polled.cancelled() or not polled.done():
        return
    packets = polled.result()
    if packets is None:
        await _refuse(send, problem(400, "malformed", "Another request polls this session; it has been closed."))
    else:
        session.answered = (mark, packets) if mark is not None else None
        await _answer(send, 200, packets)


async def _post(server: "EngineServer", session: PollingSession, mark: str | None, receive: Any, send: Any) -> None:
    body = b""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            session.cut()
            return
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > server.limits.max_payload:
            session.cut()
            size = f"{server.limits.max_payload:,}"
            await _refuse(send, problem(413, "too_large", f"A request may have {size} bytes; the session is closed."))
            return
    if server.polls.get(session.sid) is not session:
        # It ended, or moved to a WebSocket, while the request came in: nothing of this was taken.
        await _refuse(send, no_session())
        return
    if mark is not None and session.brought == mark:
        await _answer(send, 200, b"ok")
        return
    session.brought = mark
    for number, packet in enumerate(body.split(protocol.SEPARATOR), 1):
        if session.broken or session.over:
            break
        await session.takes_more()
        session.take(packet)
        if number % _PACKETS_AT_ONCE == 0:
            await asyncio.sleep(0)
    await session.takes_more()
    if session.broken and session.over:
        await _refuse(send, problem(400, "malformed", "This is no Engine.IO payload; the session is closed."))
    else:
        await _answer(send, 200, b"ok")


async def _pass_on(server: "EngineServer", router: Router, sid: str, scope: Any, receive: Any, send: Any) -> None:
    """The session lives elsewhere: the owner answers."""
    body = b""
    if scope["method"] == "POST":
        more = True
        while more and len(body) <= server.limits.max_payload:  # of one that is too large, the owner needs no more
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        body = body[: server.limits.max_payload + 1]
    asked = asyncio.ensure_future(router.pass_on(sid, scope["method"], scope["query_string"], body))
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait({asked, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        if not asked.done():
            asked.cancel()  # hangs up, so that the owner knows
    if asked.cancelled() or not asked.done():
        return
    answer = asked.result()
    if answer is None:
        await _refuse(send, no_session())
        return
    headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def _from_base64(text: bytes) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        return None


async def _disconnected(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def problem(status: int, code: str, detail: str) -> dict[str, Any]:
    """A problem document of this layer, where the classes of `kernel.errors` would say more than there is."""
    from kernel.http.problems import problem_for

    return problem_for(status, code, detail)


def no_session() -> dict[str, Any]:
    """The answer to a session that is not there, or no more. Clients connect anew."""
    return problem(400, "malformed", "There is no session of this `sid`; connect anew.")


async def _refuse(send: Any, document: dict[str, Any]) -> None:
    wait = protocol.retry_after(document)
    extra = ((b"retry-after", wait.encode()),) if wait is not None else ()
    await _answer(send, document["status"], orjson.dumps(document), kind=b"application/problem+json", extra=extra)


_PREFLIGHT: Final = (
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"content-type"),
    (b"access-control-max-age", b"600"),
)


async def _answer(
    send: Any, status: int, body: bytes, *, kind: bytes = _TEXT, extra: tuple[tuple[bytes, bytes], ...] = ()
) -> None:
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        _CORS,
        *extra,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
