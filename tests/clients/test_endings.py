"""How connections end, and whether the client comes back."""

import asyncio

from tests.clients.conftest import Connect
from tests.clients.installation import Installation, Tenant


async def test_revoking_a_user_ends_its_connections_for_good(kind: str, connect: Connect, tenant: Tenant) -> None:
    await tenant.channel("general", "alice", "bob")
    alice, bob = await connect(kind, "alice", node=1), await connect(kind, "bob", node=1)
    await alice.event("connection.ready")
    await bob.event("connection.ready")
    await tenant.post("/v1/users/alice/revoke")
    closing = await alice.event("connection.closing")
    assert (closing["code"], closing["reconnect"], closing["resync"]) == ("token_revoked", False, False)
    await alice.signal("disconnect")
    await asyncio.sleep(2.5)
    assert len(alice.seen("connect")) == 1
    assert not bob.seen("disconnect")


async def test_a_revoked_token_does_not_connect_again(kind: str, connect: Connect, tenant: Tenant) -> None:
    old = tenant.token("alice")
    await tenant.channel("general", "alice")
    await tenant.post("/v1/users/alice/revoke")
    client = await connect(kind, token=old)
    assert (await client.signal("connect_error"))["data"]["code"] == "token_revoked"


async def test_an_expired_token_ends_the_connection_and_a_fresh_one_resumes_it(
    kind: str, connect: Connect, tenant: Tenant
) -> None:
    await tenant.channel("general", "alice", "bob")
    alice = await connect(kind, token=tenant.token("alice", seconds=2.5), resume=True)
    await alice.event("connection.ready")
    await alice.use_token(tenant.token("alice"))
    closing = await alice.event("connection.closing")
    assert (closing["code"], closing["reconnect"], closing["resync"]) == ("token_expired", True, True)
    await tenant.post("/v1/channels/general/messages", text="meanwhile", user_id="bob")
    again = await alice.event("connection.ready", 2)
    assert again["recovered"] is True
    assert (await alice.event("message.created"))["data"]["message"]["text"] == "meanwhile"


async def test_refreshing_the_token_prolongs_the_connection(kind: str, connect: Connect, tenant: Tenant) -> None:
    await tenant.channel("general", "alice")
    alice = await connect(kind, token=tenant.token("alice", seconds=3))
    ready = await alice.event("connection.ready")
    ack = await alice.call("auth.refresh", token=tenant.token("alice"))
    assert ack["expires_at"] > ready["expires_at"]
    await asyncio.sleep(4)
    assert await alice.send("general", "still here")
    assert not alice.seen("disconnect")


async def test_a_suspended_apps_clients_are_sent_away(
    kind: str, connect: Connect, installation: Installation, tenant: Tenant
) -> None:
    import msgspec

    client = await connect(kind)
    await client.event("connection.ready")
    suspended = msgspec.structs.replace(tenant.snapshot, version=2, status="suspended")
    for running in installation.nodes:
        running.node.snapshots.apply(suspended)
    assert (await client.event("connection.closing"))["code"] == "app_suspended"
    await client.signal("disconnect")
    await asyncio.sleep(1.5)
    assert len(client.seen("connect")) == 1
    newcomer = await connect(kind)
    assert (await newcomer.signal("connect_error"))["data"]["code"] == "app_suspended"
