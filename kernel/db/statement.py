"""One statement that is worth connections of its own."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any


class HotStatement:
    """A statement prepared once on each of a few connections that are kept for it. Read-only statements alone.

    A pool spends a task, a proxy and a lock on each use, which is as much as a short statement costs. Here a use takes
    a connection from a list and puts it back; one that failed or was cut off in the middle is thrown away, because
    nobody knows what it would say next. `connect` opens one; `most` are open at once, and who comes later waits.
    """

    def __init__(self, sql: str, connect: Callable[[], Awaitable[Any]], *, most: int) -> None:
        self._sql = sql
        self._connect = connect
        self._most = most
        self._open = 0
        self._free: list[tuple[Any, Any]] = []
        self._waiting: deque[asyncio.Future[tuple[Any, Any] | None]] = deque()
        """Who waits, the longest first, to be given a connection, or null where one may be opened."""

    async def fetch(self, *arguments: Any) -> list[Any]:
        """The statement's rows. Raises what the driver raises."""
        connection, statement = await self._take()
        try:
            rows: list[Any] = await statement.fetch(*arguments)
        except BaseException:
            self._throw_away(connection)
            raise
        self._give((connection, statement))
        return rows

    async def close(self) -> None:
        """Close what is free. To be called when nothing is in use any more."""
        free, self._free = self._free, []
        for connection, _ in free:
            await connection.close(timeout=5)

    async def _take(self) -> tuple[Any, Any]:
        while True:
            while self._free:
                taken = self._free.pop()
                if not taken[0].is_closed():
                    return taken
                self._open -= 1  # the server ended it while it was idle
            if self._open < self._most:
                return await self._prepare()
            turn: asyncio.Future[tuple[Any, Any] | None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                given = await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._give(turn.result())  # its turn had come already: somebody else's, then
                raise
            if given is not None:
                if not given[0].is_closed():
                    return given
                self._open -= 1

    async def _prepare(self) -> tuple[Any, Any]:
        self._open += 1
        connection = None
        try:
            connection = await self._connect()
            return connection, await connection.prepare(self._sql)
        except BaseException:
            self._throw_away(connection)
            raise

    def _throw_away(self, connection: Any) -> None:
        self._open -= 1
        if connection is not None:
            connection.terminate()
        self._give(None)

    def _give(self, taken: tuple[Any, Any] | None) -> None:
        """To who waits longest, not to whoever asks next: it would wait behind all that come after it."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(taken)
                return
        if taken is not None:
            self._free.append(taken)
