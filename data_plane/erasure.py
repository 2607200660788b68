"""Erase the chat of an app that was deleted for good: everything but counts, in small transactions."""

from collections.abc import Callable
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text

from kernel.db import Database

BATCH: Final = 1_000
_ERASE: Final = text("select chat.erase_app(cast(:app as uuid), :limit, :at)")


async def erase_app(database: Database, app_id: UUID, *, now: Callable[[], datetime], batch: int = BATCH) -> int:
    """Remove all rows of the app in this shard; returns how many there were. May be cut short and begun again.

    `database` connects as `natter_engine`. What goes is counted by month in the same transaction, so that a recount
    still agrees with the ledger; stored bytes are reported as given back.
    """
    removed = 0
    while True:
        async with database.unit_of_work() as uow:
            some: int = (
                await uow.session.execute(_ERASE, {"app": str(app_id), "limit": batch, "at": now()})
            ).scalar_one()
        if not some:
            return removed
        removed += some
