"""What this process has open to one PostgreSQL, and how it notices that nobody is there any more.

A command that takes too long is cancelled, and a server that lives answers the cancellation. When it does not, the
network swallows what is sent or the server stands still, and every other connection is as dead as this one: each would
cost its next user a whole timeout. So all of them are dropped at once, and who was waiting gets an error that says
"try again" instead of an answer that never comes.
"""

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any, ClassVar, Final
from weakref import WeakSet

import asyncpg

from kernel.logging import get_logger

CANCEL_PATIENCE: Final = 1.5
"""Seconds that a cancelled command may take to end."""

FRESH_SECONDS: Final = 5.0
"""How long after its use a connection is taken for good without asking."""

BUILT_IN: Final = 16_384
"""Types below this number are PostgreSQL's own, and the same on every server."""

_log = get_logger(__name__)
_types: dict[tuple[str, frozenset[int]], Any] = {}
"""What PostgreSQL said of types of its own, by the statement that asked."""


class Line:
    """The connections to one server. `connection_class` is for `asyncpg.connect` and its pools."""

    def __init__(self) -> None:
        self._open: WeakSet[_Connection] = WeakSet()
        self.connection_class: type[asyncpg.Connection] = type("Connection", (_Connection,), {"line": self})
        self.drops = 0
        """How often it was found dead."""

    def add(self, connection: "_Connection") -> None:
        """A connection has been opened."""
        self._open.add(connection)

    def drop(self) -> None:
        """Give up every connection; whoever uses one gets an error that means the database is away."""
        dropped = [connection for connection in self._open if not connection.is_closed()]
        self.drops += 1
        _log.error("database.silent", connections=len(dropped))
        for connection in dropped:
            connection.terminate()


class _Connection(asyncpg.Connection):  # type: ignore[misc]
    line: ClassVar[Line]
    _protocol: Any
    _intro_query: Any

    opening: str = ""
    """Statements that the next transaction begins with, parted by semicolons."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.line.add(self)
        self.came_back()

    def came_back(self) -> None:
        """It was good just now, and what its last user meant to begin with is no business of the next."""
        self._good_at = self._loop.time()
        self.opening = ""

    def is_fresh(self) -> bool:
        """Whether it was good `FRESH_SECONDS` ago, and nothing has ended it since."""
        return not self.is_closed() and self._loop.time() - self._good_at < FRESH_SECONDS

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:  # noqa: ASYNC109, asyncpg's own
        if self.opening and query.startswith("BEGIN"):
            query, self.opening = f"{query} {self.opening}", ""
        return str(await super().execute(query, *args, timeout=timeout))

    async def _introspect_types(self, typeoids: Iterable[int], timeout: float | None) -> Any:  # noqa: ASYNC109, asyncpg's own
        # asyncpg asks for uuid[], bigint[] and the like on every connection, three statements each time, which take
        # longer than most of ours and would come when load opens connections.
        asked = (str(self._intro_query), frozenset(typeoids))
        known = _types.get(asked)
        if known is None:
            known = await super()._introspect_types(typeoids, timeout)
            if max(asked[1]) < BUILT_IN:
                # The second is the statement that asked; that it has a name says that it replaced no unnamed one.
                _types[asked] = (known[0], SimpleNamespace(name="known"))
        return known

    def _abort(self) -> None:
        # asyncpg's own forgets the protocol here, over which a command that is between two of its steps would stumble
        # instead of hearing that the connection is closed.
        protocol: Any = self._protocol
        super()._abort()
        self._protocol = protocol

    def _cancel_current_command(self, waiter: Any, cancel_waiter: "asyncio.Future[None] | None" = None) -> None:
        # asyncpg's own hook: called when a command has timed out or its task was cancelled. `cancel_waiter` is done
        # once the server has ended the command, or the connection has ended.
        super()._cancel_current_command(waiter, cancel_waiter)
        if cancel_waiter is not None:
            self._loop.call_later(CANCEL_PATIENCE, self._judge, cancel_waiter)

    def _judge(self, cancelled: "asyncio.Future[None]") -> None:
        if not cancelled.done() and not self.is_closed():
            self.line.drop()
