"""Keys: created, shown once, rolled, revoked."""

import re
import signal
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest
from playwright.async_api import expect

from control_plane.keys.api_keys import create_secret_key, revoke_api_key
from control_plane.keys.reads import ApiKeyView, list_api_keys
from kernel.ids import parse_id
from tests.portal.apps.conftest import HouseTab
from tests.portal.apps.forms import forms_of, submit
from tests.portal.apps.house import House
from tests.portal.apps.rooms import Room

SECRET = re.compile(r"sk_[0-9a-z]{39}")


async def keys_of(room: Room) -> list[ApiKeyView]:
    async with room.portal.deps.read(room.member) as uow:
        return await list_api_keys(uow.session, room.made.app, now=room.portal.deps.clock.now())


async def new_secret(room: Room, **values: str | list[str]) -> httpx.Response:
    return await submit(room.client, f"{room.path}/keys/new", f"{room.path}/keys", values)


async def test_the_list_shows_publishable_keys_and_ends_of_secret_ones(room: Room) -> None:
    page = (await room.client.get(f"{room.path}/keys")).text
    assert room.made.publishable_key in page
    assert room.made.secret_key is not None
    assert room.made.secret_key not in page
    assert f"sk_…{room.made.secret_key[-4:]}" in page


async def test_a_new_secret_key_is_shown_once(room: Room) -> None:
    answer = await new_secret(room)
    assert answer.status_code == 200
    (secret,) = set(SECRET.findall(answer.text))
    assert answer.headers["cache-control"] == "no-store"
    assert SECRET.search((await room.client.get(f"{room.path}/keys")).text) is None
    assert (await keys_of(room))[0].last_four == secret[-4:]


async def test_the_same_form_twice_makes_one_key(room: Room) -> None:
    page = (await room.client.get(f"{room.path}/keys/new")).text
    form = next(form for form in forms_of(page) if form.action == f"{room.path}/keys")
    first, second = [await room.client.post(form.action, data=form.values) for _ in range(2)]
    assert SECRET.search(first.text)
    assert SECRET.search(second.text) is None
    assert "made already" in second.text
    assert len([key for key in await keys_of(room) if key.kind == "secret"]) == 2


async def test_scopes_and_an_end_are_kept(room: Room) -> None:
    await new_secret(room, access="some", scopes=["messages", "tokens"], lifetime="7")
    key = (await keys_of(room))[0]
    assert key.scopes == ("messages", "tokens")
    assert key.expires_at is not None
    assert key.expires_at - key.created_at == timedelta(days=7)
    assert "Ends" in (await room.client.get(f"{room.path}/keys")).text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"access": "some"}, "Choose at least one."),
        ({"access": "some", "scopes": ["everything"]}, "Choose at least one."),
        ({"lifetime": "9999"}, "Choose one of the list."),
    ],
)
async def test_a_wrong_form_comes_back_with_the_error_beside_the_field(
    room: Room, values: dict[str, str | list[str]], said: str
) -> None:
    answer = await new_secret(room, **values)
    assert answer.status_code == 422
    assert said in answer.text
    assert len(await keys_of(room)) == 2


async def test_an_id_that_we_did_not_give_makes_no_key(room: Room) -> None:
    answer = await new_secret(room, new_id="01m85d91t1e00b6c770cq0ypgk.forged")
    assert answer.status_code == 422
    assert len(await keys_of(room)) == 2


async def test_a_rolled_key_goes_on_for_as_long_as_was_chosen(room: Room) -> None:
    old = next(key for key in await keys_of(room) if key.kind == "secret")
    path = f"{room.path}/keys/{old.public_id}/roll"
    answer = await submit(room.client, path, path, overlap="24h")
    assert SECRET.search(answer.text)
    assert f"The old key sk_…{old.last_four}" in answer.text
    fresh, ended = [key for key in await keys_of(room) if key.kind == "secret"]
    assert fresh.state == "live"
    assert ended.expires_at is not None
    assert ended.expires_at - fresh.created_at == timedelta(hours=24)


async def test_a_key_that_leaked_ends_at_once(room: Room) -> None:
    old = next(key for key in await keys_of(room) if key.kind == "secret")
    path = f"{room.path}/keys/{old.public_id}/roll"
    await submit(room.client, path, path, overlap="0")
    states = {key.id: key.state for key in await keys_of(room)}
    assert states[old.id] == "expired"


async def test_revoking_asks_for_the_last_four_characters(room: Room) -> None:
    key = next(key for key in await keys_of(room) if key.kind == "secret")
    path = f"{room.path}/keys/{key.public_id}/revoke"
    assert "This is the last secret key that works." in (await room.client.get(path)).text
    refused = await submit(room.client, path, path, last_four="nope")
    assert refused.status_code == 422
    assert "These are not the last four characters of this key." in refused.text
    assert (await submit(room.client, path, path, last_four="")).status_code == 422
    assert all(key.revoked_at is None for key in await keys_of(room))
    done = await submit(room.client, path, path, last_four=key.last_four)
    assert (done.status_code, done.headers["location"]) == (303, f"{room.path}/keys")
    assert next(one for one in await keys_of(room) if one.id == key.id).state == "revoked"
    assert "No secret key works" in (await room.client.get(f"{room.path}/keys")).text


async def test_a_publishable_key_can_be_added_and_revoked(room: Room) -> None:
    done = await submit(room.client, f"{room.path}/keys", f"{room.path}/keys/publishable")
    assert done.status_code == 303
    newest = (await keys_of(room))[0]
    assert newest.value is not None
    assert newest.value in (await room.client.get(f"{room.path}/keys")).text
    path = f"{room.path}/keys/{newest.public_id}/revoke"
    assert "This is the last" not in (await room.client.get(path)).text
    assert (await submit(room.client, path, path, last_four=newest.last_four)).status_code == 303


@pytest.mark.parametrize("role", ["viewer", "billing"])
async def test_who_may_not_see_keys_is_told_who_can_let_him(room: Room, role: str, address: Callable[[], str]) -> None:
    client = await room.as_role(address(), role)
    for path in ("/keys", "/keys/new"):
        answer = await client.get(room.path + path)
        assert answer.status_code == 403
        assert "An owner or admin of Rooms can give you a role that may." in answer.text


async def test_another_apps_key_is_not_there(room: Room) -> None:
    other = await room.portal.app_of(room.member, "Other")
    async with room.portal.deps.read(room.member) as uow:
        key = (await list_api_keys(uow.session, other.app, now=room.portal.deps.clock.now()))[0]
    for verb in ("row", "roll", "revoke"):
        assert (await room.client.get(f"{room.path}/keys/{key.public_id}/{verb}")).status_code == 404
        assert (await room.client.get(f"{room.path}/keys/nothing/{verb}")).status_code == 404


async def test_a_revocation_is_pending_until_every_node_has_it(house: House, house_tab: HouseTab) -> None:
    made = await house.app()
    assert made.secret_key is not None
    async with house.portal.deps.change_as(house.member, None) as ctx:
        key = await create_secret_key(ctx, made.app.id)
    n1, n2 = house.whole.node_urls.values()
    for url in (n1, n2):
        await house.until_answered(url, key.value, 200)
    page = await house_tab()
    await page.goto(f"/apps/{made.app.public_id}/keys/{key.id}/revoke")
    frozen = house.whole.parts["n2"].child
    assert frozen is not None
    frozen.send_signal(signal.SIGSTOP)
    try:
        await page.get_by_label("Type the last four characters").fill(key.value[-4:])
        await page.get_by_role("button", name="Revoke key").click()
        row = page.locator(f"#{key.id}")
        await expect(row).to_contain_text("Revoking, 1 node to go", timeout=15_000)
        await expect(row.locator(".badge")).to_have_attribute("title", re.compile("n2"))
        await house.until_answered(n1, key.value, 401)
    finally:
        frozen.send_signal(signal.SIGCONT)
    await expect(row).to_contain_text("Revoked", timeout=20_000)
    await house.until_answered(n2, key.value, 401)
    await house.until_answered(n2, made.secret_key, 200)
    await page.reload()
    await expect(page.locator(f"#{key.id}")).to_have_count(0)


async def test_a_node_that_is_revoked_from_is_named_only_while_it_lives(room: Room) -> None:
    async with room.portal.deps.change_as(room.member, None) as ctx:
        key = await create_secret_key(ctx, room.made.app.id)
        await revoke_api_key(ctx, room.made.app.id, parse_id("key", key.id))
    row = (await room.client.get(f"{room.path}/keys/{key.id}/row")).text
    assert "hx-trigger" not in row
    assert "Revoked" in row
