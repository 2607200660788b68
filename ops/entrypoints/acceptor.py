"""Takes connections in from a listening socket, some in each turn of the loop.

asyncio's own servers take all that wait at once: when thousands come back together, that is one long turn after
another, in which nobody else is answered. The system keeps those whose turn has not come.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Any, Final, cast

import aiofastnet

from kernel.logging import get_logger
from ops.entrypoints.sockets import Line, Sockets

AT_ONCE: Final = 4
"""Connections that are taken in one after another without a look at the time."""
RETRY: Final = 1.0
"""Seconds until the next look when the process can open no more files."""

_log = get_logger(__name__)


class Acceptor:
    """Listens on a bound socket, which is its own from then on. `make` makes a connection's protocol; `sockets` watches
    for it.

    Has the part of `asyncio.Server` that uvicorn uses.
    """

    def __init__(
        self,
        sock: socket.socket,
        make: Callable[[], asyncio.BaseProtocol],
        line: Line,
        sockets: Sockets,
        backlog: int,
    ) -> None:
        sock.setblocking(False)
        sock.listen(backlog)
        self._sock = sock
        self._make = make
        self._line = line
        self._sockets = sockets
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._beginning: set[asyncio.Task[None]] = set()
        self._watch()

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """The one it listens on."""
        return () if self._closed else (self._sock,)

    def close(self) -> None:
        """Take nobody in any more."""
        if not self._closed:
            self._closed = True
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()

    async def wait_closed(self) -> None:
        """Until those who were just being taken in are."""
        if self._beginning:
            await asyncio.wait(self._beginning)

    def _watch(self) -> None:
        if not self._closed:
            self._loop.add_reader(self._sock.fileno(), self._somebody)

    def _somebody(self) -> None:
        self._loop.remove_reader(self._sock.fileno())
        self._line.enter_waking(self._take)

    def _take(self) -> None:
        for _ in range(AT_ONCE):
            if self._closed:
                return
            try:
                connection, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                self._watch()
                return
            except OSError as error:
                # Too many open files: the next ones wait in the system's queue until some are closed.
                _log.error("acceptor.cannot_accept", error=repr(error), retryIn=RETRY)
                self._loop.call_later(RETRY, self._watch)
                return
            connection.setblocking(False)
            self._sockets.take_in(connection.fileno())
            task = self._loop.create_task(self._begin(connection))
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)
        self._line.enter_waking(self._take)

    async def _begin(self, connection: socket.socket) -> None:
        try:
            await aiofastnet.connect_accepted_socket(cast(Any, self._sockets), self._make, connection)
        except Exception as error:
            with contextlib.suppress(OSError):
                connection.close()
            _log.warning("acceptor.lost", error=repr(error))
