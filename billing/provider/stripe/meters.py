"""Usage on its way to Stripe's meters: every unit of the ledger once, whatever dies in between.

*Planning* compares what an hour should have with what its rows add up to, and adds a row with the difference. What an
hour should have is what the month's quantity grew by in it, in packs: messages and users add up; of peaks the month's
maximum grows; stored bytes are a level and may shrink. An hour is looked at again and again, so that usage that comes
late is one more row of it. Once a month is closed, its cut says what it has, for ever.

*Sending* marks a row as tried, commits, then calls. Whoever dies in between leaves a row that is sent again with the
same identifier, which Stripe takes once within a day. After 20 hours nobody sends it again: Stripe's own sums by the
hour say whether it was counted, and the next planning makes good what was not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.plans import load_catalog
from billing.provider.port import ProviderAway
from billing.provider.stripe.catalog import PriceList, event_name, pack_sizes
from billing.provider.stripe.client import StripeApi, StripeRefused, seconds
from billing.provider.stripe.subscriptions import Seen, every_seen
from billing.usage.periods import month_bounds
from billing.usage.recompute import count
from billing.usage.rollup import METERED
from control_plane.context import Deps
from kernel.clock import month_of
from kernel.ids import format_id
from kernel.logging import get_logger

HOUR: Final = timedelta(hours=1)
SETTLE: Final = timedelta(minutes=5)
"""From an hour's end until it is planned: time for what nodes and relays still hold."""
REMEMBERED: Final = timedelta(hours=20)
"""For how long an identifier may be sent again; Stripe knows it for a day at least."""
CUT: Final = timedelta(days=34)
"""Stripe takes events of the last 35 days. What is older is charged by an item on an invoice."""
_BATCH: Final = 200

_HOURS = text(
    """
    select meter, hour, quantity from control.usage_hourly
    where app_id = :app and hour >= :begin and hour < :end order by meter, hour
    """
)
_BEFORE = text(
    "select coalesce(sum(quantity), 0)::bigint from control.usage_levels where app_id = :app and month < :month"
)
_CLOSED = text("select cut from control.billing_months where organization_id = :organization and month = :month")
_PLANNED = text(
    """
    select meter, hour, sum(quantity) filter (where state <> 'lost')::bigint as quantity, max(revision) as revision,
        bool_or(state in ('pending', 'sent', 'unresolved')) as open
    from control.stripe_meter_events where app_id = :app and month = :month group by meter, hour
    """
)
_LOCK = text("select pg_advisory_xact_lock(hashtextextended('stripe meters ' || :app, 0))")
_ADD = text(
    """
    insert into control.stripe_meter_events (identifier, organization_id, app_id, meter, month, hour, revision,
        quantity, customer_id, event_name, at, state, created_at, due_at, settled_at)
    values (:identifier, :organization, :app, :meter, :month, :hour, :revision, :quantity, :customer, :event, :at,
        :state, :now, :now, :settled)
    """
)
_DUE = text(
    """
    select identifier from control.stripe_meter_events where state in ('pending', 'sent') and due_at <= :now
    order by due_at, hour, identifier limit :n
    """
)
_TRY = text(
    """
    update control.stripe_meter_events set state = 'sent', attempts = attempts + 1, tried_at = coalesce(tried_at, :now),
        due_at = :lease
    where identifier = :identifier and state in ('pending', 'sent') and (tried_at is null or tried_at > :remembered)
    returning event_name, customer_id, quantity, at, attempts
    """
)
_FORGOTTEN = text(
    "update control.stripe_meter_events set state = 'unresolved', due_at = :now "
    "where state = 'sent' and tried_at <= :remembered returning identifier"
)
_SETTLE = text(
    "update control.stripe_meter_events set state = :state, settled_at = :now, last_error = :error "
    "where identifier = :identifier and state in ('sent', 'unresolved')"
)
_LATER = text(
    "update control.stripe_meter_events set due_at = :due, last_error = :error where identifier = :identifier"
)
_TOO_OLD = text(
    "update control.stripe_meter_events set state = 'adjusted', settled_at = :now "
    "where state = 'pending' and at < :oldest returning identifier"
)
_UNRESOLVED = text(
    """
    select identifier, organization_id, app_id, meter, month, hour, quantity, customer_id, event_name, at
    from control.stripe_meter_events where state = 'unresolved' and due_at <= :now
    order by event_name, customer_id, date_trunc('hour', at at time zone 'UTC'), identifier
    """
)
_IN_HOUR = text(
    """
    select coalesce(sum(quantity) filter (where state = 'accepted'), 0)::bigint as accepted,
        count(*) filter (where state = 'sent') as sent
    from control.stripe_meter_events
    where event_name = :event and customer_id = :customer and at >= :begin and at < :end
    """
)
_REVISION = text(
    "select coalesce(max(revision), -1) + 1 from control.stripe_meter_events "
    "where app_id = :app and meter = :meter and hour = :hour"
)
_SUMS = text(
    """
    select coalesce(sum(quantity) filter (where state = 'accepted'), 0)::bigint as accepted,
        coalesce(sum(quantity) filter (where state = 'adjusted'), 0)::bigint as adjusted,
        coalesce(sum(quantity) filter (where state in ('pending', 'sent', 'unresolved')), 0)::bigint as waiting,
        count(*) filter (where state in ('pending', 'sent', 'unresolved')) as open
    from control.stripe_meter_events where app_id = :app and meter = :meter and month = :month
    """
)

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Sums:
    """Of a meter's month, in packs: taken by Stripe, too old for it, on their way; and how many rows those are."""

    accepted: int
    adjusted: int
    waiting: int
    open: int


def packs(units: int, per: int) -> int:
    """Packs that are begun. Less than nothing is nothing."""
    return -(-max(0, units) // per)


async def sums(session: AsyncSession, app_id: UUID, meter: str, month: str) -> Sums:
    """What became of a meter's month."""
    row = (await session.execute(_SUMS, {"app": app_id, "meter": meter, "month": month})).one()
    return Sums(*row)


async def month_packs(
    session: AsyncSession, organization_id: UUID, app_id: UUID, month: str, *, before: datetime
) -> dict[str, dict[datetime, int]]:
    """By meter and hour what a month's quantity, in packs, grew by; of hours that begin before `before`.

    Of a closed month it adds up to what its cut says: what came later is an adjustment of the next invoice.
    """
    begin, end = month_bounds(month)
    sizes = pack_sizes(load_catalog())
    rows = (await session.execute(_HOURS, {"app": app_id, "begin": begin, "end": min(end, before)})).all()
    stored = (await session.execute(_BEFORE, {"app": app_id, "month": month})).scalar_one()
    grown: dict[str, dict[datetime, int]] = {}
    for meter in METERED:
        total, sold, hours = stored if meter == "storage_bytes" else 0, 0, dict[datetime, int]()
        quantities = {row.hour: row.quantity for row in rows if row.meter == meter}
        # What was stored before counts from the first hour on, also when nothing changes in it.
        for hour in sorted({*quantities, *([begin] if meter == "storage_bytes" and begin < before else [])}):
            quantity = quantities.get(hour, 0)
            total = max(total, quantity) if meter == "peak_connections" else total + quantity
            hours[hour] = packs(total, sizes[meter]) - sold
            sold += hours[hour]
        grown[meter] = hours
    cut = await session.scalar(_CLOSED, {"organization": organization_id, "month": month})
    if cut is not None:
        final = await count(session, app_id, month, cut=cut)
        last = end - HOUR
        for meter, hours in grown.items():
            rest = packs(final.get(meter, 0), sizes[meter]) - sum(hours.values())
            if rest:
                hours[last] = hours.get(last, 0) + rest
    return grown


class Meters:
    """Plans, sends and settles. Any number of processes may."""

    def __init__(self, deps: Deps, api: StripeApi, prices: PriceList) -> None:
        self._deps = deps
        self._api = api
        self._prices = prices
        self._complete: set[tuple[UUID, str]] = set()
        """Closed months of which nothing is left to plan: their cut stays what it is, and counting it costs."""

    async def plan(self) -> int:
        """Add the rows that are missing; returns how many."""
        now = self._deps.clock.now()
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            subscribed = [each for each in await every_seen(uow.session) if each.began_at is not None]
        added = 0
        for each in subscribed:
            for month in _months(each, now):
                if (each.app_id, month) in self._complete:
                    continue
                try:
                    added += await self._plan(each, month, now, before=_hour(now - SETTLE))
                except Exception:
                    # One app's trouble must not keep the others' usage; the next round tries again.
                    _log.exception("stripe.plan_failed", appId=format_id("app", each.app_id), month=month)
        return added

    async def flush(self, known: Seen) -> None:
        """Send what an app has used up to now, the running hour too: its last invoice is about to be made. Raises
        `ProviderAway`."""
        now = self._deps.clock.now()
        if known.began_at is not None:
            for month in _months(known, now):
                await self._plan(known, month, now, before=_hour(now) + HOUR)
        while await self.send():
            pass

    async def _plan(self, known: Seen, month: str, now: datetime, *, before: datetime) -> int:
        async with self._deps.database.unit_of_work() as uow:
            session = uow.session
            await session.execute(_LOCK, {"app": str(known.app_id)})
            # Statements of their own after the lock: they see what the previous planner added.
            grown = await month_packs(session, known.organization_id, known.app_id, month, before=before)
            closing = {"organization": known.organization_id, "month": month}
            closed = await session.scalar(_CLOSED, closing) is not None
            rows = (await session.execute(_PLANNED, {"app": known.app_id, "month": month})).all()
            planned = {(row.meter, row.hour): (row.quantity or 0, row.revision) for row in rows}
            added = 0
            for meter, hours in grown.items():
                # Hours that are not over, which the last invoice of an app was made with, are looked at when they are.
                for hour in sorted({*hours, *(at for name, at in planned if name == meter and at < before)}):
                    have, revision = planned.get((meter, hour), (0, -1))
                    difference = hours.get(hour, 0) - have
                    if difference:
                        await session.execute(_ADD, _row(known, meter, month, hour, revision + 1, difference, now))
                        added += 1
            open_rows = [row for row in rows if row.open]
        if closed and not added and not open_rows:
            self._complete.add((known.app_id, month))
        return added

    async def send(self) -> int:
        """Send what is due; returns how many rows were taken. Raises `ProviderAway`."""
        now = self._deps.clock.now()
        values = {"now": now, "remembered": now - REMEMBERED, "oldest": now - CUT, "n": _BATCH}
        async with self._deps.database.unit_of_work() as uow:
            await uow.session.execute(_TOO_OLD, {"now": now, "oldest": now - CUT})
            forgotten = (await uow.session.execute(_FORGOTTEN, {"now": now, "remembered": now - REMEMBERED})).all()
            due = list((await uow.session.execute(_DUE, {"now": values["now"], "n": _BATCH})).scalars())
        if forgotten:
            _log.warning("stripe.meter_events_unresolved", count=len(forgotten))
        taken = 0
        for identifier in due:
            taken += await self._send(identifier)
        return taken

    async def _send(self, identifier: str) -> bool:
        now = self._deps.clock.now()
        values = {"identifier": identifier, "now": now, "remembered": now - REMEMBERED}
        async with self._deps.database.unit_of_work() as uow:
            lease = {"lease": now + timedelta(minutes=2)}
            row = (await uow.session.execute(_TRY, values | lease)).one_or_none()
        if row is None:
            return False
        try:
            await self._api.call(
                self._api.v1.billing.meter_events.create_async,
                event_name=row.event_name,
                identifier=identifier,
                timestamp=seconds(row.at),
                payload={"stripe_customer_id": row.customer_id, "value": str(row.quantity)},
            )
        except ProviderAway as error:
            due = now + timedelta(seconds=min(2**row.attempts * 10, 3600))
            async with self._deps.database.unit_of_work() as uow:
                later = {"identifier": identifier, "due": due, "error": repr(error.__cause__ or error)[:2000]}
                await uow.session.execute(_LATER, later)
            raise
        except StripeRefused as error:
            # It has it already: an answer was lost. Anything else is looked into by Stripe's sums.
            state = "accepted" if error.there_already else "unresolved"
            await self._settled([identifier], state, error.message)
            if state == "unresolved":
                _log.error("stripe.meter_event_refused", identifier=identifier, error=error.message)
            return state == "accepted"
        await self._settled([identifier], "accepted", None)
        return True

    async def resolve(self) -> int:
        """Look the unresolved up in Stripe's sums by the hour; returns how many rows were settled.

        Stripe's sum of an hour is the truth: what it lacks is lost, and planned again by the next round.
        """
        now = self._deps.clock.now()
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            rows = (await uow.session.execute(_UNRESOLVED, {"now": now})).all()
        settled = 0
        for (event, customer, hour), found in groupby(
            rows, key=lambda row: (row.event_name, row.customer_id, _hour(row.at))
        ):
            settled += await self._resolve(event, customer, hour, list(found))
        return settled

    async def _resolve(self, event: str, customer: str, hour: datetime, rows: Sequence[Any]) -> int:
        values = {"event": event, "customer": customer, "begin": hour, "end": hour + HOUR}
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            known = (await uow.session.execute(_IN_HOUR, values)).one()
        if known.sent:
            # Another row of the hour is under way, and would be taken for one of these.
            return 0
        there = await self.summary(event, customer, hour, hour + HOUR)
        missing = sum(row.quantity for row in rows)
        taken = there - known.accepted
        now = self._deps.clock.now()
        async with self._deps.database.unit_of_work() as uow:
            session = uow.session
            state = "accepted" if taken == missing else "lost"
            for row in rows:
                error = None if state == "accepted" else f"Stripe's sum of the hour is {there}, {known.accepted} known"
                ended = {"identifier": row.identifier, "state": state, "now": now, "error": error}
                await session.execute(_SETTLE, ended)
            if state == "lost" and taken:
                # Some of them were counted. Which does not matter: so much is there.
                await self._found(session, rows[0], taken, now)
        _log.warning("stripe.meter_events_resolved", meter=event, rows=len(rows), state=state, found=taken)
        return len(rows)

    async def _found(self, session: AsyncSession, row: Any, quantity: int, now: datetime) -> None:
        place = {"app": row.app_id, "meter": row.meter, "hour": row.hour}
        revision = (await session.execute(_REVISION, place)).scalar_one()
        values = {
            "identifier": _identifier(row.app_id, row.meter, row.hour, revision),
            "organization": row.organization_id,
            **place,
            "month": row.month,
            "revision": revision,
            "quantity": quantity,
            "customer": row.customer_id,
            "event": row.event_name,
            "at": row.at,
            "state": "accepted",
            "now": now,
            "settled": now,
        }
        await session.execute(_ADD, values)

    async def summary(self, event: str, customer: str, begin: datetime, end: datetime) -> int:
        """What Stripe has counted in whole hours."""
        meter_id = await self._prices.meter_id(event)
        total = 0
        async for each in self._api.every(
            self._api.v1.billing.meters.event_summaries.list_async,
            meter_id,
            customer=customer,
            start_time=seconds(begin),
            end_time=seconds(end),
            value_grouping_window="hour",
        ):
            total += int(float(each["aggregated_value"]))
        return total

    async def _settled(self, identifiers: Sequence[str], state: str, error: str | None) -> None:
        async with self._deps.database.unit_of_work() as uow:
            for identifier in identifiers:
                values = {
                    "identifier": identifier,
                    "state": state,
                    "now": self._deps.clock.now(),
                    "error": error[:2000] if error else None,
                }
                await uow.session.execute(_SETTLE, values)


def _months(known: Seen, now: datetime) -> list[str]:
    """The months that may still change at Stripe: those since the subscription began that it takes events for."""
    assert known.began_at is not None
    last = min(known.ended_at or now, now)
    first = max(known.began_at, now - CUT - timedelta(days=31))
    months, month = [], month_of(first)
    while month <= month_of(last):
        months.append(month)
        month = month_of(month_bounds(month)[1])
    return months


def _row(
    known: Seen, meter: str, month: str, hour: datetime, revision: int, quantity: int, now: datetime
) -> dict[str, Any]:
    # Within the subscription's time: what was used in its first month before it is charged, as the terms say, and
    # Stripe counts from its beginning on. Never ahead of now.
    at = min(hour, now)
    if known.began_at is not None:
        at = max(at, known.began_at + timedelta(seconds=1))
    if known.ended_at is not None:
        at = min(at, known.ended_at - timedelta(seconds=1))
    return {
        "identifier": _identifier(known.app_id, meter, hour, revision),
        "organization": known.organization_id,
        "app": known.app_id,
        "meter": meter,
        "month": month,
        "hour": hour,
        "revision": revision,
        "quantity": quantity,
        "customer": known.customer_id,
        "event": event_name(meter, known.slot),
        "at": at,
        "state": "pending",
        "now": now,
        "settled": None,
    }


def _identifier(app_id: UUID, meter: str, hour: datetime, revision: int) -> str:
    return f"{format_id('app', app_id)}:{meter}:{hour.astimezone(UTC):%Y-%m-%dT%H}:{revision}"


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
