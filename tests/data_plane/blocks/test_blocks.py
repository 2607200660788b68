"""Blocks: whom they stop where, and that a user's devices agree on them."""

import asyncio

import pytest

from data_plane.blocks import service
from data_plane.sync.service import SyncService


@pytest.fixture
async def pair(app):
    await app.make_users("ann", "bob", "cleo")
    await app.make_channel("pair", "ann", "bob", type="direct")
    await app.make_channel("room", "ann", "bob", owner="ann")


async def block(app, who, whom):
    return await app.call("PUT", f"/v1/users/me/blocks/{whom}", as_user=who)


async def test_the_blocked_cannot_write_to_the_blocker_and_nobody_else_is_stopped(app, pair):
    answer = await block(app, "ann", "bob")
    assert (answer.status_code, answer.json()["user_id"]) == (201, "bob")
    assert await app.verdict("pair", "bob") == "blocked"
    assert await app.verdict("pair", "ann") == "created"
    assert await app.verdict("room", "bob") == "created"
    assert await app.verdict("pair", "bob", by_server=True) == "created"
    assert await app.verdict("pair", "cleo") == "not_member"
    assert (await app.call("DELETE", "/v1/users/me/blocks/bob", as_user="ann")).status_code == 204
    assert await app.verdict("pair", "bob") == "created"


async def test_blocks_are_told_in_the_blockers_log_alone(app, pair):
    for _ in range(2):
        await block(app, "ann", "bob")
    await app.call("DELETE", "/v1/users/me/blocks/bob", as_user="ann")
    await app.call("DELETE", "/v1/users/me/blocks/bob", as_user="ann")
    last = [(entry["type"], entry["actor"], entry["data"]) for entry in (await app.log("u:ann"))[-2:]]
    assert [(type, actor) for type, actor, _ in last] == [("block.added", "ann"), ("block.removed", "ann")]
    assert last[0][2]["block"]["user_id"] == last[1][2]["user_id"] == "bob"
    assert not [type for type in await app.types("u:bob") if type.startswith("block.")]
    assert not [type for type in await app.types("c:pair") if type.startswith("block.")]


async def test_fresh_state_is_the_events_since_a_fresh_state(app, world, pair):
    sync = SyncService(world.shard)

    async def fresh():
        return {each["user_id"]: each for each in (await sync.fresh(app.id, "ann"))["blocks"]}

    await block(app, "ann", "cleo")
    held, seen = await fresh(), len(await app.log("u:ann"))
    await asyncio.gather(*(block(app, "ann", whom) for whom in ("bob", "cleo", "bob")))
    await app.call("DELETE", "/v1/users/me/blocks/cleo", as_user="ann")
    await asyncio.gather(
        block(app, "ann", "cleo"),
        app.call("DELETE", "/v1/users/me/blocks/bob", as_user="ann"),
        block(app, "ann", "bob"),
    )
    for entry in (await app.log("u:ann"))[seen:]:
        if entry["type"] == "block.added":
            held[entry["data"]["block"]["user_id"]] = entry["data"]["block"]
        else:
            assert entry["type"] == "block.removed"
            held.pop(entry["data"]["user_id"], None)
    assert held == await fresh()
    listed = (await app.call("GET", "/v1/users/me/blocks", as_user="ann")).json()["blocks"]
    assert {each["user_id"]: each for each in listed} == held


async def test_what_cannot_be_blocked(app, pair, monkeypatch):
    assert (await block(app, "ann", "ann")).json()["field"] == "user_id"
    assert (await block(app, "ann", "nobody")).json()["code"] == "unknown_users"
    assert (await block(app, None, "ann")).status_code == 403
    monkeypatch.setattr(service, "MAX_BLOCKS", 1)
    assert (await block(app, "ann", "bob")).status_code == 201
    assert (await block(app, "ann", "cleo")).json()["code"] == "too_many_blocks"
    assert (await block(app, "ann", "bob")).status_code == 200


async def test_another_apps_blocks_are_its_own(app, world, pair):
    other = world.app()
    await other.make_users("ann", "bob")
    await other.make_channel("pair", "ann", "bob", type="direct")
    await block(app, "ann", "bob")
    assert (await other.call("GET", "/v1/users/me/blocks", as_user="ann")).json() == {"blocks": []}
    assert await other.verdict("pair", "bob") == "created"
