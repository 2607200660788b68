"""How connections end, and whether the client comes back."""

import asyncio

import msgspec
import pytest

from tests.clients.conftest import Connect, each
from tests.clients.installation import Installation, Tenant


async def test_revoking_a_user_ends_its_connections_for_good(connect: Connect, tenant: Tenant) -> None:
    await tenant.channel("general", "bob")
    bob = await connect("javascript-default", "bob", node=1)
    await bob.event("connection.ready")

    async def scenario(kind: str) -> None:
        old = tenant.token(kind)
        user = await connect(kind, kind, node=1, token=old)
        await user.event("connection.ready")
        await tenant.post(f"/v1/users/{kind}/revoke")  # at the other node
        closing = await user.event("connection.closing")
        assert (closing["code"], closing["reconnect"], closing["resync"]) == ("token_revoked", False, False)
        await user.signal("disconnect")
        again = await connect(kind, token=old)
        assert (await again.signal("connect_error"))["data"]["code"] == "token_revoked"
        await asyncio.sleep(2)
        assert len(user.seen("connect")) == 1

    await each(scenario)
    assert not bob.seen("disconnect")


async def test_an_expired_token_ends_the_connection_and_a_fresh_one_resumes_it(
    connect: Connect, tenant: Tenant
) -> None:
    await tenant.post("/v1/users", users=[{"id": "bob"}])

    async def scenario(kind: str) -> None:
        await tenant.channel(kind, kind, "bob")
        alice = await connect(kind, token=tenant.token(kind, seconds=2.5), resume=True)
        await alice.event("connection.ready")
        await alice.use_token(tenant.token(kind))
        closing = await alice.event("connection.closing")
        assert (closing["code"], closing["reconnect"], closing["resync"]) == ("token_expired", True, True)
        await tenant.post(f"/v1/channels/{kind}/messages", text="meanwhile", user_id="bob")
        again = await alice.event("connection.ready", 2)
        assert again["recovered"] is True
        assert (await alice.event("message.created"))["data"]["message"]["text"] == "meanwhile"

    await each(scenario)


async def test_refreshing_the_token_prolongs_the_connection(connect: Connect, tenant: Tenant) -> None:
    await tenant.channel("general", "alice")

    async def scenario(kind: str) -> None:
        alice = await connect(kind, token=tenant.token("alice", seconds=3))
        ready = await alice.event("connection.ready")
        ack = await alice.call("auth.refresh", token=tenant.token("alice"))
        assert ack["expires_at"] > ready["expires_at"]
        await asyncio.sleep(4)
        assert await alice.send("general", "still here")
        assert not alice.seen("disconnect")

    await each(scenario)


async def test_a_suspended_apps_clients_are_sent_away(connect: Connect, installation: Installation) -> None:
    async def scenario(kind: str) -> None:
        tenant = await installation.tenant()
        token = tenant.token("alice")
        client = await connect(kind, token=token)
        await client.event("connection.ready")
        suspended = msgspec.structs.replace(tenant.snapshot, version=2, status="suspended")
        for running in installation.nodes:
            running.node.snapshots.apply(suspended)
        assert (await client.event("connection.closing"))["code"] == "app_suspended"
        await client.signal("disconnect")
        newcomer = await connect(kind, token=token)
        assert (await newcomer.signal("connect_error"))["data"]["code"] == "app_suspended"
        await asyncio.sleep(1.5)
        assert len(client.seen("connect")) == 1
        await tenant.close()

    await each(scenario)


async def test_what_is_sent_after_the_closing_does_nothing(connect: Connect, tenant: Tenant) -> None:
    await tenant.channel("general", "alice")
    alice = await connect("javascript-polling", token=tenant.token("alice", seconds=2), options={"reconnection": False})
    await alice.event("connection.closing")
    with pytest.raises(AssertionError, match="disconnected"):
        await alice.send("general", "too late")  # the transport is still open for a moment
    history = await tenant.http.get("/v1/channels/general/messages")
    assert history.json()["messages"] == []
