"""Nodes learn every change, in order, and are woken by it."""

import asyncio
import time
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy import text

from control_plane import configuration, placement
from control_plane.apps.service import resume_app, set_allowed_origins, suspend_app
from control_plane.keys import revocation
from control_plane.keys.api_keys import create_secret_key, revoke_api_key, rotate_secret_key
from control_plane.snapshots import builder
from kernel.contracts import SnapshotPage
from kernel.ids import parse_id
from tests.control_plane.fixtures import World, app_uuid, bearer


async def pull(client: httpx.AsyncClient, credential: str, **query: Any) -> SnapshotPage:
    answer = await client.get("/internal/v1/snapshots", params=query, headers=bearer(credential))
    assert answer.status_code == 200, answer.text
    return msgspec.json.decode(answer.content, type=SnapshotPage)


async def test_a_node_gets_the_apps_of_its_shard_alone(world: World) -> None:
    mine, other = await world.tenant("Mine"), await world.tenant("Other", shard="s1")
    node = await world.credential("node", "n1", "s0")

    async with world.serve() as client:
        page = await pull(client, node)

    assert [app.app_id for app in page.apps] == [mine.app_id]
    assert other.app_id not in msgspec.json.encode(page).decode()
    assert not page.has_more


async def test_pages_follow_the_order_of_change_and_lose_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tenants = [await world.tenant(f"App {n}") for n in range(7)]
    node = await world.credential("node", "n1")
    async with world.change() as ctx:
        await suspend_app(ctx, app_uuid(tenants[0]), reason="test")
    monkeypatch.setattr(builder, "PAGE", 3)

    async with world.serve() as client:
        seen, since, pages = [], 0, 0
        while True:
            page = await pull(client, node, since=since)
            assert all(app.version > since for app in page.apps)
            assert page.version >= max((app.version for app in page.apps), default=0)
            seen += [app.app_id for app in page.apps]
            since, pages = page.version, pages + 1
            if not page.has_more:
                break
        nothing = await pull(client, node, since=since)

    assert seen == [tenant.app_id for tenant in [*tenants[1:], tenants[0]]]
    assert pages == 3
    assert nothing.apps == ()
    assert nothing.version == since


async def test_concurrent_changes_get_versions_of_their_own_and_none_is_missed(world: World, second: World) -> None:
    tenants = [await world.tenant(f"App {n}") for n in range(4)]
    node = await world.credential("node", "n1")
    rounds = 10

    async def write(where: World, app: Any) -> None:
        for n in range(rounds):
            async with where.change() as ctx:
                await set_allowed_origins(ctx, app, [f"https://round{n}.example.com"])

    applied: dict[str, tuple[int, tuple[str, ...]]] = {}

    async def follow(client: httpx.AsyncClient, done: asyncio.Event) -> None:
        since = 0
        while True:
            last = done.is_set()
            page = await pull(client, node, since=since)
            assert page.version >= since
            for app in page.apps:
                # A node drops what is not newer than what it has, so nothing may arrive out of order.
                assert app.version > applied.get(app.app_id, (0, ()))[0]
                applied[app.app_id] = (app.version, app.allowed_origins)
            since = page.version
            if last and not page.apps:
                return

    before = world.deps.database
    async with before.unit_of_work() as uow:
        start = (await uow.session.execute(text("select version from control.configuration"))).scalar_one()
    done = asyncio.Event()
    async with world.serve() as client:
        follower = asyncio.create_task(follow(client, done))
        await asyncio.gather(
            *(write(where, app_uuid(tenant)) for tenant in tenants for where in (world, second)),
        )
        done.set()
        await follower

    async with world.deps.database.unit_of_work() as uow:
        end = (await uow.session.execute(text("select version from control.configuration"))).scalar_one()
        truth = (await uow.session.execute(text("select version, allowed_origins from control.apps"))).all()
    assert end - start == len(tenants) * 2 * rounds
    assert sorted(applied.values()) == sorted((version, tuple(origins)) for version, origins in truth)
    assert len({version for version, _ in truth}) == len(tenants)


async def test_a_change_that_fails_takes_no_version(world: World) -> None:
    tenant = await world.tenant()
    with pytest.raises(RuntimeError):
        async with world.change() as ctx:
            await suspend_app(ctx, app_uuid(tenant), reason="test")
            raise RuntimeError
    node = await world.credential("node", "n1")

    async with world.serve() as client:
        page = await pull(client, node)
        assert page.apps[0].status == "active"
        assert page.version == page.apps[0].version


async def test_a_long_poll_wakes_within_half_a_second_of_a_change_by_another_process(
    world: World, second: World
) -> None:
    tenant = await world.tenant()
    node = await world.credential("node", "n1")
    took = []
    # A standing clock would never end the wait by itself; only the change can.
    async with world.serve() as client:
        since = (await pull(client, node)).version
        for n in range(3):
            waiting = asyncio.create_task(pull(client, node, since=since, wait=20))
            await asyncio.sleep(0.3)
            assert not waiting.done()
            async with second.change() as ctx:
                await set_allowed_origins(ctx, app_uuid(tenant), [f"https://host{n}.example"])
            committed = time.monotonic()
            page = await waiting
            took.append(time.monotonic() - committed)
            assert page.apps[0].allowed_origins == (f"https://host{n}.example",)
            since = page.version

    # The best of three: the machine that runs the tests may be busy with other things.
    assert min(took) < 0.5


async def test_a_long_poll_ignores_other_shards_and_ends_empty(world: World) -> None:
    await world.tenant("Mine")
    other = await world.tenant("Other", shard="s1")
    node = await world.credential("node", "n1")
    async with world.serve() as client:
        since = (await pull(client, node)).version
        waiting = asyncio.create_task(pull(client, node, since=since, wait=1))
        await asyncio.sleep(0.3)
        async with world.change() as ctx:
            await suspend_app(ctx, app_uuid(other), reason="unpaid")
        await asyncio.sleep(0.5)
        assert not waiting.done()
        world.clock.advance(timedelta(seconds=2))
        async with world.change() as ctx:
            await resume_app(ctx, app_uuid(other))
        page = await waiting

    assert page.apps == ()
    assert page.version > since


async def test_a_node_has_applied_what_each_live_worker_of_it_has(world: World) -> None:
    tenant = await world.tenant()
    node = await world.credential("node", "n1")

    async def applied(versions: dict[int, int]) -> int:
        async with world.serve() as client:
            for worker, version in versions.items():
                await pull(client, node, since=version, worker=worker)
        async with world.deps.database.unit_of_work(read_only=True) as uow:
            (found,) = await placement.live_nodes(uow.session, "s0", now=world.clock.now())
        return found.applied_version

    async with world.change() as ctx:
        old = await configuration.current(ctx.session)
        await suspend_app(ctx, app_uuid(tenant), reason="test")
    async with world.deps.database.unit_of_work(read_only=True) as uow:
        new = await configuration.current(uow.session)
    assert old < new
    assert await applied({0: new, 1: old}) == old
    assert await applied({0: new}) == old, "the other worker's word stands"
    assert await applied({1: new}) == new
    # Two became one: nobody waits for ever for a worker that is not there any more.
    assert await applied({1: old}) == old
    world.clock.advance(timedelta(seconds=31))
    assert await applied({0: new}) == new


@pytest.mark.parametrize("worker", ["-1", "64", "one"])
async def test_a_worker_that_cannot_be_is_refused(world: World, worker: str) -> None:
    node = await world.credential("node", "n1")
    async with world.serve() as client:
        answer = await client.get("/internal/v1/snapshots", params={"worker": worker}, headers=bearer(node))
    assert answer.status_code == 422


async def test_draining_ends_long_polls(world: World) -> None:
    node = await world.credential("node", "n1")
    from billing.app import create_app

    app = create_app(world.deps)
    async with (
        app.lifespan(),
        httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://control") as client,
    ):
        waiting = asyncio.create_task(pull(client, node, wait=20))
        await asyncio.sleep(0.3)
        assert not waiting.done()
        app.state.drain()
        assert (await asyncio.wait_for(waiting, 10)).apps == ()


async def test_a_revoked_key_is_pending_until_every_live_node_has_applied_it(world: World) -> None:
    tenant = await world.tenant()
    nodes = {name: await world.credential("node", name) for name in ("n1", "n2")}
    elsewhere = await world.credential("node", "far", "s1")
    async with world.serve() as client:
        for credential in (*nodes.values(), elsewhere):
            await pull(client, credential)
        page = await pull(client, nodes["n1"])
        key_id = parse_id("key", page.apps[0].secret_keys[0].id)
        async with world.change() as ctx:
            key = await revoke_api_key(ctx, app_uuid(tenant), key_id)
        assert key.revoked_version is not None

        async def state() -> tuple[str, tuple[str, ...]]:
            async with world.deps.database.unit_of_work() as uow:
                found = await revocation.state(
                    uow.session, shard="s0", revoked_version=key.revoked_version or 0, now=world.clock.now()
                )
            return found.state, found.waiting_for

        assert await state() == ("pending", ("n1", "n2"))
        first = await pull(client, nodes["n1"], since=page.version)
        assert first.apps[0].secret_keys == ()
        # It was told, but says only with its next call that it has applied it.
        assert await state() == ("pending", ("n1", "n2"))
        await pull(client, nodes["n1"], since=first.version)
        assert await state() == ("pending", ("n2",))
        world.clock.advance(timedelta(seconds=20))
        await pull(client, nodes["n1"], since=first.version)
        world.clock.advance(timedelta(seconds=15))
        assert await state() == ("applied", ())


async def test_rotation_leaves_both_keys_valid_for_the_overlap(world: World) -> None:
    tenant = await world.tenant()
    node = await world.credential("node", "n1")
    async with world.change() as ctx:
        old = await create_secret_key(ctx, app_uuid(tenant), scopes=["users:read", "tokens"])
    async with world.change() as ctx:
        fresh = await rotate_secret_key(ctx, app_uuid(tenant), parse_id("key", old.id), overlap=timedelta(hours=1))

    async with world.serve() as client:
        found = {key.id: key for key in (await pull(client, node)).apps[0].secret_keys}
        assert found[old.id].expires_at == world.clock.now() + timedelta(hours=1)
        assert found[fresh.id].scopes == ("users:read", "tokens")
        assert found[fresh.id].expires_at is None
        world.clock.advance(timedelta(hours=1))
        left = {key.id for key in (await pull(client, node)).apps[0].secret_keys}
    assert old.id not in left
    assert fresh.id in left


async def test_a_node_ahead_of_the_database_is_told_so(world: World) -> None:
    node = await world.credential("node", "n1")
    async with world.serve() as client:
        answer = await client.get("/internal/v1/snapshots", params={"since": 10**6}, headers=bearer(node))

    assert answer.status_code == 409
    assert answer.json()["code"] == "snapshot_version_ahead"


@pytest.mark.parametrize(
    "query",
    [
        {"since": -1},
        {"since": "x"},
        {"since": 2**63},
        {"wait": 26},
        {"wait": -1},
        {"wait": "nan"},
        {"url": "ftp://node"},
        {"url": "http://"},
        {"url": "http://user@host"},
        {"url": "http://host:99999"},
    ],
)
async def test_bad_queries_are_refused_by_name(shared_world: World, query: dict[str, Any]) -> None:
    node = await shared_world.credential("node", shared_world.deps.ids.new("node"))
    async with shared_world.serve() as client:
        answer = await client.get("/internal/v1/snapshots", params=query, headers=bearer(node))

    assert answer.status_code == 422, answer.text
    assert next(iter(query)) in answer.json()["detail"]
