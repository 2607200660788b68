"""When the demo cannot run, its page says why and has one way out."""

from collections.abc import Callable

import pytest

from tests.portal.apps.forms import forms_of, submit
from tests.portal.apps.rooms import Room, furnish
from tests.portal.harness import Portal


async def test_the_page_may_speak_to_this_apps_node_and_to_nobody_else(room: Room) -> None:
    answer = await room.client.get(f"{room.path}/demo")
    assert answer.status_code == 200
    policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["connect-src"] == "'self' http://127.0.0.1:8100 ws://127.0.0.1:8100"
    other = await room.client.get(room.path)
    assert "8100" not in other.headers["content-security-policy"]


async def test_tokens_are_minted_for_the_two_users_and_a_short_time(room: Room) -> None:
    page = (await room.client.get(f"{room.path}/demo")).text
    csrf = forms_of(page)[0].values["csrf"]
    headers = {"accept": "application/json", "x-csrf-token": csrf}
    answer = await room.client.post(f"{room.path}/demo/session", data={"node": "http://old"}, headers=headers)
    assert answer.status_code == 200, answer.text
    session = answer.json()
    assert set(session["tokens"]) == {"demo-ada", "demo-grace"}
    assert session["node"] == "http://127.0.0.1:8100"
    assert answer.headers["cache-control"] == "no-store"
    assert "eyJ" not in page, "no token is in the page itself"
    without = await room.client.post(
        f"{room.path}/demo/session", data={"node": ""}, headers={"accept": "application/json"}
    )
    assert (without.status_code, without.json()["code"]) == (403, "not_from_here")


async def test_a_stranger_gets_no_tokens(room: Room) -> None:
    stranger = await room.portal.client()
    answer = await stranger.post(f"{room.path}/demo/session", headers={"accept": "application/json"})
    assert answer.status_code == 401


async def test_production_apps_have_no_demo(shared_portal: Portal, address: Callable[[], str]) -> None:
    room = await furnish(shared_portal, address(), environment="production")
    page = (await room.client.get(f"{room.path}/demo")).text
    assert "The demo is for development apps" in page
    assert "data-demo" not in page
    headers = {"accept": "application/json", "x-csrf-token": forms_of(page)[0].values["csrf"]}
    answer = await room.client.post(f"{room.path}/demo/session", data={"node": ""}, headers=headers)
    assert (answer.status_code, answer.json()["code"], answer.json()["reason"]) == (409, "demo_hindered", "production")


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("update control.apps set status = 'suspended' where id = $1", "This app is suspended"),
        (
            "update control.api_keys set revoked_at = now(), revoked_version = 1 where app_id = $1",
            "No publishable key works",
        ),
        ("update control.signing_keys set mint = false where app_id = $1", "no key to mint tokens with"),
    ],
)
async def test_what_is_in_the_way_is_told(room: Room, statement: str, said: str) -> None:
    await room.portal.sql(statement, room.made.app.id)
    page = await room.client.get(f"{room.path}/demo")
    assert page.status_code == 200
    assert said in page.text
    assert "data-demo" not in page.text


async def test_a_page_whose_origin_is_shut_out_can_let_itself_in(room: Room) -> None:
    await room.portal.sql(
        "update control.apps set allowed_origins = '{https://chat.example.com}' where id = $1", room.made.app.id
    )
    page = (await room.client.get(f"{room.path}/demo")).text
    assert "This page may not connect to Support chat" in page
    done = await submit(room.client, f"{room.path}/demo", f"{room.path}/demo/origin")
    assert (done.status_code, done.headers["location"]) == (303, f"{room.path}/demo")
    (row,) = await room.portal.sql("select allowed_origins from control.apps where id = $1", room.made.app.id)
    assert row["allowed_origins"] == ["https://chat.example.com", room.portal.url]
    assert "data-demo" in (await room.client.get(f"{room.path}/demo")).text


async def test_without_a_live_node_there_is_nothing_to_connect_to(
    shared_portal: Portal, address: Callable[[], str]
) -> None:
    room = await furnish(shared_portal, address())
    await room.portal.sql("update control.apps set shard = 'nowhere' where id = $1", room.made.app.id)
    assert "No node serves this app right now" in (await room.client.get(f"{room.path}/demo")).text
    assert "No node serves this app right now" in (await room.client.get(f"{room.path}/quickstart")).text


async def test_a_guest_is_let_in_only_where_the_app_lets_guests_in(room: Room, address: Callable[[], str]) -> None:
    path = f"{room.path}/demo/guest"
    page = (await room.client.get(path)).text
    assert "lets no guests in" in page
    assert f"{room.path}/settings#guests" in page
    assert "data-guest" not in page
    await submit(room.client, f"{room.path}/settings", f"{room.path}/settings/guests")
    answer = await room.client.get(path)
    assert "data-guest" in answer.text
    assert "http://127.0.0.1:8100" in answer.headers["content-security-policy"]
    viewer = await room.as_role(address(), "viewer")
    assert (await viewer.get(path)).status_code == 403


@pytest.mark.parametrize("role", ["viewer", "billing"])
async def test_the_demo_needs_its_permission(room: Room, role: str, address: Callable[[], str]) -> None:
    client = await room.as_role(address(), role)
    answer = await client.get(f"{room.path}/demo")
    assert answer.status_code == 403
    assert "may not use the demo" in answer.text
