"""Deactivation, and changes of many users at once."""

from datetime import timedelta

from tests.data_plane.users.test_users import log_of, put


async def act(api, node, verb, user_id="ada"):
    return await api.post(f"/v1/users/{user_id}/{verb}", headers=node.server())


async def test_a_deactivated_user_is_served_no_more_until_it_is_reactivated(api, node):
    await put(api, node, name="Ada")
    old = node.user("ada")
    assert (await api.get("/v1/users/me", headers=old)).status_code == 200
    node.clock.advance(timedelta(seconds=1))
    gone = await act(api, node, "deactivate")
    assert (gone.status_code, gone.json()["deactivated_at"]) == (200, "2026-03-10T09:00:01.123Z")
    assert [(app_id, user_id) for app_id, user_id, _ in node.signalled] == [(node.tenant.app_id, "ada")]
    assert (await api.get("/v1/users/me", headers=old)).json()["code"] == "token_revoked"
    node.clock.advance(timedelta(seconds=5))
    # A token that the customer's own server makes afterwards opens nothing either, though the user was active before.
    assert (await api.get("/v1/users/me", headers=node.user("ada"))).json()["code"] == "user_deactivated"
    minted = await api.post("/v1/tokens", json={"user_id": "ada"}, headers=node.server())
    assert minted.json()["code"] == "user_deactivated"
    back = await act(api, node, "reactivate")
    assert (back.status_code, back.json()["deactivated_at"]) == (200, None)
    assert (await api.get("/v1/users/me", headers=node.user("ada"))).status_code == 200
    assert (await api.get("/v1/users/me", headers=old)).json()["code"] == "token_revoked"
    told = [(type_, data["user"]["deactivated_at"]) for type_, _, data in await log_of(node, "ada")]
    assert told == [("user.updated", "2026-03-10T09:00:01.123Z"), ("user.updated", None)]


async def test_doing_it_again_changes_nothing(api, node):
    await put(api, node)
    first = (await act(api, node, "deactivate")).json()
    node.clock.advance(timedelta(hours=1))
    assert (await act(api, node, "deactivate")).json() == first
    assert len(node.signalled) == 1
    once = (await act(api, node, "reactivate")).json()
    assert (await act(api, node, "reactivate")).json() == once
    assert len(await log_of(node, "ada")) == 2
    for verb in ("deactivate", "reactivate"):
        assert (await act(api, node, verb, "nobody")).status_code == 404
        assert (await api.post(f"/v1/users/ada/{verb}", headers=node.user("ada"))).status_code == 403


async def test_a_batch_of_changes_is_done_whole_or_not_at_all(api, node):
    for user_id in ("ada", "bob"):
        await put(api, node, user_id, name=user_id, custom={"a": 1})

    async def patch(*users):
        return await api.patch("/v1/users", json={"users": list(users)}, headers=node.server())

    changed = await patch({"id": "bob", "name": None}, {"id": "ada", "role": "vip"})
    assert [(user["id"], user["name"], user["role"]) for user in changed.json()["users"]] == [
        ("bob", None, "user"),
        ("ada", "ada", "vip"),
    ]
    before = await node.rows("select * from chat.users order by id")
    unknown = await patch({"id": "ada", "name": "x"}, {"id": "nobody", "name": "y"}, {"id": "no2"})
    assert (unknown.status_code, unknown.json()["user_ids"]) == (422, ["no2", "nobody"])
    twice = await patch({"id": "ada", "name": "x"}, {"id": "ada", "name": "y"})
    assert twice.json()["field"] == "users[1].id"
    big = await patch({"id": "ada", "custom": {"x": "y" * 5000}})
    assert big.json()["field"] == "users[0].custom"
    assert await node.rows("select * from chat.users order by id") == before
    assert len(await log_of(node, "ada")) == len(await log_of(node, "bob")) == 1
    assert (await api.patch("/v1/users", json={"users": [{"id": "ada"}]}, headers=node.user("ada"))).status_code == 403
