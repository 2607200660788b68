"""What a member arranges for itself: archived, hidden, muted and pinned channels, and a history that begins anew."""

from datetime import timedelta

import pytest
from sqlalchemy import event

from data_plane.members import arrange
from data_plane.sync.service import SyncService
from kernel.clock import rfc3339


@pytest.fixture
async def rooms(app):
    await app.make_users("ann", "bob")
    for name in ("c1", "c2", "c3", "c4"):
        await app.make_channel(name, "ann", "bob")
    return app


async def do(app, channel, user="ann", **wish):
    answer = await app.call("PATCH", f"/v1/channels/{channel}/membership", wish, as_user=user)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def listed(app, user="ann", **params):
    found, cursor = [], None
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = await app.call("GET", "/v1/channels", params={**params, "limit": 2, **more}, as_user=user)
        assert page.status_code == 200, page.text
        found += [channel["id"] for channel in page.json()["channels"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            return found


async def asked(app, filter, sort=(), user="ann"):
    body = {"filter": filter, "sort": list(sort), "explain": True}
    answer = await app.call("POST", "/v1/channels/query", body, as_user=user)
    assert answer.status_code == 200, answer.text
    return [channel["id"] for channel in answer.json()["channels"]], answer.json()["explain"]["index"]


async def test_archived_and_hidden_channels_are_left_out_unless_they_are_asked_for(rooms, world):
    app = rooms
    await do(app, "c1", archived=True)
    await do(app, "c2", hidden=True)
    assert await listed(app) == ["c3", "c4"]
    assert await listed(app, user="bob") == ["c1", "c2", "c3", "c4"]
    assert await listed(app, archived="any", hidden="any") == ["c1", "c2", "c3", "c4"]
    assert (await listed(app, archived="true"), await listed(app, hidden="true")) == (["c1"], ["c2"])
    assert await asked(app, {}) == (["c3", "c4"], "members_by_user")
    assert await asked(app, {"archived": True}) == (["c1"], "members_archived")
    assert await asked(app, {"hidden": True}) == (["c2"], "members_hidden")
    either = {"$or": [{"archived": True}, {"hidden": True}, {"muted": True}]}
    assert (await asked(app, either))[0] == ["c1", "c2"]
    server = await app.call("GET", "/v1/channels", params={"user_id": "ann"})
    assert len(server.json()["channels"]) == 4
    refused = await app.call("GET", "/v1/channels", params={"archived": "true"})
    assert (refused.status_code, refused.json()["field"]) == (422, "archived")
    assert (await app.call("POST", "/v1/channels/query", {"filter": {"archived": True}})).status_code == 422


async def test_a_hidden_channel_comes_back_with_the_next_message_that_counts(rooms):
    app = rooms
    await app.send("c1", "bob")
    assert (await do(app, "c1", hidden=True))["hidden"] is True
    await app.send("c1", "bob", silent=True)
    assert await listed(app) == ["c2", "c3", "c4"]
    await app.send("c1", "bob")
    assert await listed(app) == ["c1", "c2", "c3", "c4"]
    channel = (await app.call("GET", "/v1/channels/c1", as_user="ann")).json()
    assert (channel["membership"]["hidden"], channel["membership"]["unread"]) == (False, 2)


async def test_history_that_was_cleared_is_gone_for_its_member_alone(rooms):
    app = rooms
    old = (await app.send("c1", "bob", "old"))[0]
    done = await do(app, "c1", hidden=True, clear_history=True)
    assert (done["hidden"], done["history_from"]) == (True, 5)
    await app.send("c1", "bob", "new")
    for user, seen in (("ann", ["new"]), ("bob", ["old", "new"])):
        page = await app.call("GET", "/v1/channels/c1/messages", as_user=user)
        assert [message["text"] for message in page.json()["messages"]] == seen
    assert (await app.call("GET", f"/v1/messages/{old}", as_user="ann")).status_code == 404
    assert await app.types("u:ann") == ["membership.added"] * 4 + ["membership.arranged", "unread.changed"]
    # It is no reason to show less to whom she adds.
    await app.make_users("cid")
    await app.call("PUT", "/v1/channels/c1/members/ann", {"role": "owner"})
    await app.call("PUT", "/v1/channels/c1/members/cid", as_user="ann")
    page = await app.call("GET", "/v1/channels/c1/messages", as_user="cid")
    assert [message["text"] for message in page.json()["messages"]] == ["old", "new"]


async def test_a_mute_ends_by_itself_or_when_it_is_taken_back(rooms, world):
    app = rooms
    until = rfc3339(world.clock.now() + timedelta(hours=1))
    done = await do(app, "c1", muted_until=until)
    assert (done["muted_at"], done["muted_until"]) == (rfc3339(world.clock.now()), until)
    await do(app, "c2", muted=True)
    assert await asked(app, {"muted": True}) == (["c1", "c2"], "members_muted")
    assert await listed(app, muted="false") == ["c3", "c4"]
    world.clock.advance(timedelta(hours=2))
    assert await listed(app, muted="true") == ["c2"]
    assert (await do(app, "c2", muted=False))["muted_at"] is None
    past = rfc3339(world.clock.now() - timedelta(hours=1))
    for wish in ({"muted_until": past}, {"muted": False, "muted_until": until}, {"muted_until": "tomorrow"}):
        refused = await app.call("PATCH", "/v1/channels/c1/membership", wish, as_user="ann")
        assert (refused.status_code, "muted_until" in refused.text) == (422, True)


async def test_pins_have_an_order_that_is_moved_one_at_a_time(rooms, monkeypatch):
    app = rooms
    for name in ("c1", "c2", "c3"):
        await do(app, name, pinned=True)
    assert await listed(app, pinned="true") == ["c3", "c2", "c1"]
    await do(app, "c1", pin_before="c3")
    await do(app, "c3", pin_before=None)
    assert await listed(app, pinned="true") == ["c1", "c2", "c3"]
    assert await asked(app, {"pinned": True}, ["pin_order"]) == (["c1", "c2", "c3"], "members_pinned")
    assert (await asked(app, {}, ["pin_order"]))[0] == ["c1", "c2", "c3", "c4"]
    before = len(await app.log("u:ann"))
    await do(app, "c2", pinned=True)
    assert len(await app.log("u:ann")) == before
    # Until no number is left between two.
    for name, order in (("c2", 1.0), ("c3", 1.0000000000000002)):
        await app.fetch("update chat.members set pin_order = $3 where app_id = $1 and channel_id = $2", name, order)
    await do(app, "c4", pin_before="c3")
    assert await listed(app, pinned="true") == ["c1", "c2", "c4", "c3"]
    assert len(await app.log("u:ann")) == before + 4
    monkeypatch.setattr(arrange, "MAX_PINS", 3)
    await do(app, "c4", pinned=False)
    full = await app.call("PATCH", "/v1/channels/c4/membership", {"pinned": True}, as_user="ann")
    assert (full.status_code, full.json()["code"]) == (409, "too_many_pins")
    for wish in ({"pin_before": "c4"}, {"pin_before": "c1"}, {"pinned": False, "pin_before": "c2"}):
        refused = await app.call("PATCH", "/v1/channels/c1/membership", wish, as_user="ann")
        assert (refused.status_code, "pin_before" in refused.text) == (422, True)


async def test_devices_that_follow_the_log_arrive_at_what_a_fresh_look_says(rooms, world):
    app = rooms
    sync = SyncService(world.shard)
    start = await sync.fresh(app.id, "ann")
    own = {channel["id"]: dict(channel["membership"]) for channel in start["channels"]}
    last = {channel["id"]: channel["last_number"] for channel in start["channels"]}
    await do(app, "c1", archived=True, muted=True)
    await do(app, "c2", hidden=True, pinned=True)
    await app.send("c2", "bob")
    await do(app, "c3", clear_history=True, hidden=True)
    await do(app, "c4", pinned=True)
    await do(app, "c4", pin_before=None, archived=True)
    await do(app, "c1", archived=False)
    for entry in await app.log("u:ann"):
        if entry["type"] == "membership.arranged":
            own[entry["data"].pop("channel_id")] |= entry["data"]
    own["c2"] |= {"hidden": False, "unread": 1}
    assert last["c2"] == 0
    fresh = await sync.fresh(app.id, "ann")
    assert {channel["id"]: channel["membership"] for channel in fresh["channels"]} == own


async def test_nobody_arranges_for_others_or_where_it_is_no_member(rooms):
    app = rooms
    await app.make_users("eve")
    assert (await app.call("PATCH", "/v1/channels/c1/membership", {"archived": True}, as_user="eve")).status_code == 404
    other = await app.call("PATCH", "/v1/channels/c1/membership", {"archived": True, "user_id": "ann"}, as_user="bob")
    assert other.status_code == 403
    assert (await app.call("PATCH", "/v1/channels/c1/membership", {"archived": True, "user_id": "bob"})).is_success
    assert await listed(app, user="bob") == ["c2", "c3", "c4"]
    assert (await app.call("PATCH", "/v1/channels/c1/membership", {"archived": True})).status_code == 403
    await app.check_logs()


@pytest.mark.parametrize("name", ["archived", "hidden", "muted", "pinned"])
async def test_what_explain_says_is_the_index_that_is_read(rooms, world, name):
    """Among many memberships that are none of it."""
    app = rooms
    await app.fetch(
        "insert into chat.members (app_id, channel_id, user_id, joined_seq, joined_at, read_number) "
        "select $1, 'm' || n, 'ann', 1, now(), 0 from generate_series(1, 3000) n"
    )
    statements = []

    def remember(connection, cursor, statement, parameters, context, executemany):
        statements.append((statement, parameters))

    engine = world.shard.tenant.engine.sync_engine
    event.listen(engine, "before_cursor_execute", remember)
    try:
        found, index = await asked(app, {name: True})
    finally:
        event.remove(engine, "before_cursor_execute", remember)
    assert (found, index) == ([], f"members_{name}")
    statement, parameters = next(each for each in statements if "LATERAL" in each[0])
    async with world.shard.unit_of_work(app.id) as uow:
        connection = await uow.session.connection()
        for switch in ("seqscan", "hashjoin", "mergejoin", "sort", "bitmapscan", "material"):
            await connection.exec_driver_sql(f"set local enable_{switch} = off")
        plan = await connection.exec_driver_sql(f"explain {statement}", parameters)
        assert f"members_{name}" in "\n".join(row[0] for row in plan)
