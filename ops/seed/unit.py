"""The transactions of a seed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import text

from data_plane.shard import Shard
from kernel.db import UnitOfWork


@asynccontextmanager
async def unit_of_work(shard: Shard, app_id: UUID) -> AsyncIterator[UnitOfWork]:
    """One that does not wait for the disk: thousands follow each other, and the last one of the seed waits for all."""
    async with shard.unit_of_work(app_id) as uow:
        await uow.session.execute(text("set local synchronous_commit = off"))
        yield uow
