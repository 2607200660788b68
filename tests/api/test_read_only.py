"""An app that is read-only: every route and event that would change something refuses, the rest goes on."""

from collections.abc import AsyncIterator

import httpx
import orjson
import pytest

from data_plane.features import CALLS
from tests.api.house import House, bearer
from tests.api.line import Line
from tests.api.test_socket_sweep import EVENTS
from tests.api.test_sweep import ROUTES
from tests.clients.installation import Tenant

GOES_ON = {
    "POST /v1/tokens", "POST /v1/tokens/refresh", "POST /v1/users/{user_id}/revoke", "POST /v1/users/query",
    "POST /v1/channels/query", "POST /v1/channels/{channel_id}/members/query", "POST /v1/presence/query",
    "PUT /v1/users/{user_id}/presence",
}  # fmt: skip
"""What changes nothing, lets people in or keeps them out, and shows who is there."""
HEARD = {
    "sync", "auth.refresh", "channel.watch", "channel.unwatch", "presence.set", "presence.subscribe",
    "presence.unsubscribe", "typing.start", "typing.stop",
}  # fmt: skip


@pytest.fixture
async def tenant(house: House) -> AsyncIterator[Tenant]:
    tenant = await house.on_loop(house.installation.tenant(guests=True))
    await tenant.http.aclose()
    tenant.http = httpx.AsyncClient(base_url=house.url, headers=bearer(tenant.secret_key), timeout=20)
    await tenant.post("/v1/users", users=[{"id": "ada"}])
    await tenant.post("/v1/channels", id="general", members=["ada"])
    yield tenant
    await tenant.close()


async def test_every_route_that_changes_something_is_refused_and_no_other(house: House, tenant: Tenant) -> None:
    house.change(tenant, access="read_only")
    user = house.token(tenant, "bob")
    for name, entry in ROUTES.items():
        method, template = name.split()
        if not template.startswith("/v1/"):
            continue
        headers = bearer(user) if entry.credential == "user" else {}
        body = {"json": entry.body} if entry.body is not None else {}
        if template == "/v1/guests":
            body = {"json": {"key": tenant.publishable_key}}
        answer = await tenant.http.request(method, template.format(**entry.path), headers=headers, **body)
        refused = answer.status_code == 403 and answer.json()["code"] == "app_read_only"
        assert refused == (method != "GET" and name not in GOES_ON), f"{name}: {answer.text}"
        if refused:
            assert (answer.json()["retryable"], "retry-after" in answer.headers) == (False, False)
    house.change(tenant, access="full")
    assert (await tenant.http.post("/v1/channels/general/messages", json={"text": "Hi", "user_id": "ada"})).is_success


async def test_a_socket_that_is_open_stays_and_hears_what_it_may_not_do(house: House, tenant: Tenant) -> None:
    token = house.token(tenant, "ada")
    line = await Line.connected(house.url, token)
    house.change(tenant, access="read_only")
    for call in CALLS:
        answer = await line.ask(call.name, orjson.dumps(EVENTS[call.name]))
        assert answer is not None, call.name
        code = answer["error"]["code"] if "error" in answer else None
        assert (code == "app_read_only") == (call.name not in HEARD), f"{call.name}: {answer}"
    late = await Line.connected(house.url, token)
    house.change(tenant, access="full")
    sent = await line.ask("message.send", b'{"channel_id": "general", "text": "again"}')
    assert sent is not None and "error" not in sent
    assert "again" in str(await late.until('42["message.created"'))
    await line.close()
    await late.close()


async def test_in_the_export_window_servers_read_and_nobody_else_is_let_in(house: House, tenant: Tenant) -> None:
    line = await Line.connected(house.url, house.token(tenant, "ada"))
    house.change(tenant, status="suspended", access="export")
    assert "app_suspended" in str(await line.until('42["connection.closing"'))
    await line.close()

    async def code(method: str, path: str, credential: str | None = None, **more: object) -> str | None:
        headers = bearer(credential) if credential else {}
        answer = await tenant.http.request(method, path, headers=headers, **more)  # type: ignore[arg-type]
        return None if answer.is_success else answer.json()["code"]

    assert await code("GET", "/v1/channels/general/messages") is None
    assert await code("POST", "/v1/users/query", json={}) is None
    assert await code("POST", "/v1/channels", json={"id": "new"}) == "app_read_only"
    assert await code("POST", "/v1/tokens", json={"user_id": "ada"}) == "app_suspended"
    assert await code("GET", "/v1/users/me", house.token(tenant, "ada")) == "app_suspended"
    assert await code("POST", "/v1/guests", json={"key": tenant.publishable_key}) == "app_suspended"
    house.change(tenant, access="full")
    assert await code("GET", "/v1/channels/general/messages") == "app_suspended"
