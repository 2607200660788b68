"""Totals by the hour, kept in the transaction of the rows they come from.

- messages: the sum.
- mau: the set of subjects in a month; an hour holds those whose first row to arrive lies in it. So a month's sum is
  the size of the set, however many sources report the same user, in whatever order.
- peak_connections: in each minute the greatest sample of each source, summed over sources; the hour and the month
  hold their greatest minute. Nothing is summed over time.
- storage_bytes: a level. An hour holds the sum of its changes, which may be below zero, `usage_levels` that of a month;
  what is stored at a month's end is the sum of all changes up to it.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.usage.ledger import Entry
from billing.usage.periods import month_bounds
from kernel.clock import month_of

_Hour = tuple[UUID, str, datetime]

_SUBJECTS = text(
    """
    insert into control.usage_subjects (app_id, month, subject)
    select * from unnest(cast(:apps as uuid[]), cast(:months as text[]), cast(:subjects as text[])) order by 1, 2, 3
    on conflict do nothing
    returning app_id, month, subject
    """
)

_MINUTES = text(
    """
    insert into control.usage_minutes as m (app_id, minute, source, quantity)
    select app_id, minute, cast(:source as text), quantity
    from unnest(cast(:apps as uuid[]), cast(:minutes as timestamptz[]), cast(:quantities as bigint[]))
        as r (app_id, minute, quantity)
    order by app_id, minute
    on conflict (app_id, minute, source) do update set quantity = greatest(m.quantity, excluded.quantity)
    """
)

# A peak adds 0: it makes the row and takes its lock. `_PEAKS` then runs under a snapshot taken after the lock, so of
# two transactions with samples of one hour the later one sees the minutes of both.
_HOURS = text(
    """
    insert into control.usage_hourly as h (app_id, meter, hour, quantity)
    select * from unnest(
        cast(:apps as uuid[]), cast(:meters as text[]), cast(:hours as timestamptz[]), cast(:quantities as bigint[])
    ) order by 1, 2, 3
    on conflict (app_id, meter, hour) do update set quantity = h.quantity + excluded.quantity
    """
)

_PEAKS = text(
    """
    update control.usage_hourly h set quantity = (
        select max(total) from (
            select sum(m.quantity)::bigint as total from control.usage_minutes m
            where m.app_id = k.app_id and m.minute >= k.hour and m.minute < k.hour + interval '1 hour'
            group by m.minute
        ) minutes
    )
    from unnest(cast(:apps as uuid[]), cast(:hours as timestamptz[])) as k (app_id, hour)
    where h.app_id = k.app_id and h.meter = 'peak_connections' and h.hour = k.hour
    """
)

_TOTALS = text(
    """
    select meter, (case when meter = 'peak_connections' then max(quantity) else sum(quantity) end)::bigint as total
    from control.usage_hourly where app_id = :app_id and hour >= :begin and hour < :end
    group by meter
    """
)

_LEVELS = text(
    """
    insert into control.usage_levels as l (app_id, month, quantity)
    select * from unnest(cast(:apps as uuid[]), cast(:months as text[]), cast(:quantities as bigint[])) order by 1, 2
    on conflict (app_id, month) do update set quantity = l.quantity + excluded.quantity
    """
)

_LEVEL = text(
    "select coalesce(sum(quantity), 0)::bigint from control.usage_levels where app_id = :app and month <= :month"
)

METERED: Final = ("messages", "mau", "peak_connections", "storage_bytes")
ADDED: Final = ("messages", "storage_bytes")
"""Meters of which an hour is the sum of its rows."""


async def roll_up(session: AsyncSession, source: str, fresh: Sequence[Entry]) -> None:
    """Add rows that the ledger has just got, in this transaction, from one source."""
    hours: dict[_Hour, int] = defaultdict(int)
    for entry in fresh:
        if entry.meter in ADDED:
            hours[entry.app_id, entry.meter, _hour(entry.at)] += entry.quantity
    for key in await _new_subjects(session, [entry for entry in fresh if entry.meter == "mau"]):
        hours[key] += 1
    peaks = await _samples(session, source, [entry for entry in fresh if entry.meter == "peak_connections"])
    for app_id, hour in peaks:
        hours[app_id, "peak_connections", hour] += 0
    if hours:
        keys = list(hours)
        values = {
            "apps": [key[0] for key in keys],
            "meters": [key[1] for key in keys],
            "hours": [key[2] for key in keys],
            "quantities": [hours[key] for key in keys],
        }
        await session.execute(_HOURS, values)
    if peaks:
        await session.execute(_PEAKS, {"apps": [app for app, _ in peaks], "hours": [hour for _, hour in peaks]})
    levels: dict[tuple[UUID, str], int] = defaultdict(int)
    for entry in fresh:
        if entry.meter == "storage_bytes":
            levels[entry.app_id, month_of(entry.at)] += entry.quantity
    if levels:
        values = {
            "apps": [app_id for app_id, _ in levels],
            "months": [month for _, month in levels],
            "quantities": list(levels.values()),
        }
        await session.execute(_LEVELS, values)


async def month_totals(session: AsyncSession, app_id: UUID, month: str) -> dict[str, int]:
    """Units by meter in a UTC month, of stored bytes those at its end or now; a meter without usage is 0.

    Raises `InvalidInput`.
    """
    begin, end = month_bounds(month)
    rows = await session.execute(_TOTALS, {"app_id": app_id, "begin": begin, "end": end})
    totals = dict.fromkeys(METERED, 0) | {row.meter: row.total for row in rows}
    totals["storage_bytes"] = await level(session, app_id, month)
    return totals


async def level(session: AsyncSession, app_id: UUID, month: str) -> int:
    """Bytes stored at the end of a month, or now. What arrives out of order may have it below zero for a moment:
    then 0."""
    stored: int = (await session.execute(_LEVEL, {"app": app_id, "month": month})).scalar_one()
    return max(0, stored)


async def _new_subjects(session: AsyncSession, entries: Sequence[Entry]) -> list[_Hour]:
    """The hour of each user who is new in its month."""
    first: dict[tuple[UUID, str, str], datetime] = {}
    for entry in entries:
        key = (entry.app_id, month_of(entry.at), entry.subject or "")
        first[key] = min(entry.at, first.get(key, entry.at))
    if not first:
        return []
    values = {
        "apps": [app_id for app_id, _, _ in first],
        "months": [month for _, month, _ in first],
        "subjects": [subject for _, _, subject in first],
    }
    rows = await session.execute(_SUBJECTS, values)
    return [(row.app_id, "mau", _hour(first[row.app_id, row.month, row.subject])) for row in rows]


async def _samples(session: AsyncSession, source: str, entries: Sequence[Entry]) -> list[tuple[UUID, datetime]]:
    """Store a source's samples; returns the hours in which a peak may have moved."""
    greatest: dict[tuple[UUID, datetime], int] = {}
    for entry in entries:
        key = (entry.app_id, entry.at.astimezone(UTC).replace(second=0, microsecond=0))
        greatest[key] = max(entry.quantity, greatest.get(key, 0))
    if not greatest:
        return []
    values = {
        "source": source,
        "apps": [app_id for app_id, _ in greatest],
        "minutes": [minute for _, minute in greatest],
        "quantities": list(greatest.values()),
    }
    await session.execute(_MINUTES, values)
    return list(dict.fromkeys((app_id, _hour(minute)) for app_id, minute in greatest))


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
