"""Take a report in: check whose it is, append it, derive from it, have standings computed."""

import re
from typing import Final
from uuid import UUID

from prometheus_client import CollectorRegistry, Counter
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from billing.usage import ledger, rollup
from billing.usage.ledger import Entry, Outcome
from control_plane import entitlements
from control_plane.apps.models import App
from control_plane.context import Deps
from control_plane.credentials.models import Credential
from control_plane.credentials.service import record_report
from kernel.contracts import UsageReport, UsageRow
from kernel.errors import Forbidden, InvalidInput
from kernel.ids import format_id, parse_id
from kernel.logging import get_logger

MAX_ROWS: Final = 1_000
MAX_QUANTITY: Final = 10**12
_MAX_SEQ: Final = 2**63 - 1
_BOOT: Final = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_SUBJECT: Final = re.compile(r"[0-9a-f]{32}")
_RETRIED: Final = ("40001", "40P01")
_TRIES: Final = 4

_log = get_logger(__name__)


class ForeignApps(Forbidden):
    """Rows of apps that are not on the reporter's shard; `app_ids` names them. Nothing of the report was taken."""

    code = "foreign_apps"
    title = "The report holds usage of apps that are not on this shard"


class IngestMetrics:
    """What became of reported rows."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.rows = Counter(
            "natter_usage_rows",
            "Reported usage rows: fresh ones are in the ledger now, duplicates were there before, quarantined ones "
            "(an implausible time, or another content than the row of that name) wait for an operator.",
            ["outcome"],
            registry=registry,
        )

    def count(self, outcome: Outcome, reported: int) -> None:
        """Add a committed report."""
        held = outcome.quarantined + outcome.contradicting
        self.rows.labels("fresh").inc(len(outcome.fresh))
        self.rows.labels("quarantined").inc(held)
        self.rows.labels("duplicate").inc(max(0, reported - len(outcome.fresh) - held))


async def ingest(deps: Deps, credential: Credential, report: UsageReport) -> Outcome:
    """One report, one transaction. When this returns, every row is durable: in the ledger or in quarantine.

    Raises `Forbidden` for another's source, `ForeignApps`, and `InvalidInput` for what cannot be a row; then nothing
    was stored. Sending a report again changes nothing.
    """
    if report.source != credential.source:
        raise Forbidden(f"This credential reports as {credential.source!r} only.")
    entries = check_rows(report)
    for tries_left in reversed(range(_TRIES)):
        try:
            return await _ingest_once(deps, credential, report, entries)
        except DBAPIError as error:
            # The lock order rules deadlocks out; should a change to it bring one back, the loser goes again.
            if not tries_left or getattr(error.orig, "sqlstate", None) not in _RETRIED:
                raise
            _log.warning("usage.retried", source=report.source)
    raise AssertionError("unreachable")


async def _ingest_once(deps: Deps, credential: Credential, report: UsageReport, entries: list[Entry]) -> Outcome:
    now = deps.clock.now()
    async with deps.database.unit_of_work() as uow:
        session = uow.session
        await _check_shard(session, credential.shard, {entry.app_id for entry in entries})
        outcome = await ledger.append(session, report.source, report.boot, entries, now=now)
        if outcome.fresh:
            await rollup.roll_up(session, report.source, outcome.fresh)
            await entitlements.mark_due(session, {entry.app_id for entry in outcome.fresh}, at=now)
        await record_report(session, credential, boot=report.boot, now=now)
    if outcome.quarantined or outcome.contradicting:
        _log.error(
            "usage.quarantined",
            source=report.source,
            boot=report.boot,
            badTime=outcome.quarantined,
            contradicting=outcome.contradicting,
        )
    return outcome


def check_rows(report: UsageReport) -> list[Entry]:
    """The rows as ledger entries. Raises `InvalidInput` that names the row and the field."""
    if len(report.rows) > MAX_ROWS:
        raise InvalidInput(f"A report has at most {MAX_ROWS} rows.", field="rows")
    if not _BOOT.fullmatch(report.boot):
        raise InvalidInput("`boot` must be 1 to 100 characters of A-Z a-z 0-9 _ . : -", field="boot")
    return [_entry(row, f"rows[{place}]") for place, row in enumerate(report.rows)]


def _entry(row: UsageRow, where: str) -> Entry:
    if not 0 <= row.seq <= _MAX_SEQ:
        raise InvalidInput(f"`{where}.seq` must be 0 to 2^63 - 1.", field=f"{where}.seq")
    # What is deleted is stored no more: changes of a level have a sign, counts have none.
    least = -MAX_QUANTITY if row.meter == "storage_bytes" else 0
    if not least <= row.quantity <= MAX_QUANTITY:
        raise InvalidInput(f"`{where}.quantity` must be {least} to {MAX_QUANTITY}.", field=f"{where}.quantity")
    if row.at.tzinfo is None:
        raise InvalidInput(f"`{where}.at` must have an offset from UTC.", field=f"{where}.at")
    if (row.meter == "mau") != (row.subject is not None):
        raise InvalidInput(
            f"`{where}.subject` belongs to rows of the meter `mau`, and to all.", field=f"{where}.subject"
        )
    if row.subject is not None and (not _SUBJECT.fullmatch(row.subject) or row.quantity != 1):
        raise InvalidInput(
            f"`{where}` must name one user by 32 hex characters, with quantity 1.", field=f"{where}.subject"
        )
    return Entry(
        seq=row.seq,
        app_id=parse_id("app", row.app_id, field=f"{where}.app_id"),
        meter=row.meter,
        quantity=row.quantity,
        at=row.at,
        subject=row.subject,
    )


async def _check_shard(session: AsyncSession, shard: str, app_ids: set[UUID]) -> None:
    if not app_ids:
        return
    found = await session.execute(select(App.id).where(App.id.in_(app_ids), App.shard == shard))
    foreign = app_ids - set(found.scalars())
    if foreign:
        raise ForeignApps(app_ids=sorted(format_id("app", app_id) for app_id in foreign))
