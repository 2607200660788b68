"""The Socket.IO server: handshakes, connections and their end. Transport and features are elsewhere."""

import asyncio
import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from data_plane.fanout.hub import Hub
from data_plane.gateway import closing, packets
from data_plane.gateway.admission import ClientGone
from data_plane.gateway.connection import Connection, Registry, Transport, UserConnection
from data_plane.gateway.dispatcher import Dispatcher
from data_plane.gateway.drain import depart
from data_plane.gateway.engineio.frame import Frame
from data_plane.gateway.session import Gate, Opened, SessionOpener, Wish, expires_in
from data_plane.log import Entry
from data_plane.shard import Shard
from data_plane.sync.cursor import Cursor
from kernel.clock import rfc3339
from kernel.contracts import AppSnapshot
from kernel.errors import InvalidInput, Malformed, NatterError, RateLimited, Unavailable
from kernel.http.problems import as_natter_error
from kernel.ids import app_uuid
from kernel.logging import get_logger

HANDSHAKE_SECONDS: Final = 5.0
HANDSHAKE_PATIENCE: Final = 1.0
"""Seconds more while others who come and go are still waited upon."""
MAX_UNAUTHENTICATED: Final = 100
"""Sockets of one address that have not authenticated yet."""
CURSORS_AT_ONCE: Final = 200
"""Cursors in one round of the follower at most, or a fifth of all connections where that is more."""
CURSOR_PERIOD: Final = 10.0
"""A busy client gets a fresh cursor this often (seconds), so that a resume replays little."""

_log = get_logger(__name__)


class TooManyHandshakes(RateLimited):
    """Too many connections of this address have not authenticated yet."""

    code = "too_many_handshakes"
    title = "Too many unfinished handshakes"


class Wire:
    """One client's transport, before it has a connection and after. What the transport speaks to."""

    __slots__ = (
        "_at_once", "_gateway", "address", "connecting", "connection", "key", "live", "over", "timer", "transport",
    )  # fmt: skip

    def __init__(self, gateway: "Gateway", transport: Transport, key: str | None, address: str) -> None:
        self._gateway = gateway
        self._at_once = gateway.dispatcher.at_once
        self.transport = transport
        self.key = key
        self.address = address
        self.connecting = False
        self.connection: Connection | None = None
        self.live = True
        """Whether the transport is there."""
        self.over = False
        """Whether it was told to go, and its packets count no more while it does."""
        self.timer: asyncio.TimerHandle | None = None

    def received(self, packet: bytes) -> bytes | None:
        """A packet arrived. Returns the answer of an event that is answered from memory."""
        connection = self.connection
        if connection is not None:
            answer = self._at_once(connection, packet)
            if answer is not None:
                return answer
        self._gateway.received(self, packet[1:])
        return None

    def received_binary(self, data: bytes) -> None:
        """Attachments follow a packet that was refused already, so this comes from a client that made it up."""
        self._gateway.received(self, packets.BINARY_EVENT)

    def broken(self) -> None:
        """Something arrived that is no packet."""
        self._gateway.received(self, b"")

    def moved(self, transport: Transport) -> None:
        """The client upgraded to another transport."""
        self.transport = transport
        if self.over or (self.connection is not None and self.connection.closed):
            transport.close()
        elif self.connection is not None:
            self.connection.transport = transport

    def clogged(self) -> None:
        """The client does not keep up."""
        # Not at once: the hub may be in the middle of its recipients.
        later = asyncio.get_running_loop().call_soon
        if self.connection is not None:
            caller = self.connection.caller
            # What waited may have been thrown away: no cursor may come after it.
            self.connection.cursor_at = math.inf
            _log.warning("gateway.slow_consumer", userId=self.connection.user_id, appId=caller.app.app_id)
            later(self.connection.close, closing.SLOW_CONSUMER)
        else:
            later(self.transport.close)

    def leave(self, after_ms: int) -> None:
        """The process that the client's bytes pass through stops."""
        self._gateway.leave(self, after_ms)

    def ended(self) -> None:
        """The transport is gone."""
        self.live = False
        self._gateway.ended(self)


class Gateway:
    """What transports speak to: it judges handshakes, and makes a `Wire` for each client.

    `check_origin(key, origin)` raises a `NatterError` when a handshake with an `Origin` header is not allowed.
    """

    def __init__(
        self,
        shard: Shard,
        hub: Hub,
        dispatcher: Dispatcher,
        opener: SessionOpener,
        gate: Gate,
        check_origin: Callable[[str | None, str | None], None],
    ) -> None:
        self._shard = shard
        self._hub = hub
        self.dispatcher = dispatcher
        self._opener = opener
        self._gate = gate
        self._check_origin = check_origin
        self._wires: set[Wire] = set()
        self._unauthenticated: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.turns = opener.turns
        self.registry = Registry()
        self.draining = False
        self.on_live: Callable[[], None] = lambda: None
        """Called for each connection that is open now."""

    # -- transports call these -------------------------------------------------------------------------------------

    def refusal(self, query: dict[str, list[str]], origin: str | None, address: str) -> dict[str, Any] | None:
        """A problem document when this handshake may not go on."""
        try:
            if self.draining:
                raise Unavailable("This node is being restarted; connect again.", retry_after=1.0)
            if self._unauthenticated.get(address, 0) >= MAX_UNAUTHENTICATED:
                raise TooManyHandshakes()
            self._check_origin(query.get("key", [None])[0], origin)
        except NatterError as error:
            return error.as_problem()
        return None

    def opened(self, transport: Transport, query: dict[str, list[str]], address: str) -> Wire:
        """A client opened a transport; it has five seconds to authenticate."""
        wire = Wire(self, transport, query.get("key", [None])[0], address)
        self._wires.add(wire)
        self._await_authentication(wire)
        return wire

    def received(self, wire: Wire, data: bytes) -> None:
        """A packet arrived. Those of clients without a connection wait for their turn, so that thousands of tokens to
        check keep nobody else waiting for longer than one."""
        if wire.connection is not None:
            self._received(wire, data)
            return
        if data.startswith(packets.CONNECT):
            self._handshake_over(wire)  # from here on it waits for us, not we for it
        self.turns.enter(self._received, wire, data)

    def _received(self, wire: Wire, data: bytes) -> None:
        # What a client sends between its closing and its end must do nothing: its token may have been revoked.
        if wire.over or (wire.connection is not None and wire.connection.closed):
            return
        try:
            packet = packets.decode(data)
        except packets.NamespaceRefused as error:
            wire.transport.send(Frame(packets.encode_connect_error(error.as_dict())))
            self._await_authentication(wire)
            return
        except NatterError as error:
            self._protocol_error(wire, error)
            return
        if packet.type == packets.CONNECT:
            if packet.namespace != "/":
                refusal = packets.NamespaceRefused("There is one namespace: `/`.").as_dict()
                wire.transport.send(Frame(packets.encode_connect_error(refusal, packet.namespace)))
                self._await_authentication(wire)
            elif self.draining and wire.connection is None:
                self._turn_away(wire)
            elif not wire.connecting and wire.connection is None:
                self._connect(wire, packet.payload)
        elif wire.connection is None:
            self._protocol_error(wire, Malformed("The first packet must connect."))
        elif packet.type == packets.EVENT and wire.connection.leaving:
            if packet.ack_id is not None:
                wire.connection.send_frame(_moved(packet.ack_id))
        elif packet.type == packets.EVENT:
            work = self.dispatcher.dispatch(wire.connection, packet)
            if work is not None:
                self._spawn(work)
        elif packet.type == packets.DISCONNECT:
            wire.over = True
            self._detach(wire)
            wire.transport.close()

    def ended(self, wire: Wire) -> None:
        """The transport is gone."""
        self._handshake_over(wire)
        if wire.connection is not None:
            wire.connection.closed = True
        self.turns.enter(self._forget, wire)

    def _forget(self, wire: Wire) -> None:
        self._wires.discard(wire)
        self._detach(wire)

    def leave(self, wire: Wire, after_ms: int) -> None:
        """One client must move, as if this node drained."""
        if wire.connection is not None:
            self._spawn(depart(wire.connection, after_ms))
        elif not wire.connecting:
            self._turn_away(wire)

    # -- the node calls these --------------------------------------------------------------------------------------

    def horizon_reached(self, horizon: int, began: float) -> None:
        """The follower's word: everything below it was delivered to those who were here when its look began, in
        monotonic seconds. Gives cursors to those who heard something since."""
        frame: Frame | None = None
        left = max(CURSORS_AT_ONCE, len(self.registry) // 5)
        for connection in self.registry:
            if not isinstance(connection, UserConnection):
                continue  # nobody comes back to where it was
            if connection.dirty and began - connection.cursor_at >= CURSOR_PERIOD and self._hub.settled(connection):
                if frame is None:
                    cursor = Cursor(self._shard.id, self._shard.epoch, horizon).encode()
                    frame = Frame(packets.encode_event("sync.cursor", orjson.dumps({"cursor": cursor})))
                connection.dirty = False
                connection.cursor_at = self._shard.clock.monotonic()
                # A thousand in one turn of the loop take 40 ms.
                self.turns.enter(self._give_cursor, connection, frame)
                left -= 1
                if not left:
                    break  # whoever came last with a herd is due with it; the others' turn comes in a second

    def _give_cursor(self, connection: UserConnection, frame: Frame) -> None:
        # While it waited, packets of this client may have been thrown away, which it must not pass; see `clogged`.
        if not connection.closed and math.isfinite(connection.cursor_at):
            connection.send_frame(frame)

    def close_user(self, app_id: UUID, user_id: str, valid_after: datetime) -> None:
        """End a user's connections whose tokens were issued before this."""
        for connection in self.registry.of_user(app_id, user_id):
            if connection.issued_at < valid_after:
                connection.close(closing.TOKEN_REVOKED)

    def close_visitors(self, app: AppSnapshot) -> None:
        """End the connections of anonymous visitors whom the app lets in no more, or whose key is no more."""
        for connection in self.registry.visitors_of(app_uuid(app.app_id)):
            if not app.anonymous or connection.caller.key not in app.publishable_keys:
                connection.close(closing.ANONYMOUS_OFF)

    def close_app(self, app_id: UUID) -> None:
        """End every connection of an app that is suspended or gone."""
        for connection in self.registry.of_app(app_id):
            connection.close(closing.APP_SUSPENDED)

    def close_all(self, reason: closing.Closing) -> None:
        """End every connection."""
        for connection in self.registry:
            connection.close(reason)

    def refresh(self, connection: UserConnection, token: str) -> dict[str, Any]:
        """Prolong a connection with a newer access token of the same user. Raises `Unauthenticated`."""
        caller = self._gate.authenticate(token, None)
        if (caller.app_id, caller.user_id) != (connection.app_id, connection.user_id):
            raise InvalidInput("The token is another user's; connect anew instead.", field="token")
        connection.renew(caller)
        self._schedule_expiry(connection)
        return {"expires_at": rfc3339(connection.expires_at)}

    @property
    def open_transports(self) -> int:
        """Clients' transports, with a connection or without."""
        return len(self._wires)

    def turn_away_unconnected(self) -> None:
        """Tell everybody who has no connection yet to come again, elsewhere."""
        for wire in list(self._wires):
            if wire.connection is None and not wire.connecting:
                self._turn_away(wire)

    # -- inside ----------------------------------------------------------------------------------------------------

    def _connect(self, wire: Wire, auth: Any) -> None:
        wire.connecting = True
        try:
            wish = self._opener.identify(auth, wire.key, wire.address)
        except Exception as error:
            self._refuse(wire, error)
        else:
            self._spawn(self._open(wire, wish))

    def _refuse(self, wire: Wire, error: Exception) -> None:
        known = as_natter_error(error)
        if known.status >= 500:
            _log.error("gateway.connect_failed", exc_info=error, code=known.code)
        wire.connecting = False
        self._await_authentication(wire)
        wire.transport.send(Frame(packets.encode_connect_error(known.as_dict())))

    async def _open(self, wire: Wire, wish: Wish) -> None:
        try:
            announced = self._hub.announced
            opened = await self._opener.open(wire.transport, wish, lambda: not self._in_vain(wire))
        except ClientGone:
            return
        except Exception as error:
            self._refuse(wire, error)
            return
        if self._in_vain(wire):
            self._opener.released(opened.connection.caller)
        else:
            self._go_live(wire, opened)
            self._hub.announce_again(announced)

    def _in_vain(self, wire: Wire) -> bool:
        """Whether the client went while its connection was made, or must go elsewhere, which it is told."""
        if self.draining and wire.live and not wire.over:
            self._turn_away(wire)
        return self.draining or wire.over or not wire.live

    def _turn_away(self, wire: Wire) -> None:
        """Tell who has no connection yet to come again, elsewhere."""
        wire.over = True
        wire.transport.send(Frame(packets.encode_event("connection.closing", orjson.dumps(closing.SHUTDOWN.payload()))))
        wire.transport.close()

    def _go_live(self, wire: Wire, opened: Opened) -> None:
        """Without a wait in between, so that nothing can pass between the replay and the streams."""
        connection = wire.connection = opened.connection
        connection.transport = wire.transport  # the client may have upgraded while its state was read
        self.registry.add(connection)
        connection.answer(Frame(packets.encode_connected(connection.id)))  # what follows leaves with it
        connection.emit("connection.ready", opened.ready)
        if opened.replay:
            connection.deliver(encode_entries(opened.replay))
        if opened.replayed_to is not None:
            connection.emit("sync.cursor", {"cursor": opened.replayed_to})
        connection.dirty = False
        connection.cursor_at = self._shard.clock.monotonic()
        self.on_live()
        for key, first in opened.positions.items():
            first_seq = opened.first.get(key.channel_id or "", 0) if opened.first else 0
            self._hub.join(connection, key, first, first_seq=first_seq)
        if isinstance(connection, UserConnection):
            self._schedule_expiry(connection)
        _log.info(
            "gateway.connected",
            userId=connection.user_id,
            appId=connection.caller.app.app_id,
            replayed=len(opened.replay),
        )

    def _schedule_expiry(self, connection: UserConnection) -> None:
        if connection.expiry is not None:
            connection.expiry.cancel()
        seconds = expires_in(connection, self._shard.clock.now())
        connection.expiry = asyncio.get_running_loop().call_later(seconds, connection.close, closing.TOKEN_EXPIRED)

    def _too_late(self, wire: Wire) -> None:
        if len(self.turns):
            # What it said may have come and not have been read: this node is slow then, not the client.
            wire.timer = asyncio.get_running_loop().call_later(HANDSHAKE_PATIENCE, self._too_late, wire)
        elif wire.connection is None and wire.live:
            payload = orjson.dumps(closing.NOT_AUTHENTICATED.payload())
            wire.transport.send(Frame(packets.encode_event("connection.closing", payload)))
            wire.over = True
            wire.transport.close()

    def _await_authentication(self, wire: Wire) -> None:
        if wire.timer is not None or wire.connecting or wire.connection is not None or not wire.live:
            return
        self._unauthenticated[wire.address] = self._unauthenticated.get(wire.address, 0) + 1
        wire.timer = asyncio.get_running_loop().call_later(HANDSHAKE_SECONDS, self._too_late, wire)

    def _handshake_over(self, wire: Wire) -> None:
        if wire.timer is not None:
            wire.timer.cancel()
            wire.timer = None
            self._unauthenticated[wire.address] -= 1
            if not self._unauthenticated[wire.address]:
                del self._unauthenticated[wire.address]

    def _detach(self, wire: Wire) -> None:
        connection, wire.connection = wire.connection, None
        if connection is not None:
            connection.closed = True
            if connection.expiry is not None:
                connection.expiry.cancel()
            self._hub.leave_all(connection)
            self.registry.remove(connection)
            self._opener.released(connection.caller)

    def _protocol_error(self, wire: Wire, error: NatterError) -> None:
        if wire.connection is not None:
            wire.connection.emit("error", error.as_dict())
            wire.connection.close(closing.PROTOCOL_ERROR)
        else:
            wire.transport.send(Frame(packets.encode_connect_error(error.as_dict())))
            wire.over = True
            wire.transport.close()

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _moved(ack_id: int) -> Frame:
    error = Unavailable("This node is being restarted; connect again and repeat the call.", retry_after=1.0)
    return Frame(packets.encode_ack(ack_id, orjson.dumps({"error": error.as_dict()})))


def encode_entries(entries: Sequence[Entry]) -> Frame:
    """The frame of log entries: an event's name is its entry's type."""
    return Frame(*[packets.encode_event(entry.type, entry.event) for entry in entries])
