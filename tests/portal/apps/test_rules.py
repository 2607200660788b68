"""Signing keys of one's own, last uses, and what an app in production asks for first, by the portal's pages."""

import asyncio
import json

import jwt
import pytest

from billing.terms.service import change_plan, set_budget
from control_plane.apps.service import rename_app, set_allowed_origins
from control_plane.keys.reads import SigningKeyView, list_api_keys, list_signing_keys
from kernel.contracts import OverLimit
from tests.control_plane.test_keys import EC, ED, jwk_of, pem
from tests.portal.apps.forms import submit
from tests.portal.apps.house import House
from tests.portal.apps.rooms import Room


@pytest.mark.parametrize(
    ("over", "said"),
    [("bill", "Everything goes on and is billed."), ("throttle", "is still billed"), ("stop", "is refused until")],
)
async def test_a_spent_budget_is_told_on_the_overview(room: Room, over: OverLimit, said: str) -> None:
    async with room.portal.deps.change_as(room.member, None) as ctx:
        await change_plan(ctx, room.made.app.id, "growth")
    assert "The budget of" not in (await room.client.get(room.path)).text
    async with room.portal.deps.change_as(room.member, None) as ctx:
        await set_budget(ctx, room.made.app.id, 1, over)
    page = (await room.client.get(room.path)).text
    assert "The budget of 0.01 USD is spent." in page
    assert said in page


async def signing_keys(room: Room) -> list[SigningKeyView]:
    async with room.portal.deps.read(room.member) as uow:
        return await list_signing_keys(uow.session, room.made.app, now=room.portal.deps.clock.now())


async def upload(room: Room, **values: str):  # type: ignore[no-untyped-def]
    return await submit(room.client, f"{room.path}/signing-keys/new", f"{room.path}/signing-keys", None, **values)


async def test_keys_are_pasted_shown_and_revoked(room: Room) -> None:
    document = json.dumps({"keys": [jwk_of(ED) | {"kid": "ed-1"}, jwk_of(EC) | {"kid": "ec-1"}]})
    done = await upload(room, public_key=document)
    assert (done.status_code, done.headers["location"]) == (303, f"{room.path}/keys")
    page = (await room.client.get(f"{room.path}/keys")).text
    for text in ("ed-1", "EdDSA", "ec-1", "ES256", "2 public keys were added."):
        assert text in page
    key = next(key for key in await signing_keys(room) if key.kid == "ed-1")
    path = f"{room.path}/signing-keys/{key.public_id}/revoke"
    assert (await submit(room.client, path, path, last_four="nope")).status_code == 422
    assert (await submit(room.client, path, path, last_four="ed-1")).status_code == 303
    assert (await room.client.get(path)).status_code == 404, "once"
    again = await upload(room, public_key=document)
    assert again.status_code == 409
    assert "has, or had, a signing key named" in again.text


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "one of both"),
        ({"public_key": pem(ED), "jwks_url": "https://example.com/"}, "one of both"),
        ({"public_key": "-----BEGIN PRIVATE KEY-----"}, "is a private key"),
        ({"public_key": json.dumps(jwk_of(ED) | {"d": "x"})}, "private or symmetric"),
        ({"public_key": pem(ED), "kid": "a b"}, "visible ASCII"),
        ({"jwks_url": "http://example.com/jwks.json"}, "must be an https address"),
        ({"jwks_url": "https://127.0.0.1:1/jwks.json"}, "not on the internet"),
        ({"jwks_url": "https://169.254.169.254/latest"}, "not on the internet"),
    ],
)
async def test_what_is_no_public_key_of_the_internet_is_refused_beside_its_field(
    room: Room, values: dict[str, str], said: str
) -> None:
    before = await signing_keys(room)
    answer = await upload(room, **values)
    assert answer.status_code == 422
    assert said in answer.text
    assert await signing_keys(room) == before


async def test_a_new_secret_mints_and_is_shown_once(room: Room) -> None:
    (old,) = await signing_keys(room)
    path = f"{room.path}/signing-keys"
    answer = await submit(room.client, f"{path}/new", f"{path}/secret")
    new, before = await signing_keys(room)
    assert (new.mint, before.mint, before.id) == (True, False, old.id)
    assert new.kid in answer.text
    assert "Your signing secret" in answer.text
    revoke = f"{path}/{new.public_id}/revoke"
    refused = await submit(room.client, revoke, revoke, last_four=new.kid[-4:])
    assert (refused.status_code, "Create another minting key first" in refused.text) == (409, True)


async def test_an_app_is_promoted_guarded_and_deleted_by_name(room: Room) -> None:
    settings, name = f"{room.path}/settings", room.made.app.name
    path = f"{settings}/promote"
    assert (await submit(room.client, path, path, confirm="no")).status_code == 422
    assert (await submit(room.client, path, path, confirm=name)).status_code == 303
    page = (await room.client.get(settings)).text
    assert "Production, since" in page
    assert (await room.client.get(path)).status_code == 404

    await submit(room.client, settings, f"{settings}/origins/add", allowed_origins="https://a.example")
    csrf = (await room.client.get(settings)).text.partition('name="csrf" value="')[2].partition('"')[0]
    bare = await room.client.post(f"{settings}/origins/add", data={"csrf": csrf, "allowed_origins": "*"})
    assert bare.status_code == 422, "the old way around the question"
    path = f"{settings}/open"
    assert (await submit(room.client, path, path, confirm="")).status_code == 422
    assert (await submit(room.client, path, path, confirm=name)).status_code == 303

    async with room.portal.deps.read(room.member) as uow:
        keys = await list_api_keys(uow.session, room.made.app, now=room.portal.deps.clock.now())
    key = next(key for key in keys if key.kind == "secret")
    path = f"{room.path}/keys/{key.public_id}/revoke"
    refused = await submit(room.client, path, path, last_four=key.last_four)
    assert (refused.status_code, "type its name" in refused.text) == (422, True)
    assert (await submit(room.client, path, path, last_four=key.last_four, confirm=name)).status_code == 303

    path = f"{settings}/delete"
    assert (await submit(room.client, path, path, confirm="no")).status_code == 422
    done = await submit(room.client, path, path, confirm=name)
    assert done.headers["location"] == f"/organizations/{room.member.public_organization_id}"
    assert (await room.client.get(settings)).status_code == 404


async def test_a_node_tells_of_a_keys_use_takes_a_customers_key_and_lets_a_deleted_app_go(house: House) -> None:
    made = await house.app()
    assert made.secret_key is not None
    (url, *_) = house.whole.node_urls.values()
    await house.until_answered(url, made.secret_key, 200)

    async def last_used() -> object:
        async with house.portal.deps.read(house.member) as uow:
            keys = await list_api_keys(uow.session, made.app, now=house.portal.deps.clock.now())
        return next(key.last_used_at for key in keys if key.kind == "secret")

    # A node waits at its poll for up to 25 s; a change lets it ask again, and tell.
    for origin in range(100):
        async with house.portal.deps.change_as(house.member, None) as ctx:
            await set_allowed_origins(ctx, made.app.id, [f"https://{origin}.example"])
        if await last_used() is not None:
            break
        await asyncio.sleep(0.05)
    assert await last_used() is not None

    room = Room(house.portal, house.owner, house.member, made, await house.portal.client(house.owner))
    assert (await upload(room, public_key=pem(ED), kid="own")).status_code == 303
    now = int(house.portal.deps.clock.now().timestamp())
    claims = {"sub": "ada", "aud": made.app.public_id, "iat": now, "exp": now + 600}
    await house.until_answered(url, jwt.encode(claims, ED, "EdDSA", headers={"kid": "own"}), 200)

    async with house.portal.deps.change_as(house.member, None) as ctx:
        await rename_app(ctx, made.app.id, "Going")
    path = f"{room.path}/settings/delete"
    assert (await submit(room.client, path, path, confirm="Going")).status_code == 303
    await house.until_answered(url, made.secret_key, 403)


async def test_the_worker_of_an_installation_delivers_its_letters(house: House) -> None:
    """Here to the outbox page: no mail server is configured."""
    for _ in range(200):
        states = {row["state"] for row in await house.portal.sql("select state from control.mails")}
        if states == {"kept"}:
            break
        await asyncio.sleep(0.05)
    assert states == {"kept"}
