"""What ends is charged until it ends: apps that are deleted, organizations that are closed, restored, erased."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

import ops.migrations
from billing.credits import grant_credit
from billing.export import PREFIXES, SECTIONS
from billing.invoices.document import Document, digest
from billing.invoices.reads import Invoice, intact, recompute_invoice
from billing.money import prorate
from billing.tenants import close_tenant, end_app, last_invoice_made, restore_tenant
from billing.terms.service import change_plan, set_addon, set_budget, start_trial
from billing.usage.periods import month_bounds
from billing.usage.recompute import count
from control_plane.apps.service import delete_app
from control_plane.entitlements import METERS
from control_plane.organizations.closing import KEPT_FOR, close_organization, restore_organization
from control_plane.organizations.erasure import erase_due
from control_plane.organizations.export import export_lines
from tests.billing.customers import HOUR, Customer, customer
from tests.control_plane.fixtures import World

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
DUE = HOUR + timedelta(seconds=1)


async def of_app(one: Customer, use_case: Any, *args: Any, **more: Any) -> Any:
    async with one.world.deps.change_as(one.owner, "req_test") as ctx:
        return await use_case(ctx, one.id, *args, **more)


async def of_all(one: Customer, use_case: Any) -> None:
    async with one.world.deps.change_as(one.owner, "req_test") as ctx:
        await use_case(ctx, one.owner)


async def paying(world: World) -> Customer:
    ada = await customer(world)
    await of_app(ada, change_plan, "starter")
    await of_app(ada, set_addon, "mau_10k", 2)
    return ada


async def month_ends(one: Customer, end: datetime) -> None:
    await one.until(end + DUE)
    await one.close()


def amounts(document: Document) -> dict[str, int]:
    found: dict[str, int] = {}
    for line in document.lines:
        found[line.meter or line.kind] = found.get(line.meter or line.kind, 0) + line.amount
    return found


async def again(world: World, invoice: Invoice) -> bool:
    async with world.deps.database.unit_of_work() as uow:
        return intact(*await recompute_invoice(uow.session, invoice.number))


@pytest.mark.parametrize("ending", ["organization closed", "app deleted"])
async def test_what_ends_is_charged_until_then_and_no_more(world: World, ending: str) -> None:
    ada = await paying(world)
    began, ended = world.clock.now(), world.clock.now() + timedelta(days=3)
    included = (await ada.over())["messages"][0]
    assert included is not None
    await ada.use("messages", included + 1)
    await ada.use("storage_bytes", 51_000_000_000)
    # What was to change by itself brings nothing back either.
    await of_app(ada, change_plan, "free")
    await ada.until(ended)
    shown = (await ada.preview()).lines
    if ending == "app deleted":
        await of_app(ada, end_app, confirm=ada.app.name)
    else:
        await of_all(ada, close_tenant)
    await ada.keeper.step()
    for end in (FEBRUARY, MARCH, APRIL):
        await month_ends(ada, end)

    [january] = await ada.invoices()
    month = month_bounds("2026-01")
    packs = next(line for line in january.document.lines if line.kind == "addon")
    assert amounts(january.document) == {
        "plan": prorate(9_900, began, ended, month),
        "addon": prorate((packs.price or 0) * 2, began, ended, month),
        "messages": 200,
        "mau": 0,
        "peak_connections": 0,
        "storage_bytes": 5,
    }
    assert {line.end for line in january.document.lines if line.kind in ("plan", "addon")} == {packs.end}
    assert amounts(january.document)["messages"] == next(line.amount for line in shown if line.meter == "messages")
    assert await again(world, january)
    assert (await ada.over() if ending != "app deleted" else {}).keys() <= set(METERS)


async def test_what_is_restored_goes_on_as_if_time_had_passed(world: World) -> None:
    ada = await paying(world)
    began = world.clock.now()
    await of_app(ada, set_budget, 50_000, "throttle")
    await of_app(ada, change_plan, "free")
    before = await ada.over()
    await ada.until(began + timedelta(days=1))
    await of_all(ada, close_tenant)
    await ada.use("messages", 10)
    await ada.until(began + timedelta(days=2))
    await of_all(ada, restore_tenant)
    assert await ada.over() == before
    spent = await ada.spend()
    assert (spent.terms.plan.id, spent.terms.budget is not None, spent.used["messages"]) == ("starter", True, 10)
    month = month_bounds("2026-01")
    day = timedelta(days=1)
    assert amounts(await ada.preview())["plan"] == prorate(9_900, began, began + day, month) + prorate(
        9_900, began + 2 * day, FEBRUARY, month
    )
    # Closed over the moment at which the plan was to change: it has.
    await of_all(ada, close_tenant)
    await ada.until(FEBRUARY + DUE)
    await of_all(ada, restore_tenant)
    assert ((await ada.spend()).terms.plan.id, (await ada.snapshot()).status) == ("free", "active")
    # An app that was deleted does not come back with the others.
    await of_app(ada, end_app, confirm=ada.app.name)
    await of_all(ada, close_tenant)
    await of_all(ada, restore_tenant)
    await month_ends(ada, MARCH)
    await month_ends(ada, APRIL)
    assert [invoice.month for invoice in await ada.invoices()] == ["2026-01"]


async def test_a_trial_ends_also_while_closed(world: World) -> None:
    ada = await customer(world)
    ends = await of_app(ada, start_trial, "growth")
    await of_all(ada, close_tenant)
    await ada.until(ends + HOUR)
    await of_all(ada, restore_tenant)
    assert (await ada.spend()).terms.plan.id == "free"
    assert (await ada.over())["messages"][1] == "stop"


async def test_the_export_has_what_was_agreed_granted_used_and_charged(world: World) -> None:
    ada, eve = await paying(world), await customer(world, "eve@example.com", "Others")
    async with world.change() as ctx:
        for one in (ada, eve):
            await grant_credit(ctx, one.owner.organization_id, 1_000, reason=f"For {one.owner.organization_name}")
    for one in (ada, eve):
        for meter, quantity in (("messages", 7), ("messages", 5), ("storage_bytes", 100), ("peak_connections", 3)):
            await one.use(meter, quantity)
        await one.use("mau", 1, subject=1)
    await month_ends(ada, FEBRUARY)
    await ada.use("storage_bytes", -40)
    await of_all(ada, close_tenant)
    async with world.deps.read(ada.owner) as uow:
        lines = [
            json.loads(line)
            async for line in export_lines(uow.session, ada.owner, sections=SECTIONS, prefixes=PREFIXES)
        ]
        held = {month: await count(uow.session, ada.id, month) for month in ("2026-01", "2026-02")}
    kinds = {kind: [line for line in lines if line["kind"] == kind] for kind in {line["kind"] for line in lines}}
    [invoice] = kinds["invoice"]
    assert digest(invoice["document"]) == invoice["digest"]
    assert invoice["id"] == (await ada.invoices())[0].public_id
    assert {line["credit_id"] for line in kinds["credit_entry"]} == {kinds["credit"][0]["id"]}
    assert [(line["what"], line["invoice_id"]) for line in kinds["credit_entry"]] == [
        ("grant", None),
        ("debit", invoice["id"]),
    ]
    assert {line["what"] for line in kinds["terms"]} == {"plan", "addon"}
    used = {(line["month"], line["meter"]): line["quantity"] for line in kinds["usage_month"]}
    assert used == {
        (month, meter): n for month in held for meter, n in held[month].items() if n or (month, meter) in used
    }
    assert used["2026-02", "storage_bytes"] == 60
    whole = json.dumps(lines)
    assert "Others" not in whole
    assert eve.app.public_id not in whole


async def test_erasure_waits_for_the_last_invoice_and_leaves_no_words_but_there(world: World) -> None:
    """A month of 31 days is longer than the 30 days until what was closed is erased."""
    ada = await customer(world, organization="Canary Corp")
    await of_app(ada, change_plan, "starter")
    await ada.use("mau", 1, subject=1)
    async with world.change() as ctx:
        await grant_credit(ctx, ada.owner.organization_id, 10, reason="Hello")
    await month_ends(ada, FEBRUARY)
    await ada.until(MARCH + timedelta(minutes=1))
    await of_all(ada, close_tenant)
    await ada.close()
    closed = world.clock.now()
    await ada.until(closed + KEPT_FOR)
    assert await erase_due(world.deps, last_invoice_made) == 0
    await month_ends(ada, APRIL)
    assert await erase_due(world.deps, last_invoice_made) == 1
    # What comes in now is in the ledger, and nobody is left to be charged.
    await ada.use("messages", 5, closed - timedelta(days=1))
    for end in (datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)):
        await month_ends(ada, end)
    sent = await world.letters()
    assert not [letter for letter in sent if "erased" in letter.to]

    kept = await everything(world)
    assert {table for table, rows in kept.items() if "Canary" in rows} == {"invoices", "audit_entries"}
    async with world.deps.database.unit_of_work() as uow:
        numbers = list((await uow.session.execute(text("select number from control.invoices order by 1"))).scalars())
        for number in numbers:
            assert intact(*await recompute_invoice(uow.session, number))
        assert (await count(uow.session, ada.id, "2026-01"))["mau"] == 1
    assert len(numbers) == 3


async def everything(world: World) -> dict[str, str]:
    """Each table of the control plane's as text."""
    found = {}
    async with world.deps.database.unit_of_work() as uow:
        tables = await uow.session.execute(
            text(
                "select relname from pg_class where relkind = 'r' and "
                "relnamespace = 'control'::regnamespace and has_table_privilege(oid, 'select')"
            )
        )
        for table in tables.scalars().all():
            rows = await uow.session.execute(
                text(f"select coalesce(string_agg(t::text, ' '), '') from control.{table} t")
            )
            found[table] = rows.scalar_one()
    return found


STATED_LATE = Path(ops.migrations.__file__).parent / "control" / "sql" / "0021_stated_late.sql"


async def test_what_ended_before_that_was_a_fact_is_stated_at_the_moment_in_the_audit_log(world: World) -> None:
    """As the release before left it: apps deleted and organizations closed, and not a word of it in their terms."""
    ada, bob, eve = [await paying_as(world, name) for name in ("ada", "bob", "eve")]
    began = world.clock.now()
    await ada.until(began + timedelta(days=2))
    async with world.deps.change_as(ada.owner, None) as ctx:
        await delete_app(ctx, ada.id, confirm=ada.app.name)
    for one, use_case, days in (
        (bob, close_organization, 3),
        (eve, close_organization, 4),
        (eve, restore_organization, 6),
    ):
        await one.until(began + timedelta(days=days))
        async with world.deps.change_as(one.owner, None) as ctx:
            await use_case(ctx, one.owner)
    connection = await asyncpg.connect(world.admin_url)
    try:
        await connection.execute("update control.apps set deleted_at = null")
        assert await connection.fetchval("select count(*) from control.terms where subject = 'ended'") == 0
        for _ in range(2):
            async with connection.transaction():
                at = f"timestamptz '{world.clock.now().isoformat()}'"
                await connection.execute(STATED_LATE.read_text().replace("now()", at))
        stated = await connection.fetch(
            "select app_id, began_at, value <> 'null' as ended from control.terms where subject = 'ended' "
            "order by began_at"
        )
        deleted = await connection.fetchval("select deleted_at from control.apps where id = $1", ada.id)
    finally:
        await connection.close()
    assert [(row["app_id"], (row["began_at"] - began).days, row["ended"]) for row in stated] == [
        (ada.id, 2, True),
        (bob.id, 3, True),
        (eve.id, 4, True),
        (eve.id, 6, False),
    ]
    assert deleted == began + timedelta(days=2)
    # Seventeen days of the month were left when they began; of the two days without, nothing is charged.
    whole = (FEBRUARY - began) / timedelta(days=1)
    await month_ends(ada, FEBRUARY)
    charged = {}
    for one in (ada, bob, eve):
        (invoice,) = await one.invoices()
        plan = [line for line in invoice.document.lines if line.kind == "plan" and line.price]
        charged[one.owner.email] = round(
            sum(
                (datetime.fromisoformat(line.end) - datetime.fromisoformat(line.begin)) / timedelta(days=1)
                for line in plan
            )
        )
        assert await again(world, invoice)
    assert charged == {
        "ada@example.com": 2,
        "bob@example.com": 3,
        "eve@example.com": round(whole - 2),
    }


async def paying_as(world: World, name: str) -> Customer:
    one = await customer(world, f"{name}@example.com", f"Of {name}")
    await of_app(one, change_plan, "starter")
    return one
