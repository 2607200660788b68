"""Count an app's usage again from the chat database itself: the fourth count, beside reports, ledger and rollup.

It holds after deletions, truncations and erasures, because a message that is gone leaves its row as a place without
content, and a user who was active in a month is remembered by the month's set. Of an app that was deleted and erased
both are kept as numbers.
"""

from typing import Any
from uuid import UUID

import asyncpg

from billing.usage.chat import ChatCount, Comparison, compare
from billing.usage.periods import month_bounds
from billing.usage.recompute import recompute
from control_plane.context import Deps
from kernel.clock import month_of
from kernel.errors import NotFound
from kernel.ids import parse_id

_COUNT = """
    select (select count(*) from chat.messages where app_id = $1 and created_at >= $2 and created_at < $3)
               + coalesce((select messages from chat.erased_usage where app_id = $1 and month = $4), 0) as messages,
           (select count(*) from chat.active_users where app_id = $1 and month = $4)
               + coalesce((select mau from chat.erased_usage where app_id = $1 and month = $4), 0) as mau,
           (select coalesce(sum(chat.content_bytes(text, attachments, custom)), 0)::bigint
            from chat.messages where app_id = $1) as storage_bytes
"""
# Of active users those alone that no report has named yet: a row that is sent twice names one user.
_WAITING = """
    select meter, sum(quantity)::bigint as quantity from chat.usage_outbox
    where app_id = $1 and at < $3 and (at >= $2 or meter = 'storage_bytes') and meter <> 'peak_connections' group by 1
"""


async def recount(deps: Deps, app_id: str, month: str) -> list[Comparison]:
    """All counts of a month of an app, by meter. Raises `NotFound`, `InvalidInput`.

    While people chat, a message may be in one count and not yet in the next; what is on its way is told apart. Both
    databases are asked at the same moment, as nearly as that can be.
    """
    own = parse_id("app", app_id, field="app")
    begin, end = month_bounds(month)
    async with deps.database.unit_of_work(read_only=True) as uow:
        shard = await uow.session.scalar(_shard_of(own))
        if shard is None:
            raise NotFound(f"There is no app {app_id}.")
    chat = await _from_chat(deps.settings.shard_settings(shard).database_url, own, month, begin, end)
    if month != month_of(deps.clock.now()):
        chat.counted.pop("storage_bytes")
    async with deps.database.unit_of_work(read_only=True) as uow:
        return compare(await recompute(uow.session, own, month), chat)


def _shard_of(app_id: UUID) -> Any:
    from sqlalchemy import select

    from control_plane.apps.models import App

    return select(App.shard).where(App.id == app_id)


async def _from_chat(url: str, app_id: UUID, month: str, begin: Any, end: Any) -> ChatCount:
    connection = await asyncpg.connect(url, timeout=10)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.execute("set local role natter_engine")
            counted = dict(await connection.fetchrow(_COUNT, app_id, begin, end, month))
            waiting = {row["meter"]: row["quantity"] for row in await connection.fetch(_WAITING, app_id, begin, end)}
    finally:
        await connection.close()
    return ChatCount(counted, waiting)
