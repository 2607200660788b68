"""A control plane's database for one test after the other, emptied in between instead of made anew.

A fresh database costs three times what most of these tests do in it: its files, and then each connection, which must
learn the catalogue, and each statement, which SQLAlchemy compiles once for each engine. What a test leaves behind is
rows, so these are taken away. A test that leaves anything else (a policy, a trigger, a grant) costs the next one a
fresh database; nobody has to say so beforehand.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import asyncpg
import pytest

from kernel.db import Database
from tests.engines import Engines, TemporaryDatabase

_CATALOGUE: Final = (
    *("pg_class", "pg_attribute", "pg_attrdef", "pg_proc", "pg_trigger", "pg_policy", "pg_constraint", "pg_index"),
    *("pg_type", "pg_namespace", "pg_rewrite", "pg_authid", "pg_auth_members", "pg_db_role_setting"),
)
_SHAPE: Final = " union all ".join(
    f"select '{table}', count(*), max(xmin::text::bigint) from {table}" for table in _CATALOGUE
)
"""What nothing but data definition changes: how many rows a catalogue has, and the last transaction that wrote one."""


class Emptied:
    """A migrated database with the connections of a control process to it."""

    def __init__(self, handle: TemporaryDatabase, owner: asyncpg.Connection) -> None:
        self.handle = handle
        self.control = Database(handle.url, role="natter_control")
        self.portal = Database(handle.url, role="natter_portal")
        self._owner = owner
        self._sequences: list[Any] = []
        self._shape: list[Any] = []

    @classmethod
    async def make(cls, engines: Engines) -> "Emptied":
        handle = await engines.fresh_database("control")
        made = cls(handle, await handle.connect())
        await made._remember()
        return made

    async def close(self, engines: Engines) -> None:
        await self.control.close()
        await self.portal.close()
        await self._owner.close()
        await engines.drop_database(self.handle)

    async def _remember(self) -> None:
        """Keep the rows that migrations made, and write down how to get back to them."""
        owner = self._owner
        found = await owner.fetch("select tablename from pg_tables where schemaname = 'control' order by 1")
        tables = [row[0] for row in found]
        steps = [f'delete from control."{table}"' for table in tables]
        for table in tables:
            if await owner.fetchval(f'select exists (select from control."{table}")'):
                columns = await owner.fetchval(
                    "select string_agg(quote_ident(attname), ', ') from pg_attribute where attrelid = $1::regclass "
                    "and attnum > 0 and not attisdropped and attgenerated = ''",
                    f'control."{table}"',
                )
                await owner.execute(f'create temporary table "of_{table}" as select {columns} from control."{table}"')
                steps.append(
                    f'insert into control."{table}" ({columns}) overriding system value select * from "of_{table}"'
                )
        body = ";\n".join(steps)
        await owner.execute(
            f"create procedure pg_temp.empty() language plpgsql as $$ begin\n{body};\nend $$; "
            # No trigger has a say in this, and no foreign key.
            "set session_replication_role = replica; set lock_timeout = '2s'"
        )
        self._sequences = await self._sequence_values()
        self._shape = await owner.fetch(_SHAPE)

    async def _sequence_values(self) -> list[Any]:
        return list(
            await self._owner.fetch(
                "select format('control.%I', sequencename) as name, start_value, last_value from pg_sequences "
                "where schemaname = 'control' order by 1"
            )
        )

    async def empty(self) -> bool:
        """Leave it as migrations left it. False when that takes more than taking rows away."""
        owner = self._owner
        if await owner.fetch(_SHAPE) != self._shape:
            return False
        try:
            await owner.execute("call pg_temp.empty()")
        except asyncpg.PostgresError:
            return False
        now = await self._sequence_values()
        for was, is_ in zip(self._sequences, now, strict=True):
            if was != is_:
                value = was["last_value"]
                start = value if value is not None else was["start_value"]
                await owner.execute("select setval($1::text::regclass, $2, $3)", was["name"], start, value is not None)
        return True


class Spare:
    """The one that is lent to a test, made anew when it must."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self._there: Emptied | None = None

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Emptied]:
        """An empty one, until the block ends."""
        there = self._there or await Emptied.make(self._engines)
        self._there = None
        try:
            yield there
        finally:
            if await there.empty():
                self._there = there
            else:
                await there.close(self._engines)

    async def close(self) -> None:
        if self._there is not None:
            await self._there.close(self._engines)


@pytest.fixture(scope="session")
async def spare_database(engines: Engines) -> AsyncIterator[Spare]:
    """What tests of the control plane stand on."""
    spare = Spare(engines)
    yield spare
    await spare.close()
