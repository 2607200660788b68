"""All of a user's blocks, for its fresh state."""

from typing import Final
from uuid import UUID

from data_plane.blocks.views import BlockView
from kernel.clock import rfc3339
from kernel.db import Database

_BLOCKS: Final = (
    "select blocked_id, created_at from chat.blocks "
    "where app_id = $1 and user_id = $2 and removed_at is null order by blocked_id"
)


async def blocks_of_user(database: Database, app_id: UUID, user_id: str) -> list[BlockView]:
    """Whom the user has blocked, by id. `database` connects as `natter_engine`."""
    pool = await database.pool()
    rows = await pool.fetch(_BLOCKS, app_id, user_id)
    return [{"user_id": row["blocked_id"], "created_at": rfc3339(row["created_at"])} for row in rows]
