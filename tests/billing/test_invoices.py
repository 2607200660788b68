"""An invoice says what was used, is made once, never changes, and comes out the same again."""

import asyncio
import hashlib
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing.coupons import redeem
from billing.credits import balances, grant_credit
from billing.invoices import pdf
from billing.invoices.closing import Closer
from billing.invoices.document import Document, Party, decode
from billing.invoices.reads import drill_of, every_row, intact, raw_rows, recompute_invoice
from billing.invoices.typeface import Typeface
from billing.money import prorate
from billing.terms.service import change_plan, set_over
from billing.usage.periods import month_bounds
from billing.usage.report import month_report
from control_plane.organizations.details import Details, set_billing_details
from kernel.contracts import Meter
from kernel.errors import Forbidden, InvalidInput
from tests.billing.customers import HOUR, Customer, customer
from tests.billing.reports import report, row
from tests.control_plane.fixtures import World

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
MORE: tuple[tuple[Meter, int], ...] = (("messages", 5), ("storage_bytes", 7))
DUE = HOUR + timedelta(seconds=1)


async def paying(world: World, plan: str = "starter") -> Customer:
    one = await customer(world)
    async with world.deps.change_as(one.owner, None) as ctx:
        await change_plan(ctx, one.id, plan)
    return one


async def again(world: World, number: int) -> bool:
    async with world.deps.database.unit_of_work() as uow:
        return intact(*await recompute_invoice(uow.session, number))


def usage(document: Document, meter: str) -> tuple[int | None, int | None, int]:
    line = next(line for line in document.lines if line.meter == meter and line.kind == "usage")
    return line.quantity, line.beyond, line.amount


async def test_a_month_is_previewed_shown_and_billed_alike(world: World) -> None:
    ada = await paying(world)
    began = world.clock.now()
    await ada.use("messages", 3_000_001)
    await ada.use("peak_connections", 503)
    await ada.use("storage_bytes", 51_000_000_000)
    await ada.use("mau", 1, subject=1)
    await ada.until(FEBRUARY - timedelta(seconds=1))
    before = await ada.preview()
    async with world.deps.read(ada.owner) as uow:
        shown = await month_report(uow.session, ada.app, "2026-01", now=world.clock.now())

    await ada.until(FEBRUARY + DUE)
    assert await ada.close() == 1
    [invoice] = await ada.invoices()
    document = invoice.document

    assert usage(document, "messages") == (3_000_001, 1, 200)
    assert usage(document, "peak_connections") == (503, 3, 60)
    assert usage(document, "storage_bytes") == (51_000_000_000, 10**9, 5)
    assert usage(document, "mau") == (1, 0, 0)
    base = prorate(9_900, began, FEBRUARY, month_bounds("2026-01"))
    assert (document.number, document.total) == ("N-000001", base + 265)
    assert (before.lines, before.total) == (document.lines, document.total)
    assert {meter.meter: meter.total for meter in shown.meters} == {
        line.meter: line.quantity for line in document.lines if line.kind == "usage"
    }
    assert await again(world, 1)
    assert next(letter.kind for letter in await world.letters(ada.owner.email)) == "invoice_ready"


async def test_credit_coupon_and_tax_come_in_this_order(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ada = await paying(world)
    async with world.change() as ctx:
        # The second expires between the month's end and its closing: it can be used for it.
        await grant_credit(ctx, ada.owner.organization_id, 1_000, reason="First")
        await grant_credit(
            ctx, ada.owner.organization_id, 500, reason="Ends", expires_at=FEBRUARY + timedelta(minutes=1), priority=-1
        )
    async with world.deps.change_as(ada.owner, None) as ctx:
        await redeem(ctx, ada.owner.organization_id, "WELCOME50")
    await ada.until(FEBRUARY + DUE)
    await ada.close()
    [invoice] = await ada.invoices()
    document = invoice.document
    left = document.subtotal - 1_500
    assert [(taken.name, taken.amount) for taken in document.credits] == [("Ends", 500), ("First", 1_000)]
    assert [taken.amount for taken in document.coupons] == [(left + 1) // 2]
    assert document.total == left - (left + 1) // 2
    assert await again(world, 1)
    async with world.deps.read(ada.owner) as uow:
        assert await balances(uow.session, ada.owner.organization_id, now=world.clock.now()) == []


async def test_workers_at_once_make_one_invoice_a_month_and_numbers_without_gaps(world: World, second: World) -> None:
    customers = [await customer(world, f"c{n}@example.com", f"Of {n}") for n in range(4)]
    for one in customers[:3]:
        async with world.deps.change_as(one.owner, None) as ctx:
            await change_plan(ctx, one.id, "starter")
    world.clock.advance(FEBRUARY - world.clock.now() + HOUR - timedelta(seconds=1))
    assert await customers[0].close() == 0, "within the hour of grace"
    # Two months late, both are made, in order.
    world.clock.advance(MARCH - FEBRUARY + DUE)
    await asyncio.gather(*(Closer(where.deps).step() for where in (world, second) for _ in range(4)))
    assert await customers[0].close() == 0

    invoices = [await one.invoices() for one in customers]
    assert [[invoice.month for invoice in mine] for mine in invoices] == [["2026-01", "2026-02"]] * 3 + [[]]
    assert sorted(invoice.number for mine in invoices for invoice in mine) == [1, 2, 3, 4, 5, 6]
    for mine in invoices[:3]:
        assert [await again(world, invoice.number) for invoice in mine] == [True, True]
        assert mine[1].document.total == 9_900


async def test_a_closing_that_is_cut_off_anywhere_leaves_nothing_and_is_done_by_the_next(world: World) -> None:
    ada = await paying(world)
    async with world.change() as ctx:
        await grant_credit(ctx, ada.owner.organization_id, 1_000, reason="First")
    await ada.until(FEBRUARY + DUE)
    for table in ("invoices", "billing_months", "credit_entries", "mails", "audit_entries"):
        owner = await asyncpg.connect(world.admin_url)
        await owner.execute(
            "create function control.cut_off() returns trigger language plpgsql as "
            "$$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;"
            f"create trigger cut_off after insert on control.{table} execute function control.cut_off()"
        )
        try:
            assert await ada.close() == 0
            assert await ada.invoices() == []
        finally:
            await owner.execute(f"drop trigger cut_off on control.{table}; drop function control.cut_off()")
            await owner.close()
    assert await ada.close() == 1
    [invoice] = await ada.invoices()
    assert (invoice.number, invoice.document.credits[0].amount) == (1, 1_000)


async def test_what_arrives_thirty_days_late_counts_once_as_an_adjustment(world: World) -> None:
    ada = await paying(world)
    used_at = world.clock.now()
    await ada.use("messages", 3_000_000, used_at)
    await ada.use("storage_bytes", 50_000_000_000, used_at)
    await ada.until(FEBRUARY + DUE)
    await ada.close()
    first = (await ada.invoices())[0]

    await ada.until(used_at + timedelta(days=30))
    late_rows = [
        row(900 + n, ada.app.public_id, meter, used_at, quantity) for n, (meter, quantity) in enumerate([*MORE, *MORE])
    ]
    fresh = 0
    for _ in range(100):
        # The same report over and over, in another order each time.
        late_rows = late_rows[1:] + late_rows[:1]
        fresh += await report(ada.world.deps, ada.relay, late_rows)
    assert fresh == 4
    await ada.keeper.step()
    await ada.until(MARCH + DUE)
    await ada.close()
    await ada.until(datetime(2026, 4, 1, tzinfo=UTC) + DUE)
    await ada.close()

    january, february, march = await ada.invoices()
    assert (january.text, january.digest) == (first.text, first.digest)
    late = [line for line in february.document.lines if line.kind == "adjustment"]
    assert [(line.meter, line.quantity, line.beyond, line.amount, line.begin[:7]) for line in late] == [
        ("messages", 10, 10, 200, "2026-01"),
        ("storage_bytes", 14, 14, 5, "2026-01"),
    ]
    assert usage(february.document, "messages")[0] == 0
    assert usage(february.document, "storage_bytes") == (50_000_000_014, 14, 5)
    assert [line for line in march.document.lines if line.kind == "adjustment"] == []
    assert [await again(world, number) for number in (1, 2, 3)] == [True, True, True]


async def test_what_was_stored_less_than_billed_comes_back_as_credit(world: World) -> None:
    ada = await paying(world)
    used_at = world.clock.now()
    for _ in range(3):
        await ada.use("storage_bytes", 10**12, used_at)
    await ada.until(FEBRUARY + DUE)
    await ada.close()
    billed = usage((await ada.invoices())[0].document, "storage_bytes")[2]
    assert billed == 2_950 * 5
    for _ in range(3):
        await ada.use("storage_bytes", -990_000_000_000, used_at)
    await ada.until(MARCH + DUE)
    await ada.close()
    february = (await ada.invoices())[1].document
    assert (february.subtotal, february.total, february.carried) == (9_900 - billed, 0, billed - 9_900)
    async with world.deps.read(ada.owner) as uow:
        [credit] = await balances(uow.session, ada.owner.organization_id, now=world.clock.now())
    assert (credit.balance, credit.reason) == (billed - 9_900, "Carried over from invoice N-000002")
    assert await again(world, 2)


async def test_what_slips_past_a_stop_is_shown_and_not_charged(world: World) -> None:
    ada = await paying(world)
    world.clock.advance(HOUR)
    async with world.deps.change_as(ada.owner, None) as ctx:
        await set_over(ctx, ada.id, "messages", "stop")
    # It was `bill` until now, in this month.
    await ada.use("messages", 3_000_100)
    await ada.until(FEBRUARY + timedelta(days=1))
    await ada.use("messages", 3_000_100)
    await ada.until(MARCH + DUE)
    await ada.close()
    january, february = await ada.invoices()
    assert usage(january.document, "messages") == (3_000_100, 100, 200)
    assert usage(february.document, "messages") == (3_000_100, 100, 0)


async def test_a_final_invoice_cannot_be_changed_or_removed(world: World) -> None:
    ada = await paying(world)
    await ada.until(FEBRUARY + DUE)
    await ada.close()
    for statement in (
        "update control.invoices set total = 0",
        "delete from control.invoices",
        "delete from control.billing_months",
        "insert into control.invoices select gen_random_uuid(), organization_id, month, number + 1, currency, total, "
        "document, digest, cut, finalized_at from control.invoices",
    ):
        with pytest.raises(DBAPIError, match=r"permission denied|append-only|duplicate key"):
            async with world.deps.database.unit_of_work() as uow:
                await uow.session.execute(text(statement))
    owner = await asyncpg.connect(world.admin_url)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
            await owner.execute("update control.invoices set total = 0")
        # Whoever gets around that is found out.
        await owner.execute("alter table control.invoices disable trigger append_only")
        await owner.execute("update control.invoices set document = replace(document, '\"total\":', '\"total\":1')")
    finally:
        await owner.close()
    assert not await again(world, 1)


async def test_a_line_is_drilled_down_to_the_rows_it_rests_on(world: World) -> None:
    ada = await paying(world)
    at = world.clock.now()
    for quantity in (5, 7, 11):
        await ada.use("messages", quantity, at)
    await ada.use("messages", 1_000, at - timedelta(days=20))
    await ada.until(FEBRUARY + DUE)
    await ada.close()
    await ada.use("messages", 13, at)
    await ada.until(MARCH + DUE)
    await ada.close()
    january, february = await ada.invoices()
    for invoice, kind, quantities in ((january, "usage", [5, 7, 11]), (february, "adjustment", [13])):
        place = next(
            n for n, line in enumerate(invoice.document.lines, 1) if line.meter == "messages" and line.kind == kind
        )
        async with world.deps.read(ada.owner) as uow:
            line, drill = await drill_of(uow.session, invoice, place)
            assert drill is not None
            rows, cursor = [], None
            while True:
                page = await raw_rows(uow.session, drill, cursor=cursor, limit=2)
                rows += page.items
                cursor = page.next_cursor
                if cursor is None:
                    break
            assert [row.quantity for row in rows] == quantities
            assert [row async for row in every_row(uow.session, drill)] == rows
        assert line.quantity == sum(quantities)


async def test_the_pdf_is_the_same_every_time(world: World) -> None:
    ada = await paying(world)
    await ada.until(FEBRUARY + DUE)
    await ada.close()
    document = (await ada.invoices())[0].document
    one, two = pdf.render(document), pdf.render(document)
    assert one == two
    assert one.startswith(b"%PDF-")


OLD_PDF = "ab59fdff8df6caabd91ea5b148426061bea9a655858926125fe044ba7ca5dcf5"
COMPANY = Details(company="Łódź Čaj s.r.o.", address="Δελφών 12\n東京都千代田区\nשדרות", tax_number="CZ12345678")


async def test_an_invoice_keeps_who_it_was_for_and_from_when_it_was_made(world: World) -> None:
    ada = await paying(world)
    seller = replace(world.deps.settings, seller_name="Natter sp. z o.o.", seller_address="Długa 1; Kraków")
    world.deps = replace(world.deps, settings=seller)
    viewer = await world.member(ada.owner, "viewer@example.com", "viewer")
    billing = await world.member(ada.owner, "money@example.com", "billing")
    async with world.deps.change_as(viewer, None) as ctx:
        with pytest.raises(Forbidden):
            await set_billing_details(ctx, viewer, COMPANY)
    for wrong in ({"company": "x" * 201}, {"tax_number": "a\nb"}, {"address": "\n".join("abcdefg")}):
        async with world.deps.change_as(billing, None) as ctx:
            with pytest.raises(InvalidInput) as refused:
                await set_billing_details(ctx, billing, Details(**wrong))
            assert refused.value.data["field"] == next(iter(wrong))
    async with world.deps.change_as(billing, None) as ctx:
        await set_billing_details(ctx, billing, COMPANY)
    await ada.until(FEBRUARY + DUE)
    await ada.close()
    async with world.deps.change_as(billing, None) as ctx:
        await set_billing_details(ctx, billing, Details(company="Somebody else"))
    (invoice,) = await ada.invoices()
    document = invoice.document
    assert document.customer == Party(
        name=COMPANY.company, address=tuple(COMPANY.address.splitlines()), tax_number="CZ12345678"
    )
    assert document.seller == Party(name="Natter sp. z o.o.", address=("Długa 1", "Kraków"))
    async with world.deps.database.unit_of_work(read_only=True) as uow:
        assert intact(*await recompute_invoice(uow.session, invoice.number))

    made = pdf.render(document)
    assert made == pdf.render(document)
    fonts = set(re.findall(rb"/BaseFont /([A-Za-z0-9+-]+)", made))
    assert {name.partition(b"+")[2] for name in fonts if b"+" in name} == {b"DejaVuSans", b"DejaVuSans-Bold"}
    assert any(b"STSong" in name for name in fonts)
    assert len(made) < 100_000, "of the fonts only the letters that are used"
    for bold in (False, True):
        words = [COMPANY.company, COMPANY.address, "Ёж, ạ, ﬁ, €, naïve, हिन्दी"]
        runs = [run for text in words for run in Typeface(words).runs(text, bold=bold)]
        assert "".join(part for _, part in runs) == "".join(words).replace("हिन्दी", "??????").replace("\n", "?")


def test_an_invoice_of_before_is_written_as_it_was() -> None:
    old = (
        '{"format":1,"number":"N-000001","organization":{"id":"org_1","name":"Café"},"month":"2026-01",'
        '"currency":"usd","cut":"2026-02-01T00:55:00.000Z","finalized_at":"2026-02-01T01:00:00.000Z","lines":[],'
        '"subtotal":0,"credits":[],"coupons":[],"tax":{"name":"","basis_points":0,"amount":0},"total":0,"carried":0}'
    )
    assert decode(old).encode() == old
    assert hashlib.sha256(pdf.render(decode(old))).hexdigest() == OLD_PDF
