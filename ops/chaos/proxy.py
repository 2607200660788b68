"""A TCP proxy that breaks the way networks break: it cuts, swallows, forgets, and slows what passes.

A process is given the proxy's address instead of its server's, so nothing of the product knows of it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Literal, Protocol, cast

HOLD_AT: Final = 1 << 20
"""Bytes that one direction holds back before the sender is made to wait, as a network's queues would."""

Fault = Literal["cut", "swallow", "forget", "slow"]
"""`cut`: every connection is reset, and so is each new one. `swallow`: nothing passes and nobody is told; when it ends,
what was sent meanwhile arrives, as TCP's repetition brings it after a partition. `forget`: the same, but connections
that were open stay silent for ever, as behind a router that has lost its table; the server's side ends when its
keep-alive would have found that out. `slow`: everything takes `DELAY` more.
"""
KEEPALIVE_SECONDS: Final = 25.0
"""What `kernel.db.Database` asks PostgreSQL for: 10 s of silence, then 3 probes at intervals of 5 s. Through this proxy
the system's own probes are answered."""
DELAY: Final = 0.15
"""Seconds that `slow` adds each way."""


class Filter(Protocol):
    """Sees what the server sends on one connection, and decides what of it the client gets, and when."""

    def feed(self, data: bytes) -> bytes:
        """Take in what arrived; return what goes on now."""
        ...

    def close(self) -> None:
        """The connection is over."""
        ...


class Proxy:
    """Listens on `port` of this machine and connects each client to the server at `target`.

    `make_filter(write)` makes a filter for each connection's answers; `write` sends something later than it came.
    """

    def __init__(
        self, port: int, target: int, *, make_filter: Callable[[Callable[[bytes], None]], Filter] | None = None
    ) -> None:
        self.port = port
        self.target = target
        self.fault: Fault | None = None
        self._make_filter = make_filter
        self._server: asyncio.Server | None = None
        self._links: set[_Link] = set()

    async def start(self) -> None:
        """Begin to listen."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Side(_Link(self)), "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Stop listening and end every connection."""
        if self._server is not None:
            self._server.close()
        for link in list(self._links):
            link.abort()

    def break_with(self, fault: Fault) -> None:
        """Begin a fault."""
        self.fault = fault
        for link in list(self._links):
            if fault == "cut":
                link.abort()
            else:
                link.fault = fault
                if fault == "forget":
                    link.find_out(KEEPALIVE_SECONDS)

    def heal(self) -> None:
        """End the fault."""
        was, self.fault = self.fault, None
        for link in list(self._links):
            if was != "forget":
                link.resume()

    # -- links -------------------------------------------------------------------------------------------------------

    async def connect(self, link: "_Link") -> None:
        """Join a new client to the server, unless it is cut off."""
        if self.fault == "cut":
            link.abort()
            return
        self._links.add(link)
        link.fault = self.fault
        if self.fault == "forget":
            link.find_out(KEEPALIVE_SECONDS)
        try:
            await asyncio.get_running_loop().create_connection(lambda: link.server, "127.0.0.1", self.target)
        except OSError:
            link.abort()

    def filter_for(self, link: "_Link") -> Filter | None:
        """What sees the answers on this connection."""
        return self._make_filter(link.write_late) if self._make_filter is not None else None

    def ended(self, link: "_Link") -> None:
        """A connection is over."""
        self._links.discard(link)


class _Side(asyncio.Protocol):
    """One of the two connections of a link."""

    def __init__(self, link: "_Link", *, towards_server: bool = False) -> None:
        self._link = link
        self.transport: asyncio.Transport | None = None
        self._is_server = towards_server
        self.held: list[bytes] = []
        self.held_size = 0
        self.delayed: deque[bytes] = deque()
        self.early: list[bytes] = []
        if not towards_server:
            link.client = self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        for data in self.early:
            self.write(data)
        self.early = []
        if self._is_server:
            self._link.opened()
        else:
            self._link.begin()

    def data_received(self, data: bytes) -> None:
        self._link.passed(self, data)

    def eof_received(self) -> bool:
        self._link.finished(self)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._link.lost(self)

    def pause_writing(self) -> None:
        self._link.other(self).reading(False)

    def resume_writing(self) -> None:
        self._link.other(self).reading(True)

    def write(self, data: bytes) -> None:
        """Send on, when it is still open; what comes before it is open waits for that."""
        if self.transport is None:
            self.early.append(data)
        elif not self.transport.is_closing():
            self.transport.write(data)

    def reading(self, on: bool) -> None:
        """Take more in, or let the sender wait."""
        if self.transport is not None and not self.transport.is_closing():
            with suppress(RuntimeError):
                (self.transport.resume_reading if on else self.transport.pause_reading)()


class _Link:
    """A client, the server, and what lies between them."""

    client: _Side

    def __init__(self, proxy: Proxy) -> None:
        self._proxy = proxy
        self.server = _Side(self, towards_server=True)
        self.fault: Fault | None = None
        self._filter: Filter | None = None
        self._over = False
        self._connecting: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """A client has connected."""
        self._connecting = asyncio.create_task(self._proxy.connect(self))

    def opened(self) -> None:
        """The server is there, too."""
        self._filter = self._proxy.filter_for(self)

    def other(self, side: _Side) -> _Side:
        """The opposite end."""
        return self.client if side is self.server else self.server

    def passed(self, side: _Side, data: bytes) -> None:
        """Something came from one side."""
        if self.fault in ("swallow", "forget"):
            side.held.append(data)
            side.held_size += len(data)
            if side.held_size > HOLD_AT:
                side.reading(False)
        elif self.fault == "slow" or side.delayed:
            side.delayed.append(data)
            asyncio.get_running_loop().call_later(DELAY, self._hand_on_delayed, side)
        else:
            self._hand_on(side, data)

    def finished(self, side: _Side) -> None:
        """One side says no more. Silence swallows that, too."""
        if self.fault is None or self.fault == "slow":
            self.abort()

    def lost(self, side: _Side) -> None:
        """One side is gone."""
        if self.fault in ("swallow", "forget") and side is self.server:
            return
        self.abort()

    def resume(self) -> None:
        """The fault has ended: what was held back goes on."""
        self.fault = None
        for side in (self.client, self.server):
            held, side.held, side.held_size = side.held, [], 0
            for data in held:
                self._hand_on(side, data)
            side.reading(True)
        if any(side.transport is None or side.transport.is_closing() for side in (self.client, self.server)):
            self.abort()

    def find_out(self, seconds: float) -> None:
        """Let the server hear then that nobody is there."""

        def end() -> None:
            if self.server.transport is not None:
                self.server.transport.abort()

        asyncio.get_running_loop().call_later(seconds, end)

    def write_late(self, data: bytes) -> None:
        """Something that a filter held back; silence swallows it."""
        if self.fault not in ("swallow", "forget"):
            self.client.write(data)

    def abort(self) -> None:
        """End both, at once."""
        if self._over:
            return
        self._over = True
        self._proxy.ended(self)
        if self._filter is not None:
            self._filter.close()
        for side in (self.client, self.server):
            if side.transport is not None:
                side.transport.abort()

    def _hand_on_delayed(self, side: _Side) -> None:
        self._hand_on(side, side.delayed.popleft())

    def _hand_on(self, side: _Side, data: bytes) -> None:
        if side is self.server and self._filter is not None:
            data = self._filter.feed(data)
        if data:
            self.other(side).write(data)
