"""Months are closed once and to the unit, whoever is killed while it is done."""

import asyncio
import os
import random
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.credits import grant_credit
from billing.invoices.document import decode
from billing.invoices.reads import intact, recompute_invoice
from billing.tenants import open_tenant
from billing.usage.ingest import ingest
from billing.usage.periods import month_bounds
from control_plane.context import Actor, Deps
from control_plane.credentials.service import authenticate
from control_plane.mail.outbox import list_letters
from kernel.clock import ManualClock, SystemClock, month_of
from kernel.contracts import UsageReport, UsageRow
from kernel.db import Database
from kernel.ids import parse_id
from kernel.security.vault import Vault
from ops.chaos.installation import Installation

ORGANIZATIONS = 10
MONTHS = 6
KILLS = 8
_DONE = text("select count(*) from control.billing_months where organization_id = any(cast(:ids as uuid[]))")
_INVOICES = text("select number, organization_id, month, document from control.invoices order by number")
_CREDITS = text(
    "select organization_id, sum(amount)::bigint as left, count(*) filter (where kind = 'debit') as debits "
    "from control.credit_entries where organization_id = any(cast(:ids as uuid[])) group by 1"
)


def last_months(count: int) -> list[str]:
    found = [month_of(SystemClock().now())]
    while len(found) <= count:
        found.insert(0, month_of(month_bounds(found[0])[0] - timedelta(days=1)))
    return found[:-1]


@pytest.mark.scenario
@pytest.mark.timeout(120)
async def test_months_are_closed_once_whatever_is_killed_meanwhile(whole: Installation):
    seed = int(os.environ.get("NATTER_TEST_SEED", random.SystemRandom().randrange(10**6)))
    print(f"NATTER_TEST_SEED={seed} repeats this run")
    rng, months = random.Random(seed), last_months(MONTHS)
    credential = await whole.credential("relay", "closing")
    clock = ManualClock(month_bounds(months[0])[0] + timedelta(days=3))
    url = whole.settings.database_url
    deps = Deps(
        settings=whole.settings,
        database=Database(url, role="natter_control"),
        portal_database=Database(url, role="natter_portal"),
        vault=Vault(whole.settings.master_key),
        clock=clock,
    )
    try:
        # Months of long ago become due at once: nobody shall close them before their usage is there.
        await whole.stop("worker")
        apps = await customers(deps)
        used = await usage(deps, credential, clock, list(apps), months, rng)
        kills = await kill_while_closing(whole, deps, list(apps.values()), rng)
        assert kills > 2, "everything was closed before anything was killed"
        await settled(deps, apps, used, months)
    finally:
        await deps.close()
        whole.start("worker")


async def customers(deps: Deps) -> dict[str, UUID]:
    """Organizations on a plan with a price by their apps, each with some credit."""
    found = {}
    for number in range(ORGANIZATIONS):
        async with deps.change(Actor("operator:scenario")) as ctx:
            made = await open_tenant(
                ctx, email=f"closing{number}@example.com", organization=f"Of {number}", app="Chat", plan="starter"
            )
            organization = parse_id("org", made.organization_id)
            await grant_credit(ctx, organization, 1_000, reason="Hello")
        found[made.app_id] = organization
    return found


async def usage(
    deps: Deps, credential: str, clock: ManualClock, apps: list[str], months: list[str], rng: random.Random
) -> dict[tuple[str, str], int]:
    """Report messages of each month, in disorder and twice; returns how many there were by app and month."""
    async with deps.database.unit_of_work() as uow:
        relay = await authenticate(uow.session, deps.vault, credential)
    used = {}
    for place, month in enumerate(months):
        begin, _ = month_bounds(month)
        at = begin + timedelta(days=5)
        clock.advance(max(timedelta(), at + timedelta(minutes=1) - clock.now()))
        rows = []
        for app in apps:
            used[app, month] = rng.randrange(2_999_990, 3_000_020)
            parts = (used[app, month] - 7, 7)
            rows += [
                UsageRow(seq=place * 1_000 + len(rows) + n, app_id=app, meter="messages", quantity=part, at=at)
                for n, part in enumerate(parts)
            ]
        for _ in range(2):
            rng.shuffle(rows)
            await ingest(deps, relay, UsageReport(source=relay.source, boot="closing", rows=tuple(rows)))
    return used


async def kill_while_closing(whole: Installation, deps: Deps, organizations: list[UUID], rng: random.Random) -> int:
    """`kill -9` of the worker, and now and then of the control plane, until all months are closed."""
    kills, wanted = 0, rng.randrange(1, 6)
    whole.start("worker")
    while (done := await closed(deps, organizations)) < ORGANIZATIONS * MONTHS:
        if done >= wanted and kills < KILLS:
            # Anywhere within the next closing.
            await asyncio.sleep(rng.uniform(0, 0.02))
            whole.kill("worker")
            if rng.random() < 0.3:
                whole.kill("control")
            kills += 1
            wanted = done + rng.randrange(1, 8)
        await asyncio.sleep(0.002)
    await whole.ready()
    return kills


async def closed(deps: Deps, organizations: list[UUID]) -> int:
    async with deps.database.unit_of_work(read_only=True) as uow:
        count: int = await uow.session.scalar(_DONE, {"ids": organizations})
    return count


async def settled(deps: Deps, apps: dict[str, UUID], used: dict[tuple[str, str], int], months: list[str]) -> None:
    """Every month of every organization is billed once, by what was reported, and comes out the same again."""
    ids = list(apps.values())
    async with deps.database.unit_of_work(read_only=True) as uow:
        invoices = (await uow.session.execute(_INVOICES)).all()
        assert [row.number for row in invoices] == list(range(1, len(invoices) + 1))
        mine = [row for row in invoices if row.organization_id in ids]
        assert sorted((row.organization_id, row.month) for row in mine) == sorted(
            (organization, month) for organization in ids for month in months
        )
        billed = {
            (line.app.id, row.month): line.quantity
            for row in mine
            for line in decode(row.document).lines
            if line.kind == "usage" and line.meter == "messages"
        }
        assert billed == used
        for row in mine:
            assert intact(*await recompute_invoice(uow.session, row.number))
        credits = (await uow.session.execute(_CREDITS, {"ids": ids})).all()
        assert [(row.left, row.debits) for row in credits] == [(0, 1)] * len(ids)
        letters = (await list_letters(uow.session, deps.vault, limit=1_000)).items
    told = [each.letter.to for each in letters if each.letter.kind == "invoice_ready"]
    assert sorted(told) == sorted(f"closing{n}@example.com" for n in range(ORGANIZATIONS) for _ in months)
