"""When keys were last used, as nodes tell."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.credentials.models import Credential
from kernel.errors import InvalidInput
from kernel.ids import parse_id

MOST: Final = 100
_USE: Final = re.compile(r"(key_[0-9a-z]{1,40})@(\d{1,11})")
# Locked in the order of their ids: two nodes may tell of the same keys at once.
_LOCK: Final = text("select 1 from control.api_keys where id = any(cast(:ids as uuid[])) order by id for no key update")
_RECORD: Final = text(
    "update control.api_keys k set last_used_at = u.at from unnest(cast(:ids as uuid[]), cast(:at as timestamptz[])) "
    "as u (id, at), control.apps a where k.id = u.id and a.id = k.app_id and a.shard = :shard "
    "and (k.last_used_at is null or k.last_used_at < u.at)"
)


def parse_uses(text: str) -> dict[UUID, datetime]:
    """`key_…@1764180000,…`. Raises `InvalidInput`."""
    parts = text.split(",") if text else []
    found = [_USE.fullmatch(part) for part in parts]
    if len(parts) > MOST or not all(found):
        raise InvalidInput(f"`used` must hold at most {MOST} of `key_…@seconds`.", field="used")
    return {
        parse_id("key", match[1], field="used"): datetime.fromtimestamp(int(match[2]), UTC) for match in found if match
    }


async def record_uses(
    session: AsyncSession, credential: Credential, uses: Mapping[UUID, datetime], *, now: datetime
) -> None:
    """Move the dates on, never back or into the future; of keys of the node's own shard alone."""
    if not uses:
        return
    ids = sorted(uses)
    values = {"ids": ids, "at": [min(uses[key_id], now) for key_id in ids], "shard": credential.shard}
    await session.execute(_LOCK, {"ids": ids})
    await session.execute(_RECORD, values)
