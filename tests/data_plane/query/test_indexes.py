"""Declaring custom fields: what is gathered, what is kept, and that an index changes no answer."""

import asyncio
import random
from datetime import timedelta

import pytest

from data_plane.indexes.service import MAX_INDEXES

VALUES = [
    None, "red", "blue", "x" * 300, "", "10", 1, 2, 2.5, -3, 10**15, True, False, ["red", "blue", "red"], [1, "red"],
    {}, {"deep": "red"}, "2026-01-01T00:00:00Z", "2026-01-01T01:30:00.123456+01:30", "2026-02-31T00:00:00Z", "Ünï",
    "0001-01-01T00:00:00Z",
]  # fmt: skip
FILTERS = {
    "text": [{"$eq": "red"}, {"$in": ["blue", "10", ""]}, {"$gt": "blue"}, {"$lte": "x"}, {"$eq": "x" * 256}],
    "number": [{"$eq": 2}, {"$in": [1, 2.5, 77]}, {"$gt": -4, "$lt": 2.5}, {"$gte": 2}],
    "boolean": [{"$eq": True}, {"$in": [True, False]}],
    "time": [
        {"$eq": "2026-01-01T00:00:00.123456Z"},
        {"$gte": "2026-01-01T00:00:00Z", "$lt": "2026-01-02T00:00:00+02:00"},
        {"$lt": "2020-01-01T00:00:00Z"},
    ],
    "list": [{"$contains": "red"}, {"$contains": "nothing"}],
}


async def declare(app, field, type, resource="channels"):
    return await app.call("PUT", f"/v1/indexes/{resource}/custom.{field}", {"type": type})


async def query(app, filter, resource="channels", **more):
    answer = await app.call("POST", f"/v1/{resource}/query", {"filter": filter, "limit": 100, "explain": True, **more})
    assert answer.status_code == 200, answer.text
    return [thing["id"] for thing in answer.json()[resource]], answer.json()["explain"]


@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize("resource", ["channels", "users"])
async def test_an_index_changes_no_answer_whether_it_is_built_before_or_kept_after(
    app, world, run_jobs, kind, resource
):
    """While it is built, rows are looked at one by one with the type that was declared: the same rows must come."""

    async def write(prefix):
        for n, value in enumerate(VALUES):
            thing = {"id": f"{prefix}{n:02}", "custom": {"v": {"x": value}} if value is not None else {}}
            if resource == "channels":
                await app.make_channel(thing["id"], custom=thing["custom"])
            else:
                assert (await app.call("POST", "/v1/users", {"users": [thing]})).status_code == 200

    await write("before")
    assert (await declare(app, "v.x", kind, resource)).json()["state"] == "building"
    await write("while")
    wanted = [{"custom.v.x": each} for each in [*FILTERS[kind], {"$exists": True}, {"$exists": False}]]
    looked_at = [(await query(app, each, resource))[0] for each in wanted]
    assert any(looked_at)
    await run_jobs(batch=7)
    assert (await app.call("GET", f"/v1/indexes/{resource}/custom.v.x")).json()["state"] == "ready"
    for each, found in zip(wanted, looked_at, strict=True):
        again, explained = await query(app, each, resource)
        assert again == found, each
        by_index = each["custom.v.x"] != {"$exists": False} and (kind, each["custom.v.x"]) != (
            "list",
            {"$exists": True},
        )
        assert explained["index"].startswith("field_values_") == by_index
    # What is changed later has the place that its new value has.
    rng = random.Random(5)
    for n in range(len(VALUES)):
        body = {"custom": {"v": {"x": rng.choice(VALUES)}}}
        assert (await app.call("PATCH", f"/v1/{resource}/before{n:02}", body)).status_code == 200
    indexed = [(await query(app, each, resource))[0] for each in wanted]
    assert indexed != looked_at
    assert (await app.call("DELETE", f"/v1/indexes/{resource}/custom.v.x")).status_code == 204
    assert (await declare(app, "v.x", kind, resource)).json()["state"] == "building"
    assert [(await query(app, each, resource))[0] for each in wanted] == indexed


async def test_a_declared_field_sorts_what_has_it(app, run_jobs):
    for name, size in {"a": 3, "b": 1, "c": 3, "d": "none", "e": 2}.items():
        await app.make_channel(name, custom={"size": size})
    await declare(app, "size", "number")
    answer = await app.call("POST", "/v1/channels/query", {"sort": ["custom.size"]})
    assert "still being built" in answer.json()["detail"]
    await run_jobs()
    assert (await query(app, {}, sort=["custom.size"]))[0] == ["b", "e", "a", "c"]
    assert (await query(app, {}, sort=["-custom.size"]))[0] == ["c", "a", "e", "b"]
    found, explained = await query(app, {"custom.size": {"$gt": 1}}, sort=["-custom.size", "created_at"])
    assert found == ["a", "c", "e"], "of one instant, so by id"
    assert explained["order"] == "sorted"
    pages, cursor = [], None
    while True:
        body = {"sort": ["-custom.size"], "limit": 1} | ({"cursor": cursor} if cursor else {})
        page = (await app.call("POST", "/v1/channels/query", body)).json()
        pages += [channel["id"] for channel in page["channels"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert pages == ["c", "a", "e", "b"]


async def test_a_writer_that_did_not_see_the_declaration_is_waited_for(app, world, run_jobs):
    """It wrote before the declaration was committed and commits while the index is built."""
    await app.make_users("ann")
    pool = await world.shard.system.pool()
    async with pool.acquire() as late:
        transaction = late.transaction()
        await transaction.start()
        await late.execute(
            "insert into chat.channels (app_id, id, type, custom, created_at, updated_at) "
            """values ($1, 'late', 'group', '{"team": "red"}', now(), now())""",
            app.id,
        )
        await declare(app, "team", "text")
        building = asyncio.create_task(run_jobs())
        await asyncio.sleep(0.3)
        state = (await app.call("GET", "/v1/indexes/channels/custom.team")).json()["state"]
        assert (state, building.done()) == ("building", False)
        await transaction.commit()
        await building
    await app.fetch("insert into chat.log_heads (app_id, log, last_seq, last_xid) values ($1, 'c:late', 1, 1)")
    assert (await query(app, {"custom.team": "red"}))[0] == ["late"]


async def test_values_are_never_older_than_the_row(app, world, run_jobs):
    """Writers change and take away values while the index is built, in small batches, again and again."""
    for n in range(40):
        await app.make_channel(f"c{n:02}", custom={"team": "red"})
    for round_ in range(3):
        await declare(app, "team", "text")

        async def write(n, round_=round_):
            for step in range(6):
                custom = {"team": f"t{round_}{step}"} if step % 3 else {}
                await app.call("PATCH", f"/v1/channels/c{n:02}", {"custom": custom})

        await asyncio.gather(run_jobs(batch=3), *(write(n) for n in range(0, 40, 4)))
        rows = await app.fetch(
            "select c.id, chat.custom_text(c.custom->'team') as now, v.text_value from chat.channels c "
            "join chat.field_indexes i on i.app_id = c.app_id "
            "left join chat.field_values v on v.app_id = c.app_id and v.index_id = i.id and v.id = c.id "
            "where c.app_id = $1"
        )
        assert [row for row in rows if row["now"] != row["text_value"]] == []
        await app.call("DELETE", "/v1/indexes/channels/custom.team")
    await run_jobs(batch=5)
    assert await app.fetch("select * from chat.field_values where app_id = $1") == []


async def test_a_declaration_again_is_the_same_and_of_another_type_a_conflict(app, world):
    first = await declare(app, "team", "text")
    world.clock.advance(timedelta(seconds=1))
    again = await declare(app, "team", "text")
    assert (first.status_code, again.status_code, again.json()) == (201, 200, first.json())
    other = await declare(app, "team", "number")
    assert (other.status_code, other.json()["code"]) == (409, "index_exists")
    assert (await app.call("GET", "/v1/indexes")).json() == {"indexes": [first.json()]}
    assert (await app.call("GET", "/v1/indexes/channels/custom.size")).status_code == 404
    assert (await app.call("DELETE", "/v1/indexes/channels/custom.size")).status_code == 204
    assert (await app.call("PUT", "/v1/indexes/rooms/custom.x", {"type": "text"})).status_code == 422
    assert (await app.call("PUT", "/v1/indexes/users/name", {"type": "text"})).status_code == 422
    for n in range(MAX_INDEXES - 1):
        assert (await declare(app, f"f{n}", "text")).status_code == 201
    full = await declare(app, "more", "text")
    assert (full.status_code, full.json()["code"]) == (409, "too_many_indexes")
    await app.make_users("ann")
    assert (await app.call("GET", "/v1/indexes", as_user="ann")).status_code == 403


async def test_another_apps_declarations_are_not_this_ones(world, run_jobs, app):
    other = world.app()
    await app.make_channel("a", custom={"team": "red"})
    await other.make_channel("a", custom={"team": "red"})
    await declare(app, "team", "text")
    await run_jobs()
    assert (await other.call("GET", "/v1/indexes")).json() == {"indexes": []}
    assert (await query(other, {"custom.team": "red"}))[1]["scan"]
    assert (await query(app, {"custom.team": "red"}))[1] == {
        "index": "field_values_text",
        "order": "index",
        "narrowed_by": ["custom.team"],
        "filtered_by": [],
        "scan": False,
        "warnings": [],
    }
