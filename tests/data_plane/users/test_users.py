"""Users over HTTP: who may write what, what is announced, and what other tenants see."""

import asyncio
from datetime import timedelta

import orjson
import pytest
from sqlalchemy import text


async def log_of(node, user_id):
    query = "select seq, xid, type, actor, data from chat.events where log = $1 and app_id = $2 order by seq"
    rows = await node.rows(query, f"u:{user_id}", node.tenant.app_id)
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["xid"] for row in rows] == sorted(row["xid"] for row in rows), "a cursor would cut a hole into it"
    return [(row["type"], row["actor"], orjson.loads(row["data"])) for row in rows]


async def put(api, node, user_id="ada", **body):
    return await api.put(f"/v1/users/{user_id}", json=body, headers=node.server())


async def test_put_creates_then_replaces(api, node):
    made = await put(api, node, name="Ada", image="https://x/y.png", role="vip", custom={"a": 1})
    assert made.status_code == 201
    assert made.json() == {
        "id": "ada",
        "name": "Ada",
        "image": "https://x/y.png",
        "role": "vip",
        "custom": {"a": 1},
        "created_at": "2026-03-10T09:00:00.123Z",
        "updated_at": "2026-03-10T09:00:00.123Z",
        "deactivated_at": None,
    }
    node.clock.advance(timedelta(seconds=1))
    again = await put(api, node, name="Ada L.")
    assert again.status_code == 200
    assert again.json() == {
        **made.json(),
        "name": "Ada L.",
        "image": None,
        "role": "user",
        "custom": {},
        "updated_at": "2026-03-10T09:00:01.123Z",
    }
    assert (await api.get("/v1/users/ada", headers=node.server())).json() == again.json()


async def test_a_change_is_told_in_the_users_own_log_and_published(api, node):
    await put(api, node, name="Ada")
    assert await log_of(node, "ada") == []
    changed = (await put(api, node, name="Ada L.")).json()
    assert await log_of(node, "ada") == [("user.updated", None, {"user": changed})]
    assert [(entry.log, entry.type, entry.seq) for entry in node.published] == [("u:ada", "user.updated", 1)]


async def test_writing_what_is_there_already_changes_nothing(api, node):
    first = (await put(api, node, name="Ada", custom={"a": [1]})).json()
    node.clock.advance(timedelta(hours=1))
    assert (await put(api, node, name="Ada", custom={"a": [1]})).json() == first
    assert await log_of(node, "ada") == []


async def test_a_batch_is_written_whole_and_in_order(api, node):
    users = [{"id": f"u{i}", "name": f"User {i}"} for i in reversed(range(100))]
    response = await api.post("/v1/users", json={"users": users}, headers=node.server())
    assert response.status_code == 200, response.text
    assert [user["id"] for user in response.json()["users"]] == [user["id"] for user in users]
    users[3]["name"] = "Changed"
    response = await api.post("/v1/users", json={"users": users}, headers=node.server())
    assert [entry.log for entry in node.published] == ["u:u96"]


@pytest.mark.parametrize(
    ("users", "field"),
    [
        ([], "users"),
        ([{"id": f"u{i}"} for i in range(101)], "users"),
        ([{"id": "ok"}, {"id": "not ok"}], "users[1].id"),
        ([{"id": "ok"}, {"id": "me"}], "users[1].id"),
        ([{"id": "ok"}, {"id": "ok"}], "users[1].id"),
        ([{"id": "ok"}, {"id": "big", "custom": {"x": "y" * 5000}}], "users[1].custom"),
        ([{"id": "ok"}, {"id": "deep", "custom": {"x": [[[[[[[[1]]]]]]]]}}], "users[1].custom"),
        ([{"id": "ok", "nickname": "x"}], "nickname"),
        ([{"id": "ok", "role": "No Role"}], "role"),
        ([{"id": "ok", "name": "x" * 257}], "name"),
        ([{"id": "ok", "name": "a\x00b"}], "NUL"),
    ],
)
async def test_a_bad_batch_names_the_field_and_writes_nothing(api, node, users, field):
    response = await api.post("/v1/users", json={"users": users}, headers=node.server())
    assert response.status_code == 422, response.text
    assert field in response.text
    assert await node.rows("select id from chat.users") == []


async def test_patch_changes_only_what_is_given(api, node):
    before = (await put(api, node, name="Ada", image="i", role="vip", custom={"a": 1})).json()
    node.clock.advance(timedelta(seconds=1))
    patched = await api.patch("/v1/users/ada", json={"image": None, "custom": {"b": 2}}, headers=node.server())
    assert patched.json() == {**before, "image": None, "custom": {"b": 2}, "updated_at": "2026-03-10T09:00:01.123Z"}
    assert (await api.patch("/v1/users/ada", json={}, headers=node.server())).json() == patched.json()
    missing = await api.patch("/v1/users/nobody", json={"name": "x"}, headers=node.server())
    assert missing.status_code == 404


async def test_a_user_changes_its_own_profile_but_no_role_and_nobody_elses(api, node):
    await put(api, node, "ada", role="vip")
    await put(api, node, "bob")
    own = await api.patch("/v1/users/ada", json={"name": "Ada"}, headers=node.user("ada"))
    me = await api.patch("/v1/users/me", json={"custom": {"x": 1}}, headers=node.user("ada"))
    assert (own.status_code, me.status_code) == (200, 200)
    assert me.json()["name"] == "Ada"
    assert me.json()["role"] == "vip"
    for path, body in (("ada", {"role": "admin"}), ("me", {"role": "admin"}), ("bob", {"name": "x"})):
        response = await api.patch(f"/v1/users/{path}", json=body, headers=node.user("ada"))
        assert response.status_code == 403, response.text
    for response in (
        await api.put("/v1/users/ada", json={}, headers=node.user("ada")),
        await api.post("/v1/users", json={"users": [{"id": "x"}]}, headers=node.user("ada")),
    ):
        assert response.status_code == 403
    assert [(type_, actor) for type_, actor, _ in await log_of(node, "ada")] == [("user.updated", "ada")] * 2


async def test_users_read_each_other_and_themselves(api, node):
    await put(api, node, "bob", name="Bob")
    assert (await api.get("/v1/users/bob", headers=node.user("ada"))).json()["name"] == "Bob"
    # A user whom the customer's own token names for the first time exists from then on.
    assert (await api.get("/v1/users/me", headers=node.user("ada"))).json()["id"] == "ada"
    assert (await api.get("/v1/users/me", headers=node.server())).status_code == 403
    assert (await api.get("/v1/users/nobody", headers=node.server())).status_code == 404
    for impossible in ("not%20an%20id", "x" * 65):
        answer = await api.get(f"/v1/users/{impossible}", headers=node.server())
        assert (answer.status_code, answer.json()["field"]) == (422, "user_id")


async def test_other_tenants_see_and_touch_nothing(api, node):
    stranger = node.add_tenant()
    await put(api, node, "bob", name="Bob")
    seen = await api.get("/v1/users/bob", headers=node.server(stranger))
    nothing = await api.get("/v1/users/nobody", headers=node.server(stranger))
    assert seen.status_code == 404
    assert {**seen.json(), "request_id": 0} == {**nothing.json(), "request_id": 0}
    assert (await api.patch("/v1/users/bob", json={"name": "x"}, headers=node.server(stranger))).status_code == 404
    await api.put("/v1/users/bob", json={"name": "Other"}, headers=node.server(stranger))
    await api.post("/v1/users/bob/revoke", headers=node.server(stranger))
    assert (await api.get("/v1/users/bob", headers=node.server())).json()["name"] == "Bob"
    rows = await node.rows("select tokens_valid_after from chat.users where app_id = $1", node.tenant.app_id)
    assert [row["tokens_valid_after"] for row in rows] == [None]


async def test_the_tenant_role_sees_nothing_without_an_app_and_only_its_own_with_one(api, node):
    stranger = node.add_tenant()
    await put(api, node, "bob")
    await api.post("/v1/tokens", json={"user_id": "bob"}, headers=node.server())
    for table in ("users", "refresh_tokens"):
        count = text(f"select count(*) from chat.{table}")
        async with node.shard.tenant.unit_of_work() as uow:
            assert (await uow.session.execute(count)).scalar_one() == 0
        async with node.shard.unit_of_work(stranger.app_id) as uow:
            assert (await uow.session.execute(count)).scalar_one() == 0
        async with node.shard.unit_of_work(node.tenant.app_id) as uow:
            assert (await uow.session.execute(count)).scalar_one() == 1


async def test_concurrent_writes_leave_one_gap_free_log(api, node):
    await put(api, node, name="start")
    responses = await asyncio.gather(*(put(api, node, name=f"n{i}") for i in range(20)))
    assert {response.status_code for response in responses} == {200}
    log = await log_of(node, "ada")
    assert len(log) == 20
    now = (await api.get("/v1/users/ada", headers=node.server())).json()
    assert log[-1][2]["user"] == now, "the last entry is the state"


async def test_concurrent_batches_in_opposite_orders_do_not_lock_each_other_out(api, node):
    def batch(order, name):
        users = [{"id": f"u{i}", "name": name} for i in order]
        return api.post("/v1/users", json={"users": users}, headers=node.server())

    for round_ in range(5):
        responses = await asyncio.gather(
            batch(range(50), f"a{round_}"), batch(reversed(range(50)), f"b{round_}"), batch(range(25, 75), f"c{round_}")
        )
        assert {response.status_code for response in responses} == {200}


async def test_concurrent_changes_of_different_fields_all_stay(api, node):
    await put(api, node)
    for round_ in range(10):
        change = {"name": f"n{round_}", "image": f"i{round_}", "role": f"r{round_}", "custom": {"c": round_}}
        await asyncio.gather(
            *(api.patch("/v1/users/ada", json={name: value}, headers=node.server()) for name, value in change.items())
        )
        now = (await api.get("/v1/users/ada", headers=node.server())).json()
        assert {name: now[name] for name in change} == change
    assert len(await log_of(node, "ada")) == 40
