"""What is read for a channel does not grow with the app, whatever the planner knows of the tables' contents."""

from typing import Any

import pytest
from sqlalchemy import event


@pytest.fixture(params=["", "channels", "members", "channels members"], ids=lambda tables: f"analysed-{tables}")
async def many(request, app, shard_database):
    """Ann is in the first of many channels of the app; the statistics know of them, of a part, or of nothing.

    Autovacuum may look at any table at any time, so each of these states is met in production.
    """
    await app.make_users("ann")
    await app.make_channel("c0", "ann")
    await app.fetch(
        "insert into chat.channels (app_id, id, type, created_at, updated_at) "
        "select $1, 'c' || n, 'group', now(), now() from generate_series(1, 6000) n"
    )
    await app.fetch(
        "insert into chat.log_heads (app_id, log, last_seq, last_xid) "
        "select $1, 'c:c' || n, 1, 1 from generate_series(1, 6000) n"
    )
    superuser = await shard_database.connect()
    for table in request.param.split():
        await superuser.execute(f"analyze chat.{table}")
    await superuser.close()


PATHS = (
    "/v1/channels/c0",
    "/v1/channels",
    "/v1/channels?pinned=true",
    "/v1/channels?archived=true&hidden=true&muted=true",
    "/v1/channels/c0/members",
)


async def test_a_read_touches_few_pages(app, world, many):
    touched = {path: await pages_touched(app, world, path) for path in PATHS}
    assert all(0 < pages < 40 for pages in touched.values()), touched


async def pages_touched(app, world, path):
    """How many pages the statements of one read look at."""
    statements: list[tuple[str, Any]] = []

    def remember(connection, cursor, statement, parameters, context, executemany):
        statements.append((statement, parameters))

    engine = world.shard.tenant.engine.sync_engine
    event.listen(engine, "before_cursor_execute", remember)
    try:
        assert (await app.call("GET", path, as_user="ann")).status_code == 200
    finally:
        event.remove(engine, "before_cursor_execute", remember)
    pages = 0
    async with world.shard.unit_of_work(app.id) as uow:
        connection = await uow.session.connection()
        for statement, parameters in statements:
            if statement.startswith("SELECT"):
                plan = await connection.exec_driver_sql(
                    f"explain (analyze, buffers, format json) {statement}", parameters
                )
                top = plan.scalar_one()[0]["Plan"]
                pages += top["Shared Hit Blocks"] + top["Shared Read Blocks"]
    return pages
