"""What cannot be believed is neither counted nor lost."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from billing.usage.quarantine import release_quarantined
from kernel.errors import NotFound
from tests.billing.reports import recount, report, reporter, row, totals
from tests.control_plane.fixtures import World, app_uuid, bearer


async def waiting(world: World) -> list[tuple[int, str, int]]:
    async with world.deps.database.unit_of_work() as uow:
        rows = await uow.session.execute(
            text("select seq, reason, quantity from control.usage_quarantine where released_at is null order by 1, 2")
        )
        return [(r.seq, r.reason, r.quantity) for r in rows]


async def test_a_row_from_the_future_waits_and_its_neighbours_count(world: World) -> None:
    tenant = await world.tenant()
    relay = await reporter(world, "relay", "r")
    now = world.clock.now()
    rows = [
        row(1, tenant.app_id, "messages", now + timedelta(minutes=10), 1),
        row(2, tenant.app_id, "messages", now + timedelta(minutes=10, milliseconds=1), 10),
        row(3, tenant.app_id, "messages", now - timedelta(days=401), 100),
    ]

    assert await report(world.deps, relay, rows) == 1

    assert (await totals(world, app_uuid(tenant)))["messages"] == 1
    assert await waiting(world) == [(2, "time", 10), (3, "time", 100)]
    # Sent again when its time has come it is still the same row: a total must not depend on when it is sent.
    world.clock.advance(timedelta(hours=1))
    assert await report(world.deps, relay, rows) == 0
    assert (await totals(world, app_uuid(tenant)))["messages"] == 1


async def test_a_row_that_was_believed_is_not_doubted_later(world: World) -> None:
    tenant = await world.tenant()
    relay = await reporter(world, "relay", "r")
    rows = [row(1, tenant.app_id, "messages", world.clock.now(), 5)]
    await report(world.deps, relay, rows)
    world.clock.advance(timedelta(days=500))

    assert await report(world.deps, relay, rows) == 0
    assert await waiting(world) == []


async def test_released_it_counts_once_at_the_time_it_came(world: World) -> None:
    tenant = await world.tenant()
    relay = await reporter(world, "relay", "r")
    rows = [row(1, tenant.app_id, "messages", world.clock.now() + timedelta(days=60), 5)]
    await report(world.deps, relay, rows)
    async with world.change() as ctx:
        await release_quarantined(ctx, source=relay.source, boot="b1", seq=1)

    assert await report(world.deps, relay, rows) == 0
    assert (await totals(world, app_uuid(tenant)))["messages"] == 5
    assert (await recount(world, app_uuid(tenant))).agrees
    assert await waiting(world) == []
    with pytest.raises(NotFound):
        async with world.change() as ctx:
            await release_quarantined(ctx, source=relay.source, boot="b1", seq=1)


async def test_a_second_row_of_the_same_name_with_other_content_is_kept_aside(world: World) -> None:
    tenant = await world.tenant()
    relay = await reporter(world, "relay", "r")
    now = world.clock.now()
    await report(world.deps, relay, [row(1, tenant.app_id, "messages", now, 5)])

    assert await report(world.deps, relay, [row(1, tenant.app_id, "messages", now, 6)]) == 0
    same_report = [row(2, tenant.app_id, "messages", now, 1), row(2, tenant.app_id, "messages", now, 2)]
    assert await report(world.deps, relay, same_report) == 1

    assert (await totals(world, app_uuid(tenant)))["messages"] == 6
    assert await waiting(world) == [(1, "contradiction", 6), (2, "contradiction", 2)]
    assert (await recount(world, app_uuid(tenant))).agrees


async def test_what_became_of_rows_is_counted(world: World) -> None:
    tenant = await world.tenant()
    credential = await world.credential("relay", "r")
    rows = [
        {"seq": n, "app_id": tenant.app_id, "meter": "messages", "quantity": 1, "at": at}
        for n, at in enumerate(["2026-01-15T12:00:00Z", "2026-01-15T12:00:00Z", "2027-01-15T12:00:00Z"])
    ]
    body = {"source": "relay:s0", "boot": "b", "rows": rows}
    async with world.serve() as client:
        for _ in range(2):
            assert (await client.post("/internal/v1/usage", json=body, headers=bearer(credential))).status_code == 200
        shown = (await client.get("/metrics")).text

    assert 'natter_usage_rows_total{outcome="fresh"} 2.0' in shown
    assert 'natter_usage_rows_total{outcome="quarantined"} 1.0' in shown
    assert 'natter_usage_rows_total{outcome="duplicate"} 3.0' in shown
