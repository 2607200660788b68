"""`explain` against EXPLAIN: the index it names is the one that is read, and what is read for a page does not grow."""

from typing import Any

import pytest
from sqlalchemy import event

# What is asked, as whom, of what; the index; and whether rows come in order.
CASES: dict[str, tuple[str, dict[str, Any], str | None, str, str]] = {
    "all": ("channels", {}, None, "channels_pkey", "index"),
    "newest": ("channels", {"sort": ["-created_at"]}, None, "channels_by_created", "index"),
    "changed": ("channels", {"sort": ["-updated_at"]}, None, "channels_by_updated", "index"),
    "by type": ("channels", {"filter": {"type": "team"}}, None, "channels_by_type", "index"),
    "by name": ("channels", {"sort": ["name"]}, None, "channels_by_name", "index"),
    "since": (
        "channels",
        {"filter": {"created_at": {"$gt": "2026-01-01T00:00:00Z"}}, "sort": ["created_at"]},
        None,
        "channels_by_created",
        "index",
    ),
    "words": ("channels", {"filter": {"name": {"$autocomplete": "room"}}}, None, "words_pkey", "index"),
    "declared": ("channels", {"filter": {"custom.team": "t7"}}, None, "field_values_text", "index"),
    "declared order": ("channels", {"sort": ["-custom.size"]}, None, "field_values_number", "index"),
    "declared range": (
        "channels",
        {"filter": {"custom.size": {"$gt": 10}}, "sort": ["custom.size"]},
        None,
        "field_values_number",
        "index",
    ),
    "a user's": ("channels", {}, "ann", "members_by_user", "index"),
    "a user's newest": ("channels", {"sort": ["-created_at"]}, "ann", "members_by_user", "sorted"),
    "with a member": ("channels", {"filter": {"members": {"$contains": "ann"}}}, None, "members_by_user", "index"),
    "by ids": ("channels", {"filter": {"id": {"$in": ["mine-1", "mine-2", "c3"]}}}, "ann", "channels_pkey", "index"),
    "by types": (
        "channels",
        {"filter": {"type": {"$in": ["livestream", "support"]}}, "sort": ["-name"]},
        None,
        "channels_by_type",
        "sorted",
    ),
    "declared ones": (
        "channels",
        {"filter": {"custom.size": {"$in": [5, 7, 99]}}, "sort": ["name"]},
        None,
        "field_values_number",
        "sorted",
    ),
    "livestreams": ("channels", {"filter": {"type": "livestream"}}, "ann", "channels_by_type", "index"),
    "users": ("users", {"sort": ["-created_at"]}, "ann", "users_by_created", "index"),
    "users by name": ("users", {"filter": {"name": {"$autocomplete": "user 77"}}}, "ann", "words_pkey", "index"),
    "users by role": ("users", {"filter": {"role": "admin"}}, None, "users_by_role", "index"),
    "members": ("members", {"filter": {"role": "owner"}}, "ann", "members_by_role", "index"),
    "newest members": ("members", {"sort": ["-joined_at"]}, "ann", "members_by_joined", "index"),
    "members by name": ("members", {"filter": {"name": {"$autocomplete": "user 77"}}}, "ann", "words_pkey", "index"),
}
MANY = 10_000
CHUNK = 2_500
"""Rows in one statement of the preparation."""


@pytest.fixture(scope="session")
async def sizes() -> dict[int, Any]:
    """Tenants by size, made once."""
    return {}


@pytest.fixture(scope="module", params=["", "channels members users words field_values"], ids=["stale", "analysed"])
def statistics(request) -> list[str]:
    """The tables that the planner knows. For the module, so that all tests of one state follow each other."""
    return [request.param]


@pytest.fixture
async def tenants(statistics, world, sizes, shard_database):
    """One tenant with 200 channels and as many users and members of the first, one with a hundred times as many."""
    if not sizes:
        made = {size: await _furnish(world, size) for size in (MANY // 100, MANY)}
        sizes.update(made)
    if statistics:
        await _know(shard_database, statistics.pop())
    for app in sizes.values():
        world.apps[app.id] = app
        app.world = world
    return sizes


async def _know(shard_database, tables: str) -> None:
    """Let the planner know these tables, or none."""
    superuser = await shard_database.connect()
    if not tables:
        # As the tables of a database are that nobody has analysed, whatever another test did before.
        await superuser.execute("delete from pg_statistic where starelid in (select oid from pg_class where "
                                "relnamespace = 'chat'::regnamespace)")  # fmt: skip
        await superuser.execute(
            "update pg_class set reltuples = -1, relpages = 0 where relnamespace = 'chat'::regnamespace"
        )
    for table in tables.split():
        await superuser.execute(f"analyze chat.{table}")
    await superuser.close()


FURNITURE = (
    "insert into chat.channels (app_id, id, type, name, custom, created_at, updated_at) select $1, 'c' || n, "
    "case n % 10 when 0 then 'team' else 'group' end, 'room ' || n, "
    "jsonb_build_object('team', 't' || n % 100, 'size', n), now() + n * interval '1 s', now() + n * interval '1 s' "
    "from generate_series($2::int, $3::int) n",
    "insert into chat.log_heads (app_id, log, last_seq, last_xid, member_count) "
    "select $1, 'c:c' || n, 1, 1, 0 from generate_series($2::int, $3::int) n",
    "insert into chat.users (app_id, id, name, role, created_at, updated_at) select $1, 'u' || n, 'user ' || n, "
    "case n % 50 when 0 then 'admin' else 'user' end, now() + n * interval '1 s', now() "
    "from generate_series($2::int, $3::int) n",
    "insert into chat.members (app_id, channel_id, user_id, role, joined_seq, joined_at, read_number) "
    "select $1, 'c0', 'u' || n, 'member', 1, now() + n * interval '1 s', 0 "
    "from generate_series($2::int, $3::int) n",
)


async def _furnish(world, size):
    app = world.app()
    await app.make_users("ann")
    for name in ("team", "size"):
        kind = {"type": "text" if name == "team" else "number"}
        await app.call("PUT", f"/v1/indexes/channels/custom.{name}", kind)
    await app.make_channel("c0", "ann", owner="ann")
    await app.make_channel("live", type="livestream")
    for name in ("mine-1", "mine-2"):
        await app.make_channel(name, "ann")
    await app.fetch("update chat.field_indexes set state = 'ready' where app_id = $1")
    await app.fetch("delete from chat.outbox where (payload->>'app_id')::uuid = $1")
    for first in range(1, size + 1, CHUNK):
        for statement in FURNITURE:
            await app.fetch(statement, first, min(size, first + CHUNK - 1))
    return app


def _rows(plan: dict[str, Any]) -> int:
    """Rows that the plan's scans looked at."""
    return sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in _nodes(plan)
        if "Scan" in node["Node Type"]
    )


def _nodes(plan: dict[str, Any]):
    yield plan
    for inner in plan.get("Plans", []):
        yield from _nodes(inner)


async def _look(app, world, resource, query, as_user):
    """The answer, the statements it took, the pages read by the query proper, and the indexes in its plan."""
    statements: list[tuple[str, Any]] = []

    def remember(connection, cursor, statement, parameters, context, executemany):
        statements.append((statement, parameters))

    path = "/v1/channels/c0/members/query" if resource == "members" else f"/v1/{resource}/query"
    engine = world.shard.tenant.engine.sync_engine
    event.listen(engine, "before_cursor_execute", remember)
    try:
        answer = await app.call("POST", path, {**query, "explain": True, "limit": 20}, as_user=as_user)
    finally:
        event.remove(engine, "before_cursor_execute", remember)
    assert answer.status_code == 200, answer.text
    settings = next(each for each in statements if "enable_seqscan" in each[0])
    page = next(each for each in statements if " LIMIT " in each[0] and "count(*)" not in each[0])
    async with world.shard.unit_of_work(app.id) as uow:
        connection = await uow.session.connection()
        await connection.exec_driver_sql(*settings)
        result = await connection.exec_driver_sql(f"explain (analyze, buffers, format json) {page[0]}", page[1])
        top = result.scalar_one()[0]["Plan"]
    indexes = {node["Index Name"] for node in _nodes(top) if "Index Name" in node}
    scans = [node["Relation Name"] for node in _nodes(top) if node["Node Type"] == "Seq Scan"]
    return (
        answer.json(),
        len(statements),
        (top["Shared Hit Blocks"] + top["Shared Read Blocks"], _rows(top)),
        indexes,
        scans,
    )


@pytest.mark.parametrize("case", CASES)
async def test_what_explain_says_is_what_happens_and_does_not_grow(tenants, world, case):
    resource, query, as_user, index, order = CASES[case]
    small, large = [await _look(app, world, resource, query, as_user) for app in tenants.values()]
    for answer, _, read, indexes, scans in (small, large):
        said = answer["explain"]
        assert (said["index"], said["order"], said["scan"]) == (index, order, False), said
        assert index in indexes
        assert scans == []
        assert answer[resource]
        # Of 20 things and one more, each from an index and its table, perhaps looked up by word once more.
        assert read[0] <= 400 and read[1] <= 100, (case, small[2], large[2])
    assert small[1] == large[1] <= 9, "statements"


async def test_what_no_index_narrows_is_said_to_scan(tenants, world):
    app = tenants[MANY]
    query = {"filter": {"custom.colour": "red"}}
    answer, _, read, _, _ = await _look(app, world, "channels", query, None)
    assert answer["explain"]["scan"]
    assert "PUT /v1/indexes/channels/custom.colour" in answer["explain"]["warnings"][0]
    assert read[0] > 400 and read[1] > 10_000, "so the limits above tell them apart"
    assert answer["channels"] == []


async def test_a_query_that_takes_too_long_is_given_up(tenants, world, monkeypatch):
    monkeypatch.setattr("data_plane.query.run.PATIENCE_MS", 1)
    app = tenants[MANY]
    answer = await app.call("POST", "/v1/channels/query", {"filter": {"custom.colour": "red"}})
    assert (answer.status_code, answer.json()["code"]) == (503, "query_too_slow")
    assert "retry-after" in answer.headers
    assert not answer.json()["retryable"]
    assert (await app.call("GET", "/v1/channels/c1")).status_code == 200, "the next one has its own time"
