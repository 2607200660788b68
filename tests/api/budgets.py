"""How many SQL statements a call takes, counted inside a running node."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg
import pytest
from sqlalchemy import event

from kernel.db.statement import HotStatement
from tests.api.house import House

OPENS = ("begin", "commit", "rollback")
"""What opens and closes a transaction is not counted."""
IN_THE_WAKE = "load-grants"
"""A task that a change of grants starts on every node, the one that was asked too, at some moment after the call."""
SIZES = (20, 200, 2_000)
"""Members and messages of the channel that calls are about, channels of its user, users: ten and a hundred times."""
FURNITURE = """
    insert into chat.users (app_id, id, name, created_at, updated_at)
    select $1, 'u' || n, 'user ' || n, now(), now() from generate_series(1, $2::int) n;
    insert into chat.members (app_id, channel_id, user_id, role, joined_seq, joined_at, read_number)
    select $1, 'general', 'u' || n, 'member', 1, now(), 0 from generate_series(1, $2::int) n;
    insert into chat.channels (app_id, id, type, name, created_at, updated_at)
    select $1, 'c' || n, 'group', 'channel ' || n, now(), now() from generate_series(1, $2::int) n;
    insert into chat.log_heads (app_id, log, last_seq, last_xid, member_count)
    select $1, 'c:c' || n, 1, 1, 0 from generate_series(1, $2::int) n;
    insert into chat.members (app_id, channel_id, user_id, role, joined_seq, joined_at, read_number)
    select $1, 'c' || n, 'ada', 'owner', 1, now(), 0 from generate_series(1, $2::int) n;
    update chat.log_heads set last_seq = last_seq + $2::int, last_number = last_number + $2::int
    where app_id = $1 and log = 'c:general';
    insert into chat.messages (app_id, channel_id, seq, number, id, user_id, text, silent, created_at, updated_at,
                               content_hash, xid)
    select $1, 'general', h.last_seq - $2::int + n, h.last_number - $2::int + n, gen_random_uuid(), 'grace', 'hello',
           false, now(), now(), '\\x00', chat.xid()
    from chat.log_heads h, generate_series(1, $2::int) n where h.app_id = $1 and h.log = 'c:general'
"""


class Statements:
    """What a node sends to its database on behalf of calls."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._said: list[str] = []
        self._standing: set[asyncio.Task[Any]] = set()
        """Tasks that were there before all calls: what the node does by itself. Calls have tasks of their own, but
        sends share those of the flush."""

    def begin(self) -> None:
        """What is asked from now on may belong to calls."""
        self._standing = {
            task
            for task in asyncio.all_tasks(self._house.loop)
            if "flush" not in str(getattr(task.get_coro(), "__qualname__", "")).lower()
        }
        self._said.clear()

    async def take(self) -> list[str]:
        """Those since the last time, when nothing is on its way any more."""
        await asyncio.sleep(0.004)
        said = list(self._said)
        self._said.clear()
        return said

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Listen at each of the ways that statements go: SQLAlchemy, the pool, prepared ones of the hot path."""

        def note(statement: str) -> None:
            task = asyncio.current_task()
            if task in self._standing or (task and task.get_name() == IN_THE_WAKE):
                return
            if not statement.strip().lower().startswith(OPENS):
                self._said.append(statement)

        def through_sqlalchemy(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
            note(statement)

        by_pool, hot = asyncpg.Connection._execute, HotStatement.fetch

        async def through_pool(self: Any, query: str, *more: Any, **options: Any) -> Any:
            note(query)
            return await by_pool(self, query, *more, **options)

        async def through_hot(self: HotStatement, *arguments: Any) -> list[Any]:
            note(self._sql)
            return await hot(self, *arguments)

        shard = self._house.node.node.shard
        engines = [shard.tenant.engine.sync_engine, shard.system.engine.sync_engine]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncpg.Connection, "_execute", through_pool)
            patch.setattr(HotStatement, "fetch", through_hot)
            for engine in engines:
                event.listen(engine, "before_cursor_execute", through_sqlalchemy)
            try:
                yield
            finally:
                for engine in engines:
                    event.remove(engine, "before_cursor_execute", through_sqlalchemy)
