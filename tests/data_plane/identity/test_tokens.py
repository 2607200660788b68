"""Minting, rotating and revoking tokens over HTTP."""

import asyncio
from datetime import timedelta

import pytest

from kernel.ids import encode


async def mint(api, node, user_id="ada", **body):
    response = await api.post("/v1/tokens", json={"user_id": user_id, **body}, headers=node.server())
    assert response.status_code == 201, response.text
    return response.json()


async def refresh(api, token):
    return await api.post("/v1/tokens/refresh", json={"refresh_token": token})


async def test_a_minted_token_opens_the_api_and_makes_the_user(api, node):
    pair = await mint(api, node)
    assert pair["user_id"] == "ada"
    assert pair["expires_at"] == "2026-03-10T09:15:00.000Z"
    assert pair["refresh_expires_at"] == "2026-03-17T09:00:00.123Z"
    me = await api.get("/v1/users/me", headers={"authorization": f"Bearer {pair['access_token']}"})
    assert me.status_code == 200
    assert me.json()["id"] == "ada"


async def test_tokens_are_stored_as_digests_only(api, node):
    pair = await mint(api, node)
    rows = await node.rows("select t::text as line from chat.refresh_tokens t")
    assert len(rows) == 1
    assert pair["refresh_token"].split(".")[0][3:] not in rows[0]["line"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"user_id": "a b"}, "user_id"),
        ({"user_id": "me"}, "user_id"),
        ({"user_id": "ada", "expires_in": 59}, "expires_in"),
        ({"user_id": "ada", "expires_in": 86_401}, "expires_in"),
        ({"user_id": "ada", "expires": 60}, "expires"),
        ({}, "user_id"),
    ],
)
async def test_bad_mint_requests_name_the_field(api, node, body, field):
    response = await api.post("/v1/tokens", json=body, headers=node.server())
    assert response.status_code == 422, response.text
    assert field in response.text


async def test_a_token_of_the_longest_life_verifies(api, node):
    pair = await mint(api, node, expires_in=86_400)
    node.clock.advance(timedelta(hours=23, minutes=59))
    me = await api.get("/v1/users/me", headers={"authorization": f"Bearer {pair['access_token']}"})
    assert me.status_code == 200


async def test_users_cannot_mint(api, node):
    response = await api.post("/v1/tokens", json={"user_id": "bob"}, headers=node.user("ada"))
    assert response.status_code == 403


async def test_a_key_needs_the_scope(api, node):
    limited = node.tenant.snapshot.secret_keys[0].__class__(
        id="key_1", digest=node.tenant.snapshot.secret_keys[0].digest, scopes=("users",)
    )
    node.change(node.tenant, secret_keys=(limited,))
    response = await api.post("/v1/tokens", json={"user_id": "bob"}, headers=node.server())
    assert response.json()["code"] == "missing_scope"
    assert response.json()["scope"] == "tokens"


async def test_deactivated_users_get_no_tokens(api, node):
    pair = await mint(api, node)
    await node.rows("update chat.users set deactivated_at = $1 returning id", node.clock.now())
    minted = await api.post("/v1/tokens", json={"user_id": "ada"}, headers=node.server())
    refreshed = await refresh(api, pair["refresh_token"])
    assert [minted.json()["code"], refreshed.json()["code"]] == ["user_deactivated"] * 2


async def test_an_app_without_a_minting_key_says_so(api, node):
    node.change(node.tenant, signing_keys=())
    response = await api.post("/v1/tokens", json={"user_id": "ada"}, headers=node.server())
    assert (response.status_code, response.json()["code"]) == (409, "no_signing_key")
    assert await node.rows("select id from chat.users") == []


async def test_a_refresh_gives_the_next_pair_and_so_on(api, node):
    token = (await mint(api, node))["refresh_token"]
    seen = {token}
    for _ in range(5):
        node.clock.advance(timedelta(days=6))
        response = await refresh(api, token)
        assert response.status_code == 200, response.text
        token = response.json()["refresh_token"]
        assert token not in seen
        seen.add(token)
        me = await api.get("/v1/users/me", headers={"authorization": f"Bearer {response.json()['access_token']}"})
        assert me.status_code == 200


async def test_within_a_minute_the_previous_token_gives_the_very_same_successor(api, node):
    token = (await mint(api, node))["refresh_token"]
    first = (await refresh(api, token)).json()
    node.clock.advance(timedelta(seconds=60))
    again = (await refresh(api, token)).json()
    assert again["refresh_token"] == first["refresh_token"]
    assert again["refresh_expires_at"] == first["refresh_expires_at"]
    third = await refresh(api, again["refresh_token"])
    assert third.status_code == 200
    # Also when the successor was used meanwhile by the other tab.
    assert (await refresh(api, token)).json()["refresh_token"] == first["refresh_token"]


async def test_reuse_after_a_minute_revokes_the_whole_family(api, node):
    token = (await mint(api, node))["refresh_token"]
    other = (await mint(api, node))["refresh_token"]
    newest = (await refresh(api, token)).json()["refresh_token"]
    node.clock.advance(timedelta(seconds=61))
    reused = await refresh(api, token)
    assert (reused.status_code, reused.json()["code"]) == (401, "refresh_reused")
    assert (await refresh(api, newest)).json()["code"] == "refresh_invalid"
    assert (await refresh(api, other)).status_code == 200, "another sign-in of the user is another family"


async def test_concurrent_refreshes_all_get_the_same_successor(api, node):
    token = (await mint(api, node))["refresh_token"]
    responses = await asyncio.gather(*(refresh(api, token) for _ in range(40)))
    assert {response.status_code for response in responses} == {200}
    assert len({response.json()["refresh_token"] for response in responses}) == 1
    rows = await node.rows("select used_at from chat.refresh_tokens")
    assert len(rows) == 2


async def test_an_expired_refresh_token_is_refused(api, node):
    token = (await mint(api, node))["refresh_token"]
    node.clock.advance(timedelta(days=7))
    assert (await refresh(api, token)).json()["code"] == "refresh_invalid"


async def test_malformed_refresh_tokens_are_refused_alike(api, node):
    token = (await mint(api, node))["refresh_token"]
    stranger = node.add_tenant()
    key, _, _ = token.partition(".")
    for bad in (
        "",
        "rt_",
        key,
        token[:-1],
        token + "a",
        "sk" + token[2:],
        token[:10] + ("a" if token[10] != "a" else "b") + token[11:],
        f"{key}.{encode(stranger.app_id)}",
        f"{key}.{'z' * 26}",
    ):
        response = await refresh(api, bad)
        assert (response.status_code, response.json()["code"]) == (401, "refresh_invalid"), bad


async def test_a_suspended_app_gets_no_refresh(api, node):
    token = (await mint(api, node))["refresh_token"]
    node.change(node.tenant, status="suspended")
    assert (await refresh(api, token)).json()["code"] == "app_suspended"


async def test_a_page_of_another_origin_gets_no_refresh(api, node):
    token = (await mint(api, node))["refresh_token"]
    node.change(node.tenant, allowed_origins=("https://good.example",))
    body = {"refresh_token": token}
    bad = await api.post("/v1/tokens/refresh", json=body, headers={"origin": "https://bad.example"})
    good = await api.post("/v1/tokens/refresh", json=body, headers={"origin": "https://good.example"})
    assert bad.json()["code"] == "origin_not_allowed"
    assert good.status_code == 200


async def test_revoking_refuses_access_and_refresh_tokens_and_tells_the_nodes(api, node):
    pair = await mint(api, node)
    bystander = await mint(api, node, "bob")
    heard = []
    node.revocations.on_revoked(lambda *what: heard.append(what))
    response = await api.post("/v1/users/ada/revoke", headers=node.server())
    assert response.status_code == 200, response.text
    me = await api.get("/v1/users/me", headers={"authorization": f"Bearer {pair['access_token']}"})
    assert (me.status_code, me.json()["code"]) == (401, "token_revoked")
    assert (await refresh(api, pair["refresh_token"])).json()["code"] == "refresh_invalid"
    assert (await refresh(api, bystander["refresh_token"])).status_code == 200
    assert len(heard) == 1
    assert node.signalled == heard
    assert heard[0][:2] == (node.tenant.app_id, "ada")


async def test_a_token_made_right_after_a_revocation_is_valid(api, node):
    await api.post("/v1/users/ada/revoke", headers=node.server())
    pair = await mint(api, node)
    me = await api.get("/v1/users/me", headers={"authorization": f"Bearer {pair['access_token']}"})
    assert me.status_code == 200, me.text
    rotated = (await refresh(api, pair["refresh_token"])).json()
    me = await api.get("/v1/users/me", headers={"authorization": f"Bearer {rotated['access_token']}"})
    assert me.status_code == 200, me.text


async def test_mints_that_race_with_a_revocation_leave_no_living_token_behind(api, node):
    for round_ in range(10):
        user = f"user{round_}"
        *minted, revoked, late = await asyncio.gather(
            *(mint(api, node, user) for _ in range(4)),
            api.post(f"/v1/users/{user}/revoke", headers=node.server()),
            mint(api, node, user),
        )
        assert revoked.status_code == 200
        for pair in [*minted, late]:
            access = await api.get("/v1/users/me", headers={"authorization": f"Bearer {pair['access_token']}"})
            refreshed = await refresh(api, pair["refresh_token"])
            # Before the revocation both are dead, after it both live.
            assert (access.status_code == 200) == (refreshed.status_code == 200), (access.text, refreshed.text)


async def test_revoking_is_for_servers(api, node):
    response = await api.post("/v1/users/ada/revoke", headers=node.user("ada"))
    assert response.status_code == 403
    assert node.signalled == []
