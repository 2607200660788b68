"""The ledger: each reported row once, whatever happens to its reporter, its report or this process.

All of a report goes through one transaction under READ COMMITTED, on which three things rest:

- `insert … on conflict do nothing` waits for another transaction that is inserting the same row. When that one
  commits, the row is not ours and nothing is derived from it here; when it fails, the row is ours.
- What is derived (`rollup`) comes from the rows that were really inserted, so it commits with them or not at all.
- Every statement takes its locks in the order of its keys, and every transaction goes through the tables in the same
  order (ledger, subjects, minutes, hours), so that reports never wait for each other in a circle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

MAX_AHEAD: Final = timedelta(minutes=10)
MAX_BEHIND: Final = timedelta(days=400)
"""A row whose time lies further away is quarantined: a clock is wrong, and the row would be billed to a wrong month.
Late is normal (a node was cut off for weeks), early is not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the ledger, without its source and boot."""

    seq: int
    app_id: UUID
    meter: str
    quantity: int
    at: datetime
    subject: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a report. `fresh` was not in the ledger before; `contradicting` rows name one that is there with
    another content: the first stands, the later ones are in quarantine."""

    fresh: list[Entry]
    quarantined: int
    contradicting: int


_ROWS = """
    select r.* from unnest(
        cast(:seqs as bigint[]), cast(:apps as uuid[]), cast(:meters as text[]), cast(:quantities as bigint[]),
        cast(:ats as timestamptz[]), cast(:subjects as text[])
    ) with ordinality as r (seq, app_id, meter, quantity, at, subject, place) order by r.seq, r.place
"""

_QUARANTINED_BEFORE = text(
    "select seq from control.usage_quarantine where source = :source and boot = :boot and reason = 'time' "
    "and seq = any(cast(:seqs as bigint[]))"
)

_APPEND = text(
    f"""
    insert into control.usage_ledger (source, boot, seq, app_id, meter, quantity, at, subject, received_at)
    select cast(:source as text), cast(:boot as text), r.seq, r.app_id, r.meter, r.quantity, r.at, r.subject,
        cast(:now as timestamptz)
    from ({_ROWS}) r
    on conflict (source, boot, seq) do nothing
    returning seq, app_id, meter, quantity, at, subject
    """  # noqa: S608 - constant text
)

_CONTRADICTING = text(
    f"""
    select r.place from ({_ROWS}) r
    join control.usage_ledger l on l.source = :source and l.boot = :boot and l.seq = r.seq
    where (l.app_id, l.meter, l.quantity, l.at, l.subject) is distinct from
          (r.app_id, r.meter, r.quantity, r.at, r.subject)
    """  # noqa: S608 - constant text
)

_QUARANTINE = text(
    f"""
    insert into control.usage_quarantine
        (source, boot, seq, reason, app_id, meter, quantity, at, subject, received_at)
    select cast(:source as text), cast(:boot as text), r.seq, cast(:reason as text), r.app_id, r.meter, r.quantity,
        r.at, r.subject, cast(:now as timestamptz)
    from ({_ROWS}) r
    where cast(:reason as text) <> 'time' or not exists (
        select from control.usage_ledger l where l.source = :source and l.boot = :boot and l.seq = r.seq)
    on conflict (source, boot, seq, reason) do nothing
    returning seq
    """  # noqa: S608 - constant text
)


async def append(session: AsyncSession, source: str, boot: str, entries: Sequence[Entry], *, now: datetime) -> Outcome:
    """Put a report's rows into the ledger, each once. The caller derives what it derives from `fresh` alone."""
    believed = [entry for entry in entries if now - MAX_BEHIND <= entry.at <= now + MAX_AHEAD]
    held = 0
    if len(believed) < len(entries):
        doubtful = [entry for entry in entries if not now - MAX_BEHIND <= entry.at <= now + MAX_AHEAD]
        held = await _quarantine(session, source, boot, "time", doubtful, now=now)
    # What was quarantined stays there when it is sent again later: the total must not depend on when that is.
    values: dict[str, object] = {"source": source, "boot": boot, "seqs": [entry.seq for entry in believed]}
    before = set((await session.execute(_QUARANTINED_BEFORE, values)).scalars())
    believed = [entry for entry in believed if entry.seq not in before]
    fresh = await append_believed(session, source, boot, believed, now=now)
    contradicting = 0
    if len(fresh) < len(believed):
        values = {"source": source, "boot": boot, **_columns(believed)}
        places = (await session.execute(_CONTRADICTING, values)).scalars()
        wrong = [believed[place - 1] for place in places]
        if wrong:
            contradicting = await _quarantine(session, source, boot, "contradiction", wrong, now=now)
    return Outcome(fresh, held, contradicting)


async def append_believed(
    session: AsyncSession, source: str, boot: str, entries: Sequence[Entry], *, now: datetime
) -> list[Entry]:
    """Insert without doubting any time; returns the rows that were not there before, as they now stand."""
    if not entries:
        return []
    rows = await session.execute(_APPEND, {"source": source, "boot": boot, "now": now, **_columns(entries)})
    return [Entry(**row) for row in rows.mappings()]


async def _quarantine(
    session: AsyncSession, source: str, boot: str, reason: str, entries: Sequence[Entry], *, now: datetime
) -> int:
    values = {"source": source, "boot": boot, "reason": reason, "now": now, **_columns(entries)}
    return len((await session.execute(_QUARANTINE, values)).all())


def _columns(entries: Sequence[Entry]) -> dict[str, object]:
    return {
        "seqs": [entry.seq for entry in entries],
        "apps": [entry.app_id for entry in entries],
        "meters": [entry.meter for entry in entries],
        "quantities": [entry.quantity for entry in entries],
        "ats": [entry.at for entry in entries],
        "subjects": [entry.subject for entry in entries],
    }
