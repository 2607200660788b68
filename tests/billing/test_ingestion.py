"""The ledger holds every row once, whatever happens on the way, and the totals are those of the ledger."""

import asyncio
import random
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from control_plane.credentials.models import Credential
from kernel.contracts import UsageReport, UsageRow
from kernel.http.problems import database_is_away
from tests.billing.reports import expected, recount, report, reporter, row, totals
from tests.control_plane.fixtures import World, app_uuid, bearer


def traffic(seed: int, apps: list[str], world: World, count: int = 300) -> list[UsageRow]:
    """One source's rows: all meters, a few users and minutes, so that everything collides with everything."""
    rng = random.Random(seed)
    begin = world.clock.now() - timedelta(hours=5)
    rows = []
    for seq in range(count):
        at = begin + timedelta(seconds=rng.randrange(4 * 3600))
        app = rng.choice(apps)
        match rng.randrange(4):
            case 0:
                rows.append(row(seq, app, "messages", at, rng.randrange(1, 50)))
            case 2:
                rows.append(row(seq, app, "storage_bytes", at, rng.randrange(-400, 1_000)))
            case 1:
                rows.append(row(seq, app, "mau", at, subject=rng.randrange(60)))
            case _:
                rows.append(row(seq, app, "peak_connections", at, rng.randrange(100)))
    return rows


def in_pieces(rows: list[UsageRow], rng: random.Random) -> list[list[UsageRow]]:
    """The rows in any order, some twice, in reports of any size."""
    bag = rows + rng.sample(rows, len(rows) // 3)
    rng.shuffle(bag)
    pieces = []
    while bag:
        size = rng.randrange(1, 40)
        pieces.append(bag[:size])
        bag = bag[size:]
    return pieces


async def test_a_report_sent_a_hundred_times_counts_once(world: World) -> None:
    tenant = await world.tenant()
    relay = await reporter(world, "relay", "r")
    rows = traffic(1, [tenant.app_id], world, count=60)

    fresh = [await report(world.deps, relay, rows) for _ in range(100)]

    assert fresh == [60] + [0] * 99
    assert await totals(world, app_uuid(tenant)) == expected(((relay.source, r) for r in rows), tenant.app_id)


async def test_two_processes_and_many_reporters_at_once_count_each_row_once(world: World, second: World) -> None:
    tenants = [await world.tenant(f"App {n}") for n in range(3)]
    apps = [tenant.app_id for tenant in tenants]
    sources = [
        await reporter(world, "relay", "r"),
        await reporter(world, "node", "n1"),
        await reporter(world, "node", "n2"),
    ]
    rows = {source.source: traffic(n, apps, world) for n, source in enumerate(sources)}
    rng = random.Random(7)
    # Each source's reports go to both processes in different order at the same time.
    jobs: list[tuple[World, Credential, list[UsageRow]]] = [
        (where, source, piece)
        for source in sources
        for where in (world, second)
        for piece in in_pieces(rows[source.source], rng)
    ]
    rng.shuffle(jobs)
    gate = asyncio.Semaphore(12)

    async def send(where: World, source: Credential, piece: list[UsageRow]) -> int:
        async with gate:
            return await report(where.deps, source, piece)

    fresh = await asyncio.gather(*(send(*job) for job in jobs))

    assert sum(fresh) == 900
    everything = [(source, r) for source, mine in rows.items() for r in mine]
    for tenant in tenants:
        count = await recount(world, app_uuid(tenant))
        assert count.ledger == expected(everything, tenant.app_id)
        assert count.agrees, count


async def test_connections_killed_at_any_moment_change_no_total(world: World, second: World) -> None:
    tenant = await world.tenant()
    relay = await reporter(world, "relay", "r")
    rows = traffic(3, [tenant.app_id], world, count=400)
    rng = random.Random(11)
    done = asyncio.Event()
    kills = 0

    async def killer() -> None:
        # A number of kills and not a time of killing: on a busy machine no report would live long enough to commit.
        nonlocal kills
        admin = await asyncpg.connect(world.admin_url)
        while kills < 60 and not done.is_set():
            killed = await admin.fetch(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                "and pid <> pg_backend_pid() and xact_start is not null order by random() limit 1"
            )
            kills += len(killed)
            await asyncio.sleep(rng.random() * 0.04)
        await admin.close()

    async def send(where: World, pieces: list[list[UsageRow]]) -> None:
        for piece in pieces:
            # As a relay does: it does not know whether the report was taken, so it sends it again.
            while True:
                try:
                    await report(where.deps, relay, piece)
                    break
                except Exception as error:
                    if not (isinstance(error, DBAPIError) or database_is_away(error)):
                        raise
                    await asyncio.sleep(0.01)

    killing = asyncio.create_task(killer())
    await asyncio.gather(*(send(where, in_pieces(rows, rng)) for where in (world, second) for _ in range(2)))
    done.set()
    await killing

    assert kills > 5
    count = await recount(world, app_uuid(tenant))
    assert count.ledger == expected(((relay.source, r) for r in rows), tenant.app_id)
    assert count.agrees, count


async def test_the_recount_notices_a_total_that_was_moved(world: World) -> None:
    tenant = await world.tenant()
    relay = await reporter(world, "relay", "r")
    await report(world.deps, relay, traffic(5, [tenant.app_id], world))
    assert (await recount(world, app_uuid(tenant))).agrees

    for meter in ("messages", "mau", "peak_connections", "storage_bytes"):
        table = (
            "levels set quantity = quantity + :by where :meter <> ''"
            if meter == "storage_bytes"
            else ("hourly set quantity = quantity + :by where meter = :meter")
        )
        change = text(f"update control.usage_{table}")
        async with world.deps.database.unit_of_work() as uow:
            await uow.session.execute(change, {"by": 1, "meter": meter})
        assert not (await recount(world, app_uuid(tenant))).agrees
        async with world.deps.database.unit_of_work() as uow:
            await uow.session.execute(change, {"by": -1, "meter": meter})
    assert (await recount(world, app_uuid(tenant))).agrees


async def test_the_same_user_seen_by_two_sources_is_one_active_user(world: World) -> None:
    tenant, other = await world.tenant("One"), await world.tenant("Two")
    one, two = await reporter(world, "relay", "r"), await reporter(world, "node", "n1")
    now = world.clock.now()
    last_month = now - timedelta(days=20)

    await report(world.deps, one, [row(1, tenant.app_id, "mau", now, subject=1)])
    await report(world.deps, two, [row(1, tenant.app_id, "mau", now - timedelta(hours=3), subject=1)])
    await report(world.deps, two, [row(2, tenant.app_id, "mau", now, subject=2)])
    await report(world.deps, one, [row(2, tenant.app_id, "mau", last_month, subject=1)], boot="b2")
    await report(world.deps, one, [row(3, other.app_id, "mau", now, subject=1)])

    assert (await totals(world, app_uuid(tenant)))["mau"] == 2
    assert (await totals(world, app_uuid(tenant), "2025-12"))["mau"] == 1
    assert (await totals(world, app_uuid(other)))["mau"] == 1


async def test_connections_are_added_over_nodes_and_never_over_time(world: World) -> None:
    tenant = await world.tenant()
    nodes = [await reporter(world, "node", name) for name in ("n1", "n2")]
    noon = world.clock.now()
    minutes = [(10, 20), (30, 5), (25, 9)]
    for n, node in enumerate(nodes):
        samples = [
            row(seq, tenant.app_id, "peak_connections", noon - timedelta(minutes=seq), minute[n])
            for seq, minute in enumerate(minutes)
        ]
        await report(world.deps, node, samples)
    # A node that restarts inside a minute samples it twice: its users came back, they did not double.
    await report(world.deps, nodes[0], [row(1, tenant.app_id, "peak_connections", noon, 12)], boot="b2")

    assert (await totals(world, app_uuid(tenant)))["peak_connections"] == 35
    assert (await recount(world, app_uuid(tenant))).agrees


async def test_usage_of_a_month_ago_counts_in_its_month(world: World) -> None:
    tenant = await world.tenant()
    relay = await reporter(world, "relay", "r")
    at = world.clock.now() - timedelta(days=30)

    assert await report(world.deps, relay, [row(1, tenant.app_id, "messages", at, 7)]) == 1
    assert await report(world.deps, relay, [row(1, tenant.app_id, "messages", at, 7)]) == 0

    assert (await totals(world, app_uuid(tenant), "2025-12"))["messages"] == 7
    assert (await totals(world, app_uuid(tenant)))["messages"] == 0


async def test_the_month_ends_at_midnight_utc_wherever_the_reporter_is(world: World) -> None:
    tenant = await world.tenant()
    relay = await reporter(world, "relay", "r")
    midnight = world.clock.now().replace(day=1, hour=0, minute=0)
    body = {
        "source": relay.source,
        "boot": "b",
        "rows": [
            {"seq": 1, "app_id": tenant.app_id, "meter": "messages", "quantity": 1, "at": "2025-12-31T23:59:59.999Z"},
            {"seq": 2, "app_id": tenant.app_id, "meter": "messages", "quantity": 1, "at": "2026-01-01T05:30:00+05:30"},
        ],
    }
    assert midnight.month == 1
    message = msgspec.convert(body, UsageReport)
    await report(world.deps, relay, message.rows)

    assert (await totals(world, app_uuid(tenant), "2025-12"))["messages"] == 1
    assert (await totals(world, app_uuid(tenant), "2026-01"))["messages"] == 1


def _row(**change: Any) -> dict[str, Any]:
    good = {"seq": 1, "app_id": "", "meter": "messages", "quantity": 1, "at": "2026-01-15T12:00:00Z"}
    return {**good, **change}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"seq": -1}, "seq"),
        ({"seq": 2**63}, "seq"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": 10**12 + 1}, "quantity"),
        ({"quantity": 1.5}, "quantity"),
        ({"at": "2026-01-15T12:00:00"}, "at"),
        ({"at": "yesterday"}, "at"),
        ({"meter": "likes"}, "meter"),
        ({"meter": "mau"}, "subject"),
        ({"subject": "0" * 32}, "subject"),
        ({"meter": "mau", "subject": "ada"}, "subject"),
        ({"meter": "mau", "subject": "0" * 32, "quantity": 2}, "subject"),
        ({"app_id": "app_1"}, "app_id"),
    ],
)
async def test_a_bad_row_is_named_and_nothing_of_the_report_is_taken(
    shared_world: World, change: dict[str, Any], field: str
) -> None:
    tenant = await shared_world.tenant(str(change))
    relay = await shared_world.credential("relay", shared_world.deps.ids.new("r"))
    rows = [_row(app_id=tenant.app_id, seq=7), {**_row(app_id=tenant.app_id), **change}]
    async with shared_world.serve() as client:
        body = {"source": "relay:s0", "boot": tenant.app_id, "rows": rows}
        answer = await client.post("/internal/v1/usage", json=body, headers=bearer(relay))

        assert answer.status_code == 422, answer.text
        assert field in answer.text
        assert (await totals(shared_world, app_uuid(tenant)))["messages"] == 0
        body["rows"] = rows[:1]
        answer = await client.post("/internal/v1/usage", json=body, headers=bearer(relay))
        assert answer.status_code == 200
        assert answer.json() == {"fresh": 1}


async def test_nobody_reports_for_another(world: World) -> None:
    mine, theirs = await world.tenant("Mine"), await world.tenant("Theirs", shard="s1")
    credentials = {
        "relay:s0": await world.credential("relay", "r"),
        "node:n1": await world.credential("node", "n1"),
        "node:n2": await world.credential("node", "n2"),
    }
    async with world.serve() as client:

        async def status(credential: str, source: str, app_id: str) -> int:
            body = {"source": source, "boot": "b", "rows": [_row(app_id=app_id)]}
            answer = await client.post("/internal/v1/usage", json=body, headers=bearer(credential))
            return answer.status_code

        for holder, credential in credentials.items():
            for source in ("relay:s0", "relay:s1", "node:n1", "node:n2", "node:n3", ""):
                assert await status(credential, source, mine.app_id) == (200 if source == holder else 403)
            assert await status(credential, holder, theirs.app_id) == 403
        body = {
            "source": "relay:s0",
            "boot": "c",
            "rows": [_row(app_id=mine.app_id), _row(seq=2, app_id=theirs.app_id)],
        }
        answer = await client.post("/internal/v1/usage", json=body, headers=bearer(credentials["relay:s0"]))
        assert answer.status_code == 403
        assert answer.json()["app_ids"] == [theirs.app_id]

    assert (await totals(world, app_uuid(theirs)))["messages"] == 0
    assert (await totals(world, app_uuid(mine)))["messages"] == 3


async def test_a_full_report_fits_and_one_row_more_does_not(world: World) -> None:
    tenant = await world.tenant()
    relay = await world.credential("relay", "r")
    rows = [
        _row(seq=10**15 + n, app_id=tenant.app_id, meter="mau", subject=f"{n:032x}", at="2026-01-15T12:00:00.000Z")
        for n in range(1001)
    ]
    async with world.serve() as client:
        body = {"source": "relay:s0", "boot": "b" * 36, "rows": rows[:1000]}
        answer = await client.post("/internal/v1/usage", json=body, headers=bearer(relay))
        assert answer.json() == {"fresh": 1000}
        body["rows"] = rows
        answer = await client.post("/internal/v1/usage", json=body, headers=bearer(relay))
        assert answer.status_code == 422
        body["rows"] = []
        assert (await client.post("/internal/v1/usage", json=body, headers=bearer(relay))).json() == {"fresh": 0}
    assert (await totals(world, app_uuid(tenant)))["mau"] == 1000


@settings(
    max_examples=10,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 10_000), data=st.data())
async def test_any_order_with_any_repetition_gives_the_same_totals(
    world: World, seed: int, data: st.DataObject
) -> None:
    tenant = await world.tenant(f"App {seed}")
    # Every example is a life of its own of sources whose credentials nobody needs to have stored.
    boot = tenant.app_id
    sources = [Credential(kind="node", name=name, shard="s0", id=world.deps.ids.uuid7()) for name in ("n1", "n2")]
    rows = [(source, r) for n, source in enumerate(sources) for r in traffic(seed + n, [tenant.app_id], world, 20)]
    bag = data.draw(st.permutations(rows + rows[: data.draw(st.integers(0, len(rows)))]))
    while bag:
        size = data.draw(st.integers(1, 40))
        piece, bag = bag[:size], bag[size:]
        for source in sources:
            await report(world.deps, source, [r for owner, r in piece if owner is source], boot=boot)

    count = await recount(world, app_uuid(tenant))
    assert count.ledger == expected(((source.source, r) for source, r in rows), tenant.app_id)
    assert count.agrees, count
