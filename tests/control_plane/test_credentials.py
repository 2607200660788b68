"""Only a live credential gets in, and only to what is its own."""

import httpx
import pytest

from control_plane.credentials.service import create_credential, revoke_credential
from kernel.errors import Conflict, InvalidInput, NotFound
from kernel.security import keys
from tests.control_plane.fixtures import World, bearer


async def status(client: httpx.AsyncClient, headers: dict[str, str]) -> int:
    return (await client.get("/internal/v1/snapshots", headers=headers)).status_code


async def test_nobody_without_a_credential_gets_in(world: World) -> None:
    tenant = await world.tenant()
    node = await world.credential("node", "n1")
    async with world.serve() as client:
        assert await status(client, bearer(node)) == 200
        other = node[:-1] + ("y" if node.endswith("x") else "x")
        wrong = ["", "nk_", keys.generate("nk"), other, node + "x", tenant.secret_key, "nk_\u00e9" + node[4:]]
        for presented in wrong:
            headers = {"authorization": f"Bearer {presented}".encode()}
            assert await status(client, headers) == 401, presented  # type: ignore[arg-type]
        assert await status(client, {}) == 401
        assert await status(client, {"authorization": node}) == 401
        for path in ("/internal/v1/usage",):
            assert (await client.post(path, json={"source": "x", "boot": "b", "rows": []})).status_code == 401


async def test_a_revoked_credential_is_refused_and_its_name_can_be_used_again(world: World) -> None:
    old = await world.credential("node", "n1")
    async with world.change() as ctx:
        await revoke_credential(ctx, kind="node", name="n1")
    new = await world.credential("node", "n1")

    async with world.serve() as client:
        assert await status(client, bearer(old)) == 401
        assert await status(client, bearer(new)) == 200
    with pytest.raises(NotFound):
        async with world.change() as ctx:
            await revoke_credential(ctx, kind="node", name="n2")


async def test_a_live_name_is_not_given_twice_unless_it_is_replaced(world: World) -> None:
    old = await world.credential("relay", "r")
    with pytest.raises(Conflict):
        await world.credential("relay", "r")
    async with world.change() as ctx:
        new = await create_credential(ctx, kind="relay", name="r", shard="s0", replace=True)

    async with world.serve() as client:
        body = {"source": "relay:s0", "boot": "b", "rows": []}
        assert (await client.post("/internal/v1/usage", json=body, headers=bearer(old))).status_code == 401
        assert (await client.post("/internal/v1/usage", json=body, headers=bearer(new))).status_code == 200


async def test_a_relay_cannot_read_snapshots_with_their_secrets(world: World) -> None:
    relay = await world.credential("relay", "s0")
    async with world.serve() as client:
        assert await status(client, bearer(relay)) == 403


@pytest.mark.parametrize(
    "wrong", [{"kind": "user"}, {"name": ""}, {"name": "a b"}, {"name": "x" * 65}, {"shard": "s9"}]
)
async def test_bad_credentials_are_not_made(shared_world: World, wrong: dict[str, str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        async with shared_world.change() as ctx:
            await create_credential(ctx, **{"kind": "node", "name": "n1", "shard": "s0", **wrong})  # type: ignore[arg-type]
    assert caught.value.data["field"] == next(iter(wrong))
