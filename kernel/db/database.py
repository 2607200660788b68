"""A database as one process sees it: SQLAlchemy for most, a raw asyncpg pool for the hot path, one role for both."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
from sqlalchemy import URL, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine

from kernel.db.line import Line
from kernel.db.statement import HotStatement
from kernel.db.uow import UnitOfWork

HOT_CONNECTIONS: Final = 4
"""Connections of each hot statement: while one is read, the database works at the others."""
CONNECT_SECONDS: Final = 5.0
COMMAND_SECONDS: Final = 15.0
"""A statement that takes longer is given up."""
HOT_COMMAND_SECONDS: Final = 5.0
"""The same on the hot path, where statements take milliseconds and people wait for them."""
IDLE_SECONDS: Final = 10.0
"""How long a transaction may wait for its next statement."""
LOCK_SECONDS: Final = 5.0
"""How long a statement may wait for somebody else's transaction."""
TRANSACTION_TIMEOUT_SINCE: Final = 17
"""The version of PostgreSQL that brought `transaction_timeout`."""


class Database:
    """Connections to one PostgreSQL database under one role.

    `role` is set in the start-up packet: every connection of this object starts, and after a reset stands again,
    under it, so that row-level security cannot be left behind by a pooled connection.
    A server that has gone silent is noticed within `HOT_COMMAND_SECONDS` and a little, by all who share the `line`.
    A client that has gone silent is noticed by the server, which must not keep a channel locked and every sync cursor
    waiting for a host that will never answer. It ends a transaction that idles for `IDLE_SECONDS`, and a statement that
    takes longer than the client waits for. A statement that was parsed and of which the rest never came is neither to
    PostgreSQL: it falls to `transaction_timeout`, twice a command's time, or before version 17 to TCP's keep-alive,
    after 25 s.
    """

    def __init__(
        self,
        url: str,
        *,
        role: str | None = None,
        pool_size: int = 8,
        name: str = "natter",
        line: Line | None = None,
    ) -> None:
        self.url = url
        self.line = line or Line()
        self._pool_size = pool_size
        self._server_settings = {
            "application_name": name,
            "timezone": "UTC",
            "jit": "off",
            "idle_in_transaction_session_timeout": _milliseconds(IDLE_SECONDS),
            "lock_timeout": _milliseconds(LOCK_SECONDS),
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        }
        if role is not None:
            self._server_settings["role"] = role
        self.engine: AsyncEngine = create_async_engine(
            sqlalchemy_url(url),
            pool_size=pool_size,
            max_overflow=pool_size,
            pool_pre_ping=True,
            pool_timeout=5,
            async_creator=lambda: self._open(COMMAND_SECONDS),
        )
        event.listen(self.engine.sync_engine, "checkin", _came_back)
        self._ping = self.engine.dialect.do_ping
        self.engine.dialect.do_ping = self._ping_if_idle  # type: ignore[assignment,method-assign]
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._pool: Any = None
        self._hot: dict[str, HotStatement] = {}

    async def pool(self) -> Any:
        """The asyncpg pool of the hot path, made on first use. Returns `asyncpg.Pool`.

        Nothing that runs on it may change its session (no `set` but `set local`, no `listen`, no session's advisory
        lock): a connection is given on as it is, because asyncpg's clean-up is a statement more for each use.
        """
        if self._pool is None:
            self._pool = asyncpg.create_pool(
                asyncpg_url(self.url),
                min_size=0,
                max_size=self._pool_size,
                connect=self._open_for_pool,
                connection_class=self.line.connection_class,
                max_inactive_connection_lifetime=120,
                reset=_as_it_is,
            )
        return await self._pool

    def hot(self, sql: str) -> HotStatement:
        """A read-only statement of the hot path, prepared on connections of its own from its first use on."""
        statement = self._hot.get(sql)
        if statement is None:
            statement = self._hot[sql] = HotStatement(sql, self._open_hot, most=min(HOT_CONNECTIONS, self._pool_size))
        return statement

    def _ping_if_idle(self, adapted: Any) -> bool:
        """Whether a connection that the pool is about to hand out is good. SQLAlchemy's own way asks the server each
        time, in a transaction: three statements before the first. One that was good a moment ago is, unless asyncpg
        has seen it end."""
        connection = adapted.driver_connection
        return connection.is_fresh() or self._ping(adapted)

    async def _open(self, command_seconds: float) -> Any:
        connection = await asyncpg.connect(
            asyncpg_url(self.url),
            server_settings=self._server_settings | {"statement_timeout": _milliseconds(command_seconds)},
            command_timeout=command_seconds,
            timeout=CONNECT_SECONDS,
            connection_class=self.line.connection_class,
        )
        if connection.get_server_version().major >= TRANSACTION_TIMEOUT_SINCE:
            # Not at start-up, where an older server refuses what it does not know.
            try:
                await connection.execute(f"set transaction_timeout = {_milliseconds(2 * command_seconds)}")
            except BaseException:
                connection.terminate()
                raise
        return connection

    async def _open_hot(self) -> Any:
        return await self._open(HOT_COMMAND_SECONDS)

    async def _open_for_pool(self, *_: Any, **__: Any) -> Any:
        return await self._open_hot()

    @asynccontextmanager
    async def unit_of_work(
        self,
        tenant: str | None = None,
        *,
        organization: str | None = None,
        read_only: bool = False,
        snapshot: bool = False,
    ) -> AsyncIterator[UnitOfWork]:
        """One transaction: committed when the block ends, rolled back when it raises.

        Only an edge (route, packet, job) opens one, so that services cannot commit, and answers after the block.
        `tenant` (an app's UUID as text, in a shard) or `organization` (an organization's, in the control database) is
        what row-level security lets through until the end of the transaction.
        `snapshot`: all reads see one instant, and nothing may be written.
        """
        opening = []
        if snapshot:
            opening.append("set transaction isolation level repeatable read, read only")
        elif read_only:
            opening.append("set transaction read only")
        if tenant is not None:
            opening.append(f"select set_config('natter.app_id', '{UUID(tenant)}', true)")
        if organization is not None:
            opening.append(f"select set_config('natter.organization_id', '{UUID(organization)}', true)")
        async with self._sessions() as session:
            uow = UnitOfWork(session)
            if opening:
                # They go with the `begin`: as statements of their own they took longer than most of ours.
                taken: Any = (await session.connection()).sync_connection
                taken.connection.driver_connection.opening = "; ".join(opening)
            yield uow
            await session.commit()
        uow.committed()

    async def close(self) -> None:
        """Close every connection."""
        for statement in self._hot.values():
            await statement.close()
        if self._pool is not None:
            await self._pool.close()
        await self.engine.dispose()


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


def _came_back(adapted: Any, record: Any) -> None:
    """What the pool does with a connection of SQLAlchemy's that comes back, rolled back if need be; null if it died."""
    if adapted is not None:
        adapted.driver_connection.came_back()


async def _as_it_is(connection: Any) -> None:
    """What the pool does with a connection that comes back, besides ending a transaction that was left open."""


def sqlalchemy_url(url: str) -> URL:
    """The URL with SQLAlchemy's asyncpg driver named."""
    return make_url(url).set(drivername="postgresql+asyncpg")


def asyncpg_url(url: str) -> str:
    """The URL in the form that asyncpg reads."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(scheme="postgresql"))
