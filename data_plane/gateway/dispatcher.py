"""From a decoded event to its acknowledgement. One for all transports."""

import logging
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, Protocol
from uuid import UUID

import msgspec
import orjson

from data_plane.gateway.connection import Connection, UserConnection
from data_plane.gateway.engineio.frame import Frame
from data_plane.gateway.packets import MAX_ACK_ID, MAX_PACKET, Packet, encode_ack
from data_plane.gateway.routes import ImmediateRoute, Payload, SocketRoute
from data_plane.identity.errors import NOBODY, AnonymousRefused
from data_plane.tenancy.store import require_writable
from kernel.contracts import AppSnapshot
from kernel.errors import InvalidInput, NatterError, NotFound, RateLimited
from kernel.http.convert import convert
from kernel.http.problems import as_natter_error
from kernel.logging import get_logger

MAX_IN_FLIGHT: Final = 100
"""Events of one connection that may await their acknowledgement."""

Answer = Mapping[str, Any] | bytes
"""An acknowledgement: a JSON object, or the bytes of one."""
Handler = Callable[[UserConnection, Any], Awaitable[Answer]]
ReaderHandler = Callable[[Connection, Any], Awaitable[Answer]]
"""One that answers anonymous visitors, too."""
Decode = Callable[[bytes], tuple[str, Any]]
CurrentApp = Callable[[UUID], AppSnapshot | None]

_PLAIN_EVENT: Final = re.compile(rb'42(0|[1-9][0-9]{0,9})(\["([a-z._]{1,64})",)')
"""The beginning of an event that wants an answer: the answer's number, and the event's name."""
MAX_REMEMBERED: Final = 4_096
"""Bodies of events that are answered from memory, read before: who types says the same again and again."""
LONGEST_REMEMBERED: Final = 256
"""Bytes of one."""
_LONGEST_HEAD: Final = 2 + MAX_ACK_ID
_log = get_logger(__name__)


class UnknownEvent(NotFound):
    """No such event; see the reference for those there are."""

    code = "unknown_event"
    title = "Unknown event"


class TooManyInFlight(RateLimited):
    """Too many events of this connection wait for their acknowledgement."""

    code = "too_many_in_flight"
    title = "Too many unanswered events"
    default_retry_after = 0.2


class Limits(Protocol):
    """What keeps a client to its rates; `data_plane.limits.sockets` has it."""

    def check(self, connection: Connection, event: str) -> Awaitable[None] | None:
        """Charge an event; what is returned is awaited first. Raises `RateLimited`, here, for `held`, or there."""
        ...

    def held(self, connection: Connection, event: str, refusal: RateLimited, answer: Callable[[], None]) -> None:
        """Call `answer`, now or later: a refusal of `check` is due."""
        ...

    def refill(self, connection: Connection) -> None:
        """The connection's credit for events that are answered from memory is used up. Raises `RateLimited`."""
        ...

    def overdone(self, connection: Connection) -> None:
        """A refusal is answered at once."""
        ...


class Dispatcher:
    """Finds the feature's handler, converts the payload, answers. Errors of any kind become an `{"error"}` answer.

    `current_app`: the newest snapshot of an app. A connection outlives the one it was opened with, and a limit that is
    reached meanwhile holds for it too.
    """

    def __init__(
        self,
        routes: Iterable[SocketRoute],
        current_app: CurrentApp = lambda _: None,
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits
        self._routes: dict[str, tuple[type[Payload], Handler]] = {}
        self._for_readers: dict[str, tuple[type[Payload], ReaderHandler]] = {}
        self._immediate: dict[str, ImmediateRoute] = {}
        self._at_once: dict[bytes, tuple[Decode, Callable[[Any, Any], Mapping[str, Any]]]] = {}
        self._read_before: dict[bytes, tuple[Callable[[Any, Any], Mapping[str, Any]], Any]] = {}
        self._verbose = logging.getLogger(__name__).isEnabledFor(logging.DEBUG)
        for route in routes:
            self.add(route.event, route.payload, _for_caller(route, current_app))

    def add(self, event: str, payload: type[Payload], handle: "Handler") -> None:
        """Add an event whose handler needs the connection itself. Features offer `SocketRoute`s instead."""
        self._check_new(event)
        self._routes[event] = (payload, handle)

    def add_for_readers(self, event: str, payload: type[Payload], handle: "ReaderHandler") -> None:
        """The same for an event that anonymous visitors may send, too. Every other they are refused."""
        self.add(event, payload, handle)
        self._for_readers[event] = (payload, handle)

    def add_immediate(self, route: ImmediateRoute) -> None:
        """Add an event that is answered from memory."""
        self._check_new(route.event)
        self._immediate[route.event] = route
        decoder: msgspec.json.Decoder[tuple[str, Any]] = msgspec.json.Decoder(
            tuple[str, route.unchecked]  # type: ignore[name-defined]
        )
        self._at_once[route.event.encode()] = decoder.decode, route.handle

    @property
    def events(self) -> tuple[str, ...]:
        """The events there are."""
        return tuple(sorted([*self._routes, *self._immediate]))

    def at_once(self, connection: Connection, message: bytes) -> bytes | None:
        """The answer to a message that is an event of an `ImmediateRoute` and in order, in one pass; both as packets of
        Engine.IO, with the `4` that begins those.

        Null, and nothing has happened, for any other: `packets.decode` and `dispatch` are for those. Whoever has no
        `credit` is among them, to have it filled up there, or to be refused.
        """
        if connection.credit < 1:
            return None
        known = None
        if len(message) <= LONGEST_REMEMBERED:
            head, _, body = message.partition(b"[")
            if b"421" <= head < b"43" and head.isdigit() and len(head) <= _LONGEST_HEAD:
                known = self._read_before.get(body)
        if known is None:
            known = self._read(message)
            if known is None:
                return None
            head = message[: message.index(b"[")]
        handle, payload = known
        try:
            answer = handle(connection, payload)
        except Exception:
            return None  # whatever it is, it comes up again there
        connection.credit -= 1
        if answer:
            return b"43%b[%b]" % (head[2:], orjson.dumps(answer))
        return b"43" + head[2:] + b"[{}]"

    def _read(self, message: bytes) -> "tuple[Callable[[Any, Any], Mapping[str, Any]], Any] | None":
        found = _PLAIN_EVENT.match(message)
        if found is None or (route := self._at_once.get(found[3])) is None or len(message) > MAX_PACKET + 1:
            return None
        decode, handle = route
        at = found.start(2)
        try:
            known = handle, decode(message[at:])[1]
        except Exception:
            return None
        if len(message) <= LONGEST_REMEMBERED:
            if len(self._read_before) >= MAX_REMEMBERED:
                self._read_before.clear()
            self._read_before[message[at + 1 :]] = known
        return known

    def dispatch(self, connection: Connection, packet: Packet) -> "Coroutine[Any, Any, None] | None":
        """Handle one event: on the spot, or by the coroutine that is returned, to be run as a task.

        Handlers reach their first wait in the order of arrival, which keeps a sender's order.
        """
        route = self._immediate.get(packet.event)
        if route is None or not isinstance(connection, UserConnection):
            return self._admit(connection, packet)
        try:
            if self._limits is not None:
                connection.credit -= 1
                if connection.credit < 0:
                    self._limits.refill(connection)
            answer = route.handle(connection, convert(self._payload(packet), route.payload))
        except Exception as error:
            answer = self._failure(packet, error)
        self._reply(connection, packet, answer)
        return None

    def _admit(self, connection: Connection, packet: Packet) -> "Coroutine[Any, Any, None] | None":
        """Charge an event; who is refused costs no task."""
        limits = self._limits
        if connection.in_flight >= MAX_IN_FLIGHT:
            if limits is not None:
                limits.overdone(connection)
            self._reply(connection, packet, {"error": TooManyInFlight().as_dict()})
            return None
        wait: Awaitable[None] | None = None
        connection.in_flight += 1
        if limits is not None:
            try:
                wait = limits.check(connection, packet.event)
            except RateLimited as error:
                refusal = error.with_traceback(None)  # its frames hold it, which makes a circle
                limits.held(connection, packet.event, refusal, lambda: self._refuse(connection, packet.ack_id, refusal))
                return None
            except Exception as error:
                connection.in_flight -= 1
                self._reply(connection, packet, self._failure(packet, error))
                return None
        return self._dispatch(connection, packet, wait)

    @staticmethod
    def _refuse(connection: Connection, ack_id: int | None, refusal: RateLimited) -> None:
        connection.in_flight -= 1
        if ack_id is not None and not connection.closed:
            connection.answer(Frame(encode_ack(ack_id, orjson.dumps({"error": refusal.as_dict()}))))

    async def _dispatch(self, connection: Connection, packet: Packet, wait: Awaitable[None] | None) -> None:
        started = time.perf_counter()
        answer = await self._answer(connection, packet, wait)
        self._reply(connection, packet, answer)
        if self._verbose:
            error = None if isinstance(answer, bytes) else answer.get("error")
            _log.debug(
                "socket.event",
                name=packet.event,
                userId=connection.user_id,
                latency=round((time.perf_counter() - started) * 1000, 1),
                code=error["code"] if error else None,
            )

    async def _answer(self, connection: Connection, packet: Packet, wait: Awaitable[None] | None) -> Answer:
        try:
            if wait is not None:
                await wait
            if isinstance(connection, UserConnection):
                route = self._routes.get(packet.event)
                if route is not None:
                    payload, handle = route
                    return await handle(connection, convert(self._payload(packet), payload))
            elif (open_to_all := self._for_readers.get(packet.event)) is not None:
                payload, answer = open_to_all
                return await answer(connection, convert(self._payload(packet), payload))
            elif packet.event in self._routes or packet.event in self._immediate:
                raise AnonymousRefused(NOBODY)
            raise UnknownEvent(f"There is no event `{packet.event[:64]}`.")
        except Exception as error:
            return self._failure(packet, error)
        finally:
            connection.in_flight -= 1

    @staticmethod
    def _payload(packet: Packet) -> dict[str, Any]:
        if not isinstance(packet.payload, dict):
            raise InvalidInput(f"`{packet.event}` takes one object.")
        return packet.payload

    @staticmethod
    def _reply(connection: Connection, packet: Packet, answer: Answer) -> None:
        if packet.ack_id is not None and not connection.closed:
            body = answer if isinstance(answer, bytes) else orjson.dumps(answer)
            connection.answer(Frame(encode_ack(packet.ack_id, body)))

    @staticmethod
    def _failure(packet: Packet, error: Exception) -> dict[str, Any]:
        known = as_natter_error(error)
        if not isinstance(error, NatterError):
            _log.error("socket.failed", exc_info=error, name=packet.event, code=known.code)
        # Some frame of its way here holds it, mostly: a circle that only the collector of garbage would find.
        error.with_traceback(None)
        return {"error": known.as_dict()}

    def _check_new(self, event: str) -> None:
        if event in self._routes or event in self._immediate:
            raise ValueError(f"two handlers for {event}")


def _for_caller(route: SocketRoute, current_app: CurrentApp) -> Handler:
    async def handle(connection: UserConnection, payload: Payload) -> Answer:
        app = current_app(connection.app_id)
        if app is not None and app is not connection.caller.app:
            connection.caller = msgspec.structs.replace(connection.caller, app=app)
        if connection.caller.app.access != "full" and not route.in_read_only:
            require_writable(connection.caller.app)
        return await route.handle(connection.caller, payload)

    return handle
