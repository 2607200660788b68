"""Sessions of Engine.IO: opening, heartbeats, the upgrade, the end."""

import asyncio
import secrets
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Protocol
from urllib.parse import parse_qs

from data_plane.gateway.engineio import polling, protocol
from data_plane.gateway.engineio.frame import Frame
from data_plane.gateway.engineio.protocol import Limits
from data_plane.gateway.engineio.slow import Judge
from data_plane.gateway.engineio.websocket import Elsewhere, Line, Refused, Upgrade, refuse, socket_factory
from data_plane.gateway.peers import Router
from data_plane.gateway.peers.hops import Way
from data_plane.gateway.turnstile import Turnstile
from kernel.http.linger import Linger

CLOSE_GRACE: Final = 1.0
"""Seconds in which a client may fetch what was sent before its connection was closed."""
SLOWEST: Final = 262_144
"""Bytes a second that a client takes at least."""

PATH: Final = "/socket.io/"
_HEADS: Final = protocol.HEADS
_SHORTER: Final = len(_HEADS)
_MESSAGE: Final = protocol.MESSAGE[0]


class Receiver(Protocol):
    """The other side of one client's transport."""

    def received(self, packet: bytes) -> bytes | None:
        """A packet of type message arrived: its type, then UTF-8 that nobody has checked. Must not block. What it
        returns, a packet likewise, is sent at once."""
        ...

    def received_binary(self, data: bytes) -> None:
        """A binary message arrived. Must not block."""
        ...

    def broken(self) -> None:
        """The client sent what is no packet of Engine.IO; nothing more is expected of it."""
        ...

    def moved(self, transport: Any) -> None:
        """The client upgraded; from now on this transport carries it."""
        ...

    def clogged(self) -> None:
        """The client takes in less than it is sent; more than the server's limit waits for it."""
        ...

    def leave(self, after_ms: int) -> None:
        """The process through which the client reaches this one is about to stop: move the client, then."""
        ...

    def ended(self) -> None:
        """The client is gone. Called once."""
        ...


class Patient:
    """Stands before the receiver of a client that is paused, and keeps the messages that had been read by then: no more
    than fit into the buffer of one read."""

    __slots__ = ("kept", "receiver")

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.kept: list[bytes] = []

    def received(self, packet: bytes) -> bytes | None:
        self.kept.append(packet)
        return None

    def received_binary(self, data: bytes) -> None:
        self.receiver.received_binary(data)

    def broken(self) -> None:
        self.receiver.broken()

    def moved(self, transport: Any) -> None:
        self.receiver.moved(transport)

    def clogged(self) -> None:
        self.receiver.clogged()

    def leave(self, after_ms: int) -> None:
        self.receiver.leave(after_ms)

    def ended(self) -> None:
        self.receiver.ended()


class Wire(Protocol):
    """What the server asks of the layer above."""

    def refusal(self, query: dict[str, list[str]], origin: str | None, address: str) -> dict[str, Any] | None:
        """A problem document when this handshake must not go on."""
        ...

    def opened(self, transport: Any, query: dict[str, list[str]], address: str) -> Receiver:
        """A client opened a transport that `refusal` had nothing against."""
        ...


class EngineServer:
    """The HTTP side is an ASGI application, the WebSocket side uvicorn's `ws` factory.

    `max_buffered`: bytes that may wait for one client before its receiver hears `clogged`. `router`: who passes on what
    belongs to sessions of other processes. `turns`: where WebSockets wait to be opened.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        limits: Limits | None = None,
        max_buffered: int = 1_000_000,
        path: str = PATH,
        trusted_proxies: frozenset[str] = frozenset({"127.0.0.1", "::1"}),
        router: Router | None = None,
        turns: Turnstile | None = None,
    ) -> None:
        self.wire = wire
        self.limits = limits or Limits()
        self.max_buffered = max_buffered
        self.router = router
        self.new_sid: Callable[[], str] = router.here.new_sid if router is not None else _plain_sid
        self.polls: dict[str, polling.PollingSession] = {}
        self.lines: set[WebSocketSession] = set()
        self._path = path.rstrip("/")
        self._trusted = trusted_proxies
        self._patiently = Linger(self._serve)
        self._turns = turns or Turnstile()
        self.websocket_protocol = socket_factory(self._accept, self.limits.max_payload, self._turns)

    def given_protocol(self) -> Any:
        """The protocol for a WebSocket's connection that another worker gives; its `data_received` takes the head."""
        accept = partial(self._accept, given=True)
        return socket_factory(accept, self.limits.max_payload, self._turns)(None, None, None)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one HTTP request under the path."""
        await self._patiently(scope, receive, send)

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        await polling.serve(self, scope, receive, send)

    async def stop(self) -> None:
        """Cut off whoever is left."""
        for line in list(self.lines):
            line.cut()
        for session in list(self.polls.values()):
            session.cut()

    def step_of(self, value: bytes | str | None, sid: str) -> Way | None:
        """The step that a request has taken from another process to this one."""
        return self.router.hops.check(value, sid) if self.router is not None else None

    def move(self, sid: str, query: dict[str, list[str]]) -> None:
        """Another process through which a session's requests come is about to stop."""
        polls = self.polls.get(sid)
        if "release" in query and polls is not None:
            polls.release_poll()
        elif "leave" in query:
            line = next((line for line in self.lines if line.sid == sid), None)
            if line is not None and query["leave"][0].isdigit():
                line.leave(min(int(query["leave"][0]), 60_000))

    def _accept(self, request: Upgrade, given: bool = False) -> Line:
        if request.path.rstrip("/") != self._path:
            raise Refused(polling.problem(404, "not_found", "There is no WebSocket at this path."))
        if request.method != "GET":
            raise Refused(polling.problem(400, "malformed", "A WebSocket begins with GET."))
        if request.query.get("EIO") != ["4"]:
            raise Refused(polling.problem(400, "malformed", "This server speaks Engine.IO 4: `EIO=4`."))
        if request.query.get("transport") != ["websocket"]:
            raise Refused(polling.problem(400, "malformed", "`transport` must be `websocket` here."))
        sid = request.query.get("sid")
        if sid is not None:
            session = self.polls.get(sid[0])
            hop: Way | None = "worker" if given else self.step_of(request.hop, sid[0])
            router = self.router
            if session is None and router is not None and router.is_elsewhere(sid[0], hop):
                refusing = partial(refuse, problem=polling.no_session())
                raise Elsewhere(partial(router.pass_on_upgrade, sid[0], refuse=refusing))
            if session is None or session.upgrading is not None:
                return _NoSession(self.limits.max_payload)
            return WebSocketSession(self, session)
        address = self.client_address(request.address, request.forwarded)
        refusal = self.wire.refusal(request.query, request.origin, address)
        if refusal is not None:
            raise Refused(refusal)
        return WebSocketSession(self, None, request.query, address)

    def client_address(self, peer: str, forwarded: str | None) -> str:
        """Whose connection it is: the last hop that a proxy of ours has seen."""
        if forwarded and peer in self._trusted:
            return forwarded.rpartition(",")[2].strip()
        return peer

    def query_of(self, scope: Any) -> dict[str, list[str]]:
        """An HTTP request's query."""
        return parse_qs(scope.get("query_string", b"").decode("latin-1"))


def _plain_sid() -> str:
    return secrets.token_urlsafe(15)


class _NoSession(Line):
    """An upgrade of a session that is not there, or has been upgraded. Clients expect to be let in and cut off."""

    __slots__ = ()

    def connected(self) -> None:
        self.shut(grace=CLOSE_GRACE)


class WebSocketSession(Line):
    """A client on a WebSocket, from the beginning or after an upgrade. A `Transport`."""

    __slots__ = ("_address", "_awaits_pong", "_polls", "_query", "_receiver", "_server", "_timer", "sid")

    def __init__(
        self,
        server: EngineServer,
        polls: "polling.PollingSession | None",
        query: dict[str, list[str]] | None = None,
        address: str = "",
    ) -> None:
        super().__init__(server.limits.max_payload)
        self._server = server
        self._polls = polls
        self._query = query
        self._address = address
        self._receiver: Receiver | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._awaits_pong = False
        self.sid = ""

    # -- as a transport ----------------------------------------------------------------------------------------------

    def send(self, frame: Frame) -> None:
        """Write it. After the end, nothing happens."""
        self.write(frame.wire)

    def send_soon(self, frame: Frame) -> None:
        """Write it together with what else follows before the loop's turn after the next: by then, who waited for the
        same flush has its answer."""
        self.cork_for_a_moment()
        self.write(frame.wire)

    def send_binary(self, data: bytes) -> None:
        """Write a binary message."""
        self.write(protocol.binary_frame(data))

    def mark(self) -> int:
        """The end of what was sent; which one does not matter."""
        return 0

    def passed(self, mark: int) -> bool:
        """Whether the system has taken everything."""
        return self._corked is None and self.buffered() == 0

    def pause(self) -> None:
        """Leave what the client sends to the system, whose buffers are small: soon the client's own send waits."""
        if self._receiver is not None and not isinstance(self._receiver, Patient):
            self._receiver = Patient(self._receiver)
            self.stop_reading()

    def resume(self) -> None:
        """Take what had been read already, then read on."""
        patient = self._receiver
        if not isinstance(patient, Patient):
            return
        self._receiver = patient.receiver
        for at, packet in enumerate(patient.kept):
            if isinstance(self._receiver, Patient):  # paused again by what it was told just now
                self._receiver.kept += patient.kept[at:]
                return
            self.text(packet)
        self.read_on()

    def close(self) -> None:
        """Send what waits, then close."""
        self._stop_timer()
        self.shut(grace=CLOSE_GRACE)

    def leave(self, after_ms: int) -> None:
        """Move the client elsewhere."""
        if self._receiver is not None:
            self._receiver.leave(after_ms)

    # -- the line ----------------------------------------------------------------------------------------------------

    def connected(self) -> None:
        server = self._server
        server.lines.add(self)
        self.limit_buffer(server.max_buffered)
        if self._polls is not None:
            self._polls.upgrading = self
            self._timer = asyncio.get_running_loop().call_later(server.limits.ping_timeout, self._give_up_upgrade)
            return
        self.sid = server.new_sid()
        self.write(protocol.text_frame(protocol.open_packet(self.sid, server.limits, upgrades=[])))
        query, self._query = self._query or {}, None
        self._live(server.wire.opened(self, query, self._address))

    def text(self, payload: bytes) -> None:
        receiver = self._receiver
        if receiver is None:
            self._upgrade(payload)
            return
        if payload and payload[0] == _MESSAGE:
            answer = receiver.received(payload)
            if answer is not None:
                size = len(answer)
                self.write(_HEADS[size] + answer if size < _SHORTER else protocol.text_frame(answer))
        elif payload[:1] == protocol.PONG:
            self._awaits_pong = False
        elif payload[:1] == protocol.CLOSE:
            self.close()
        else:
            receiver.broken()

    def binary(self, payload: bytes) -> None:
        if self._receiver is not None:
            self._receiver.received_binary(payload)
        else:
            self.cut()

    def clogged(self) -> None:
        # When it has caught up, this is called anew.
        Judge(self._behind, limit=self._server.max_buffered, rate=SLOWEST, over=self._judged)

    def _behind(self) -> int | None:
        return self.buffered() if self._receiver is not None else None

    def _judged(self, slow: bool) -> None:
        if slow and self._receiver is not None:
            self._receiver.clogged()

    def disconnected(self) -> None:
        self._stop_timer()
        self._server.lines.discard(self)
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.ended()
        elif self._polls is not None and self._polls.upgrading is self:
            self._polls.upgrading = None

    # -- heartbeats --------------------------------------------------------------------------------------------------

    def _live(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._timer = asyncio.get_running_loop().call_later(self._server.limits.ping_interval, self._ping)

    def _ping(self) -> None:
        self._awaits_pong = True
        self.write(protocol.PING_FRAME)
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

    # -- the upgrade -------------------------------------------------------------------------------------------------

    def _upgrade(self, payload: bytes) -> None:
        polls = self._polls
        if polls is None or polls.over:
            self.cut()
        elif payload == b"2probe":
            self.write(protocol.text_frame(b"3probe"))
            polls.release_poll()
        elif payload == b"5":
            self._stop_timer()
            self._polls = None
            self.sid = polls.sid
            receiver, waiting = polls.hand_over()
            for frame in waiting:
                self.write(frame.wire)
            self._live(receiver)
            receiver.moved(self)
        else:
            self.cut()

    def _give_up_upgrade(self) -> None:
        self._timer = None
        self.cut()
