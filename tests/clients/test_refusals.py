"""Who is not let in learns why, in the client's own terms."""

import asyncio

import httpx
import pytest

from tests.clients.conftest import Connect, each
from tests.clients.driver import Client
from tests.clients.installation import Installation, Tenant

JAVASCRIPT = ["javascript-default", "javascript-websocket", "javascript-polling"]
PAGE = {"Origin": "https://shop.example"}


async def refused(client: Client) -> dict[str, object]:
    """What `connect_error` carried as `err.data`; after it the client does not come back by itself."""
    signal = await client.signal("connect_error")
    await asyncio.sleep(1.5)
    assert not client.seen("connect")
    assert len(client.seen("connect_error")) == 1
    return signal["data"]  # type: ignore[no-any-return]


async def test_an_expired_token_is_refused_by_name(connect: Connect, tenant: Tenant) -> None:
    async def scenario(kind: str) -> None:
        data = await refused(await connect(kind, token=tenant.token("alice", seconds=-900)))
        assert (data["code"], data["retryable"]) == ("token_expired", False)

    await each(scenario)


async def test_a_garbage_token_is_refused_by_name(connect: Connect) -> None:
    async def scenario(kind: str) -> None:
        data = await refused(await connect(kind, token="garbage"))
        assert data["code"] == "token_invalid"
        assert data["message"]

    await each(scenario)


async def test_no_token_is_refused_with_how_to_give_one(connect: Connect) -> None:
    async def scenario(kind: str) -> None:
        data = await refused(await connect(kind, token=""))
        assert data["code"] == "unauthenticated"
        assert "auth: {token}" in str(data["message"])

    await each(scenario)


async def test_a_forged_cursor_is_refused_by_name(connect: Connect) -> None:
    async def scenario(kind: str) -> None:
        assert (await refused(await connect(kind, cursor="no cursor of ours")))["code"] == "bad_cursor"

    await each(scenario)


async def test_a_token_of_another_app_is_refused_where_the_key_names_one(
    connect: Connect, installation: Installation, tenant: Tenant
) -> None:
    other = await installation.tenant()

    async def scenario(kind: str) -> None:
        options = {"query": {"key": tenant.publishable_key}}
        data = await refused(await connect(kind, token=other.token("alice"), options=options))
        assert data["code"] == "token_invalid"

    await each(scenario)
    await other.close()


@pytest.mark.parametrize("kind", ["javascript-default", "javascript-polling"])
async def test_a_page_without_a_key_is_refused_and_can_read_why(kind: str, connect: Connect) -> None:
    client = await connect(kind, options={"extraHeaders": PAGE, "reconnection": False})
    signal = await client.signal("connect_error")
    assert signal["status"] == 403
    assert '"key_required"' in signal["body"]


async def test_a_page_without_a_key_gets_no_websocket(connect: Connect) -> None:
    client = await connect("javascript-websocket", options={"extraHeaders": PAGE, "reconnection": False})
    assert (await client.signal("connect_error"))["message"] == "websocket error"
    assert not client.seen("connect")


async def test_a_page_may_read_the_refusal_of_its_handshake(installation: Installation) -> None:
    async with httpx.AsyncClient(base_url=installation.nodes[0].url) as http:
        answer = await http.get("/socket.io/", params={"EIO": "4", "transport": "polling"}, headers=PAGE)
    assert answer.status_code == 403
    assert answer.json()["code"] == "key_required"
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_only_the_apps_own_origins_are_let_in(connect: Connect, installation: Installation) -> None:
    tenant = await installation.tenant(allowed_origins=("https://shop.example",))
    token, query = tenant.token("alice"), {"key": tenant.publishable_key}

    async def scenario(kind: str) -> None:
        client = await connect(kind, token=token, options={"extraHeaders": PAGE, "query": query})
        await client.event("connection.ready")
        evil = {"extraHeaders": {"Origin": "https://evil.example"}, "query": query, "reconnection": False}
        stranger = await connect(kind, token=token, options=evil)
        await stranger.signal("connect_error")
        assert not stranger.seen("connect")

    await each(scenario)
    await tenant.close()


async def test_there_is_one_namespace(connect: Connect, installation: Installation) -> None:
    async def scenario(kind: str) -> None:
        client = await connect(kind, url=installation.nodes[0].url + "/admin")
        assert (await refused(client))["code"] == "namespace_refused"

    await each(scenario, JAVASCRIPT)


async def test_pythons_client_is_told_that_there_is_one_namespace(connect: Connect) -> None:
    client = await connect("python-default", options={"namespace": "/admin"})
    await client.signal("failed")
    assert not client.received("connection.ready")


async def test_binary_is_refused_with_a_reason(connect: Connect) -> None:
    async def scenario(kind: str) -> None:
        client = await connect(kind)
        await client.event("connection.ready")
        await client.send_binary("message.send")
        closing = await client.event("connection.closing")
        assert (closing["code"], closing["reconnect"]) == ("protocol_error", False)
        assert client.received("error")[0]["code"] == "binary_refused"
        await client.signal("disconnect")
        await asyncio.sleep(1.5)
        assert len(client.seen("connect")) == 1

    await each(scenario)


async def test_who_never_authenticates_is_cut_after_five_seconds(connect: Connect) -> None:
    async def scenario(kind: str) -> None:
        client = await connect(kind, mute=True, options={"reconnection": False})
        started = asyncio.get_running_loop().time()
        await client.signal("engine_close")
        assert 4 < asyncio.get_running_loop().time() - started < 8
        assert not client.seen("connect")

    await each(scenario, JAVASCRIPT)
