"""Keys as pages show them: their state, and who still holds one that was revoked."""

from datetime import timedelta
from uuid import uuid4

import pytest

from control_plane.apps.models import App
from control_plane.credentials.service import authenticate, record_poll
from control_plane.keys.api_keys import create_secret_key, revoke_api_key, rotate_secret_key
from control_plane.keys.reads import ApiKeyView, get_api_key, list_api_keys, list_signing_keys, minting_key
from control_plane.keys.signing_keys import create_signing_secret, revoke_signing_key
from control_plane.members import Member
from control_plane.snapshots.builder import build_page
from kernel.errors import NotFound
from kernel.ids import parse_id
from tests.control_plane.fixtures import World


async def views(world: World, member: Member, app: App) -> dict[str, ApiKeyView]:
    async with world.deps.read(member) as uow:
        return {view.public_id: view for view in await list_api_keys(uow.session, app, now=world.clock.now())}


class Node:
    """A node of the app's shard that polls when told to."""

    def __init__(self, world: World, name: str, credential: str) -> None:
        self.world, self.name, self.credential = world, name, credential

    async def poll(self, version: int) -> None:
        async with self.world.deps.database.unit_of_work() as uow:
            credential = await authenticate(uow.session, self.world.deps.vault, self.credential)
            now = self.world.clock.now()
            await record_poll(uow.session, credential, worker=0, applied_version=version, public_url=None, now=now)


async def node(world: World, name: str, shard: str) -> Node:
    return Node(world, name, await world.credential("node", name, shard))


async def test_a_fresh_app_has_one_key_of_each_kind_and_shows_the_public_one(world: World) -> None:
    ada = await world.owner()
    made = await world.app(ada)
    publishable, secret = sorted((await views(world, ada, made.app)).values(), key=lambda view: view.kind)
    assert (publishable.kind, publishable.value, publishable.state) == ("publishable", made.publishable_key, "live")
    assert (secret.kind, secret.value, secret.state, secret.scopes) == ("secret", None, "live", ("*",))
    assert made.secret_key is not None
    assert secret.last_four == made.secret_key[-4:]


async def test_a_rolled_key_is_expiring_and_then_expired(world: World) -> None:
    ada = await world.owner()
    app = (await world.app(ada)).app
    old = next(view for view in (await views(world, ada, app)).values() if view.kind == "secret")
    async with world.deps.change_as(ada, None) as ctx:
        fresh = await rotate_secret_key(ctx, app.id, old.id, overlap=timedelta(hours=1))
    seen = await views(world, ada, app)
    assert (seen[old.public_id].state, seen[fresh.id].state) == ("expiring", "live")
    assert next(iter(seen)) == fresh.id, "the newest first"
    world.clock.advance(timedelta(hours=1))
    assert (await views(world, ada, app))[old.public_id].state == "expired"


async def test_a_revoked_key_is_pending_until_every_live_node_has_applied_it(world: World) -> None:
    ada = await world.owner()
    app = (await world.app(ada)).app
    nodes = [await node(world, f"n{n}", app.shard) for n in range(3)]
    for each in nodes:
        await each.poll(1)
    async with world.deps.change_as(ada, None) as ctx:
        made = await create_secret_key(ctx, app.id)
        revoked = await revoke_api_key(ctx, app.id, parse_id("key", made.id))
        assert revoked.revoked_version is not None

    async def state() -> tuple[str, tuple[str, ...]]:
        async with world.deps.read(ada) as uow:
            view = await get_api_key(uow.session, app, revoked.id, now=world.clock.now())
        return view.state, view.waiting_for

    assert await state() == ("pending", ("n0", "n1", "n2"))
    await nodes[1].poll(revoked.revoked_version)
    assert await state() == ("pending", ("n0", "n2"))
    await nodes[0].poll(revoked.revoked_version + 1)
    # The third one is away and is not waited for.
    world.clock.advance(timedelta(seconds=31))
    await nodes[0].poll(revoked.revoked_version)
    assert await state() == ("revoked", ())


async def test_anothers_key_looks_like_none(world: World) -> None:
    ada, bob = await world.owner(), await world.owner("bob@example.com", "Bobs")
    mine, theirs = (await world.app(ada)).app, (await world.app(bob)).app
    foreign = next(iter((await views(world, bob, theirs)).values())).id
    for key_id in (foreign, uuid4()):
        with pytest.raises(NotFound):
            async with world.deps.read(ada) as uow:
                await get_api_key(uow.session, mine, key_id, now=world.clock.now())
        with pytest.raises(NotFound):
            async with world.deps.change_as(ada, None) as ctx:
                await revoke_api_key(ctx, mine.id, key_id)
    # Even with the other's app at hand nothing of it is seen.
    assert await views(world, ada, theirs) == {}


async def test_signing_keys_are_listed_without_secrets_and_the_minting_one_opens(world: World) -> None:
    ada = await world.owner()
    app = (await world.app(ada)).app
    async with world.deps.change_as(ada, None) as ctx:
        old = await minting_key(ctx.session, world.deps.vault, app)
        new = await create_signing_secret(ctx, app.id, mint=True)
        await revoke_signing_key(ctx, app.id, old.kid)
    async with world.deps.read(ada) as uow:
        listed = await list_signing_keys(uow.session, app, now=world.clock.now())
        minting = await minting_key(uow.session, world.deps.vault, app)
    assert [(view.kid, view.mint, view.state) for view in listed] == [
        (new.kid, True, "live"),
        (old.kid, False, "revoked"),
    ]
    assert (minting.kid, minting.key) == (new.kid, new.secret)
    async with world.deps.database.unit_of_work() as uow:
        page = await build_page(uow.session, world.deps.vault, shard=app.shard, since=0, now=world.clock.now())
    assert page.apps[0].signing_keys == (minting,)
