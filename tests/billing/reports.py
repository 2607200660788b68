"""Usage reports for tests, and what they must add up to."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from billing.usage.ingest import ingest
from billing.usage.recompute import Recount, recompute
from billing.usage.rollup import month_totals
from control_plane.context import Deps
from control_plane.credentials.models import Credential
from control_plane.credentials.service import authenticate
from kernel.contracts import Meter, UsageReport, UsageRow
from tests.control_plane.fixtures import World


def row(seq: int, app_id: str, meter: Meter, at: datetime, quantity: int = 1, subject: int | None = None) -> UsageRow:
    name = None if subject is None else f"{subject:032x}"
    return UsageRow(seq=seq, app_id=app_id, meter=meter, quantity=quantity, at=at, subject=name)


async def reporter(world: World, kind: str, name: str, shard: str = "s0") -> Credential:
    """A fresh credential, as the route's guard sees it."""
    value = await world.credential(kind, name, shard)
    async with world.deps.database.unit_of_work() as uow:
        return await authenticate(uow.session, world.deps.vault, value)


async def report(deps: Deps, credential: Credential, rows: Sequence[UsageRow], *, boot: str = "b1") -> int:
    """Send rows as the credential's own; returns how many were fresh."""
    outcome = await ingest(deps, credential, UsageReport(source=credential.source, boot=boot, rows=tuple(rows)))
    return len(outcome.fresh)


async def totals(world: World, app_id: UUID, month: str = "2026-01") -> dict[str, int]:
    async with world.deps.database.unit_of_work() as uow:
        return await month_totals(uow.session, app_id, month)


async def recount(world: World, app_id: UUID, month: str = "2026-01") -> Recount:
    async with world.deps.database.unit_of_work() as uow:
        return await recompute(uow.session, app_id, month)


def expected(reports: Iterable[tuple[str, UsageRow]], app_id: str) -> dict[str, int]:
    """What distinct rows, each with its source, come to: the definition of the meters, written down a second time."""
    messages, users, stored = 0, set(), 0
    samples: dict[datetime, dict[str, int]] = defaultdict(dict)
    for source, item in reports:
        if item.app_id != app_id:
            continue
        if item.meter == "messages":
            messages += item.quantity
        elif item.meter == "mau":
            users.add(item.subject)
        elif item.meter == "storage_bytes":
            stored += item.quantity
        else:
            minute = samples[item.at.replace(second=0, microsecond=0)]
            minute[source] = max(minute.get(source, 0), item.quantity)
    peak = max((sum(minute.values()) for minute in samples.values()), default=0)
    return {"messages": messages, "mau": len(users), "peak_connections": peak, "storage_bytes": max(0, stored)}
