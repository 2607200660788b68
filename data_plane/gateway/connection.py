"""A client's connection, whatever carries it, and the registry of those of this node."""

import asyncio
from collections.abc import Callable, Container, Iterator
from datetime import datetime
from typing import Any, Final, Protocol
from uuid import UUID

import orjson

from data_plane.gateway.closing import Closing
from data_plane.gateway.engineio.frame import Frame
from data_plane.gateway.packets import DISCONNECTED, encode_event
from data_plane.identity.caller import AnonymousCaller, Client, UserCaller, own_id

MAX_BUFFERED: Final = 1_000_000
"""Bytes that may wait for one client before it is closed as a slow consumer."""


class Transport(Protocol):
    """What a connection needs of the wire. Calls after the end are ignored."""

    def send(self, frame: Frame) -> None:
        """Queue a frame. Never blocks."""
        ...

    def send_soon(self, frame: Frame) -> None:
        """The same, but it may wait for what follows within a moment, to leave in one write with it."""
        ...

    def mark(self) -> int:
        """A place in what was sent: the end of it now."""
        ...

    def passed(self, mark: int) -> bool:
        """Whether what was sent before this mark has left for the client, as far as this side can tell."""
        ...

    def pause(self) -> None:
        """Take nothing more from the client until `resume`."""
        ...

    def resume(self) -> None:
        """Go on taking what the client sends."""
        ...

    def close(self) -> None:
        """Send what is queued, then close."""
        ...


class Connection:
    """A connection of whoever may have one. A `Recipient` of the hub."""

    __slots__ = (
        "app_id", "caller", "closed", "credit", "credit_at", "cursor_at", "dirty", "expiry", "held", "hidden", "id",
        "in_flight", "leaving", "overdone", "told", "transport", "user_id", "watching",
    )  # fmt: skip

    def __init__(self, id: str, caller: Client, transport: Transport) -> None:
        self.id = id
        self.caller = caller
        self.app_id: UUID = caller.app_id
        self.user_id: str | None = own_id(caller)
        self.transport = transport
        self.expiry: asyncio.TimerHandle | None = None
        self.in_flight = 0
        self.credit = 0
        """Events answered from memory that it may send before the clock is asked again; none once it is closed."""
        self.credit_at = -(10**15)
        """When there was credit last, in microseconds of the monotonic clock."""
        self.overdone = 0
        """Refusals that came at once, as a bucket's time."""
        self.held = 0
        """Refusals that wait to be answered."""
        self.hidden: Container[str] = ()
        """Users of whose doings in passing it hears nothing; kept up to date from its first `channel.watch` on."""
        self.watching: set[str] = set()
        """Channels it hears without being a member."""
        self.dirty = False
        """Whether something was delivered since the client last got a cursor."""
        self.cursor_at = 0.0
        self.told: Closing | None = None
        """The reason of its end that the client has heard."""
        self.leaving = False
        """Whether new calls are refused, because its time on this node is over."""
        self.closed = False

    def deliver(self, frame: Frame) -> None:
        """The hub's call: pass log entries on."""
        self.dirty = True
        if self.in_flight:
            self.transport.send_soon(frame)  # an answer to what this client sent follows, most of the time
        else:
            self.transport.send(frame)

    def answer(self, frame: Frame) -> None:
        """Queue the acknowledgement of an event."""
        self.transport.send_soon(frame)

    def send_frame(self, frame: Frame) -> None:
        """Queue a frame."""
        self.transport.send(frame)

    def emit(self, event: str, payload: dict[str, Any]) -> None:
        """Send an event to this client alone."""
        if not self.closed:
            self.send_frame(Frame(encode_event(event, orjson.dumps(payload))))

    def tell(self, reason: Closing, *, after_ms: int | None = None) -> None:
        """Say that and why the connection will end, and when."""
        self.told = reason
        self.transport.send(Frame(encode_event("connection.closing", orjson.dumps(reason.payload(after_ms)))))

    def close(self, reason: Closing) -> None:
        """Say why, unless that is known, then end the connection. Idempotent."""
        if self.closed:
            return
        self.closed = True
        self.credit = 0
        if self.expiry is not None:
            self.expiry.cancel()
        if self.told is not reason:
            self.tell(reason)
        if not reason.reconnect:
            self.transport.send(Frame(DISCONNECTED))
        transport, self.transport = self.transport, _OVER
        transport.close()


class UserConnection(Connection):
    """A user's, which its token has opened and whose end is the token's."""

    __slots__ = ("away", "expires_at", "issued_at", "people", "typed")

    caller: UserCaller
    user_id: str

    def __init__(self, id: str, caller: UserCaller, transport: Transport) -> None:
        super().__init__(id, caller, transport)
        self.issued_at, self.expires_at = _times(caller)
        self.typed: tuple[Any, Any, Any] | None = None
        """Where it typed last; see `data_plane.typing`."""
        self.away = False
        """Whether nobody is at the device, as it says."""
        self.people: set[str] | None = None
        """Users of whose presence it asked to hear, wherever they are."""

    def renew(self, caller: UserCaller) -> None:
        """Go on with a newer token of the same user."""
        self.issued_at, self.expires_at = _times(caller)
        self.caller = caller


class AnonymousConnection(Connection):
    """That of a visitor who is nobody. It hears what it watches, and lasts until one of both sides ends it."""

    __slots__ = ()

    caller: AnonymousCaller
    user_id: None

    def __init__(self, id: str, caller: AnonymousCaller, transport: Transport) -> None:
        super().__init__(id, caller, transport)


def _times(caller: UserCaller) -> tuple[datetime, datetime]:
    """When a token was made and when it ends."""
    if caller.token_issued_at is None or caller.token_expires_at is None:
        raise ValueError("connections of users are opened with tokens")
    return caller.token_issued_at, caller.token_expires_at


class _Over:
    """Where packets go after the end."""

    def send(self, frame: Frame) -> None:
        pass

    def send_soon(self, frame: Frame) -> None:
        pass

    def mark(self) -> int:
        return 0

    def passed(self, mark: int) -> bool:
        return True

    def pause(self) -> None:
        pass

    def resume(self) -> None:
        pass

    def close(self) -> None:
        pass


_OVER: Final = _Over()


class Registry:
    """The live connections of this node, by id, user and app."""

    def __init__(self) -> None:
        self._all: dict[str, Connection] = {}
        self._by_user: dict[tuple[UUID, str], set[UserConnection]] = {}
        self._visitors: dict[UUID, set[AnonymousConnection]] = {}
        self._by_app: dict[UUID, int] = {}
        self._listeners: list[Callable[[Connection], None]] = []

    def listen(self, listener: Callable[[Connection], None]) -> None:
        """Call this with every connection that begins, and again, closed, when it has ended."""
        self._listeners.append(listener)

    def add(self, connection: Connection) -> None:
        """A connection begins."""
        self._all[connection.id] = connection
        if isinstance(connection, UserConnection):
            self._by_user.setdefault((connection.app_id, connection.user_id), set()).add(connection)
        elif isinstance(connection, AnonymousConnection):
            self._visitors.setdefault(connection.app_id, set()).add(connection)
        self._by_app[connection.app_id] = self._by_app.get(connection.app_id, 0) + 1
        for listener in self._listeners:
            listener(connection)

    def remove(self, connection: Connection) -> None:
        """A connection ended. Idempotent."""
        if self._all.pop(connection.id, None) is None:
            return
        if isinstance(connection, UserConnection):
            _discard(self._by_user, (connection.app_id, connection.user_id), connection)
        elif isinstance(connection, AnonymousConnection):
            _discard(self._visitors, connection.app_id, connection)
        self._by_app[connection.app_id] -= 1
        if not self._by_app[connection.app_id]:
            del self._by_app[connection.app_id]
        for listener in self._listeners:
            listener(connection)

    def of_user(self, app_id: UUID, user_id: str) -> list[UserConnection]:
        """A user's connections on this node."""
        return list(self._by_user.get((app_id, user_id), ()))

    def visitors_of(self, app_id: UUID) -> list[AnonymousConnection]:
        """Connections of an app's anonymous visitors on this node."""
        return list(self._visitors.get(app_id, ()))

    def of_app(self, app_id: UUID) -> list[Connection]:
        """An app's connections on this node."""
        return [connection for connection in self._all.values() if connection.app_id == app_id]

    def counts(self) -> dict[UUID, int]:
        """Connections by app."""
        return dict(self._by_app)

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Connection]:
        return iter(list(self._all.values()))


def _discard(sets: dict[Any, set[Any]], key: Any, value: Any) -> None:
    sets[key].discard(value)
    if not sets[key]:
        del sets[key]
