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
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def fetch(self, *arguments: Any) -> list[Any]:
        """The statement's rows. Raises what the driver raises."""
        connection, statement = await self._take()
        try:
            rows: list[Any] = await statement.fetch(*arguments)
        except BaseException:
            self._throw_away(connection)
            raise
        self._free.append((connection, statement))
        if self._waiting:
            self._wake_one()
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
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._wake_one()  # its turn had come already: somebody else's, then
                raise

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
        self._wake_one()

    def _wake_one(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
