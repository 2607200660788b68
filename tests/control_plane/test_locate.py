"""A publishable key finds a live node, and nothing else finds anything."""

import dataclasses
from datetime import timedelta

from sqlalchemy import text

from control_plane.apps.service import suspend_app
from control_plane.keys.api_keys import revoke_api_key
from kernel.security import keys
from tests.control_plane.fixtures import World, app_uuid, bearer


async def test_a_key_finds_the_live_nodes_of_its_shard(world: World) -> None:
    tenant = await world.tenant()
    nodes = {
        "http://one.example": await world.credential("node", "n1"),
        "http://two.example": await world.credential("node", "n2"),
    }
    far = await world.credential("node", "n3", "s1")
    async with world.serve() as client:
        away = await client.get("/v1/locate", params={"key": tenant.publishable_key})
        assert away.status_code == 503
        assert int(away.headers["retry-after"]) >= 1
        for url, credential in [*nodes.items(), ("http://far.example", far)]:
            await client.get("/internal/v1/snapshots", params={"url": url}, headers=bearer(credential))

        urls = set()
        for _ in range(40):
            answer = await client.get("/v1/locate", params={"key": tenant.publishable_key})
            assert answer.status_code == 200
            urls.add(answer.json()["url"])
        assert urls == set(nodes)
        body = answer.json()
        assert body == {
            "app_id": tenant.app_id,
            "url": body["url"],
            "shard": "s0",
            "environment": "development",
        }

        world.clock.advance(timedelta(seconds=31))
        assert (await client.get("/v1/locate", params={"key": tenant.publishable_key})).status_code == 503


async def test_a_configured_address_beats_the_nodes_own(world: World) -> None:
    tenant = await world.tenant()
    shards = tuple(
        type(shard)(id=shard.id, database_url="x", redis_url="x", public_url=f"https://{shard.id}.chat.example")
        for shard in world.deps.settings.shards
    )
    deps = dataclasses.replace(world.deps, settings=dataclasses.replace(world.deps.settings, shards=shards))
    async with world.serve(deps) as client:
        answer = await client.get("/v1/locate", params={"key": tenant.publishable_key})
    assert answer.json()["url"] == "https://s0.chat.example"


async def test_a_web_page_anywhere_may_ask(world: World) -> None:
    tenant = await world.tenant()
    async with world.serve() as client:
        answer = await client.get(
            "/v1/locate", params={"key": tenant.publishable_key}, headers={"origin": "https://shop.example"}
        )
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


async def test_other_keys_find_nothing_and_look_alike(world: World) -> None:
    tenant = await world.tenant()
    revoked = await world.tenant("Revoked")
    deleted = await world.tenant("Deleted")
    suspended = await world.tenant("Suspended")
    async with world.change() as ctx:
        rows = await ctx.session.execute(
            text("select id from control.api_keys where value = :key"), {"key": revoked.publishable_key}
        )
        await revoke_api_key(ctx, app_uuid(revoked), rows.scalar_one())
        await suspend_app(ctx, app_uuid(suspended), reason="unpaid")
        await ctx.session.execute(
            text("update control.apps set status = 'deleted' where id = :id"), {"id": app_uuid(deleted)}
        )
    wrong = [
        keys.generate("pk"),
        tenant.secret_key,
        tenant.publishable_key.upper(),
        "pk_",
        "%",
        revoked.publishable_key,
        deleted.publishable_key,
    ]
    async with world.serve() as client:
        problems = []
        for key in wrong:
            answer = await client.get("/v1/locate", params={"key": key})
            assert answer.status_code == 404, key
            problem = answer.json()
            del problem["request_id"]
            problems.append(problem)
        assert all(problem == problems[0] for problem in problems)
        assert (await client.get("/v1/locate")).status_code == 422
        # A suspended app has an address: its node says why it refuses.
        assert (await client.get("/v1/locate", params={"key": suspended.publishable_key})).status_code == 503


async def test_an_answer_tells_how_often_an_address_may_ask(world: World) -> None:
    async with world.serve() as client:
        answers = [await client.get("/v1/locate", params={"key": "pk_nothing"}) for _ in range(3)]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"locate.ip";q=1000;w=20'}
    assert answers[0].headers["ratelimit"] == '"locate.ip";r=999;t=1'
