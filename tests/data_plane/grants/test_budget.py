"""How many statements the checks cost, and that no number of members or channels adds one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event

from tests.data_plane.world import App, World

BUDGET = {
    "GET /v1/channels/den": 2,
    "GET /v1/channels/den/members": 3,
    "GET /v1/channels": 3,
    "PATCH /v1/channels/den": 6,
    "PUT /v1/channels/den/members/bob": 9,
    "POST /v1/channels/den/members": 9,
    "DELETE /v1/channels/den/members/cid": 6,
    "PUT /v1/channel-types/lab": 8,
    "PUT /v1/roles/host": 8,
    "POST /v1/channels": 8,
}
"""The most statements that each may need, without those that begin the transaction."""
BODIES: dict[str, Any] = {
    "PATCH /v1/channels/den": {"grants": {"guest": []}, "name": "x"},
    "PUT /v1/channels/den/members/bob": {"role": "host"},
    "POST /v1/channels/den/members": {"user_ids": ["cid"], "role": "host"},
    "PUT /v1/channel-types/lab": {"grants": {"guest": ["message.send"]}},
    "PUT /v1/roles/host": {"scopes": ["channel"], "grants": ["message.send"]},
    "POST /v1/channels": {"id": "new", "type": "lab", "members": ["bob"]},
}


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """What is sent to the database, but for what opens a transaction."""
    said: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        said.append(statement)

    engine = world.shard.tenant.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield said
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize("others", [0, 300])
async def test_the_statements_of_a_route_do_not_grow_with_members(app: App, world: World, others: int) -> None:
    crowd = [f"u{n}" for n in range(others)]
    await app.make_users("ann", "bob", "cid", *crowd)
    await app.call("PUT", "/v1/roles/host", {"scopes": ["channel"], "grants": []})
    await app.call("PUT", "/v1/channel-types/lab", {"grants": {"user": ["channel.create"]}})
    await app.make_channel("den", "bob", owner="ann")
    for start in range(0, others, 100):
        await app.call("POST", "/v1/channels/den/members", {"user_ids": crowd[start : start + 100]})
    for wanted, most in BUDGET.items():
        method, path = wanted.split()
        user = None if "types" in path or "roles" in path else "ann"
        with statements(world) as said:
            answer = await app.call(method, path, BODIES.get(wanted), as_user=user)
        assert answer.is_success, answer.text
        assert len(said) <= most, (wanted, len(said), said)


async def test_whether_there_is_another_owner_is_read_from_an_index(app: App, world: World) -> None:
    crowd = [f"u{n}" for n in range(500)]
    await app.make_users("ann", *crowd)
    await app.make_channel("den", owner="ann")
    for start in range(0, 500, 100):
        await app.call("POST", "/v1/channels/den/members", {"user_ids": crowd[start : start + 100]})
    pool = await world.shard.tenant.pool()
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("select set_config('natter.app_id', $1, true)", str(app.id))
        await connection.execute("set local enable_seqscan = off")
        plan = await connection.fetch(
            "explain (analyze, costs off, timing off) select 1 from chat.members "
            "where app_id = $1 and role = 'owner' and channel_id = 'den' and user_id <> 'ann' limit 1",
            app.id,
        )
    assert "members_of_role" in "\n".join(row[0] for row in plan)
