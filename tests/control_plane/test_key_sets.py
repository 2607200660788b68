"""An app's signing keys follow what stands at an address, and nothing that goes wrong there takes one away."""

import dataclasses
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from sqlalchemy import text

from control_plane.context import Deps
from control_plane.credentials.service import authenticate
from control_plane.keys.jwks_url import Fetched
from control_plane.keys.key_sets import (
    FLOOR,
    LATEST,
    MAX_SETS,
    SOONEST,
    USUAL,
    KeySet,
    KeySetReader,
    follow_key_set,
    list_key_sets,
    parse_apps,
    pause,
    stop_following,
    want_reading,
)
from control_plane.keys.signing_keys import add_public_key, revoke_signing_key
from control_plane.members import Member
from control_plane.snapshots.builder import build_page
from kernel.errors import Conflict, InvalidInput, NotFound
from tests.control_plane.fixtures import World
from tests.control_plane.site import Site
from tests.control_plane.test_keys import EC, ED, RSA, jwk_of, pem

OTHER = ed25519.Ed25519PrivateKey.generate()


def jwks(**named: Any) -> bytes:
    return json.dumps({"keys": [{**jwk_of(key), "kid": kid} for kid, key in named.items()]}).encode()


@dataclass
class Followed:
    """An app that follows a site, and the worker that reads it when told to."""

    world: World
    deps: Deps
    site: Site
    owner: Member
    app: Any

    async def read(self) -> None:
        """Let the worker do what is due."""
        while await KeySetReader(self.deps).step():
            pass

    async def kids(self) -> set[str]:
        """Those that nodes verify with, but for the app's own."""
        async with self.deps.database.unit_of_work(read_only=True) as uow:
            page = await build_page(
                uow.session, self.deps.vault, shard=self.app.shard, since=0, now=self.world.clock.now()
            )
        (mine,) = [one for one in page.apps if one.app_id == self.app.public_id]
        return {key.kid for key in mine.signing_keys if not key.mint}

    async def sets(self) -> list[KeySet]:
        async with self.deps.read(self.owner) as uow:
            return await list_key_sets(uow.session, self.app)

    async def audited(self) -> list[tuple[str, list[str], list[str]]]:
        async with self.deps.database.unit_of_work(read_only=True) as uow:
            rows = await uow.session.execute(
                text("select data from control.audit_entries where action = 'key_set.changed' order by id")
            )
            return [(row.data["url"], row.data["added"], row.data["removed"]) for row in rows]


@pytest.fixture
async def followed(world: World, site: Site) -> AsyncIterator[Followed]:
    deps = dataclasses.replace(world.deps, jwks=site.fetcher)
    ada = await world.owner()
    app = (await world.app(ada)).app
    site.says(jwks(a=RSA, b=EC))
    fetched = await deps.jwks.fetch_fresh(site.url)
    async with deps.change_as(ada, None) as ctx:
        assert await follow_key_set(ctx, app.id, site.url, fetched) == ["a", "b"]
        await add_public_key(ctx, app.id, pem(OTHER), kid="own")
    yield Followed(world, deps, site, ada, app)


async def test_keys_come_and_go_with_the_document_and_nothing_else_does(followed: Followed) -> None:
    world, site = followed.world, followed.site
    assert await followed.kids() == {"a", "b", "own"}
    asked = len(site.asked)
    await followed.read()
    assert len(site.asked) == asked, "not before it is due"

    world.clock.advance(USUAL)
    site.says(jwks(b=EC, c=ED))
    await followed.read()
    assert await followed.kids() == {"b", "c", "own"}
    assert await followed.audited() == [(site.url, ["c"], ["a"])]
    # Unchanged, it changes nothing: no new version for the nodes.
    async with followed.deps.database.unit_of_work(read_only=True) as uow:
        version = await uow.session.scalar(text("select version from control.configuration"))
    world.clock.advance(USUAL)
    await followed.read()
    async with followed.deps.database.unit_of_work(read_only=True) as uow:
        assert await uow.session.scalar(text("select version from control.configuration")) == version

    # What left comes back as it was; another key under its name does not come in, and says so.
    world.clock.advance(USUAL)
    site.says(jwks(a=RSA, c=OTHER))
    await followed.read()
    assert await followed.kids() == {"a", "own"}
    (one,) = await followed.sets()
    assert "'c'" in (one.problem or "")
    assert one.failures == 0
    world.clock.advance(USUAL)
    site.says(jwks(a=RSA))
    await followed.read()
    assert (await followed.sets())[0].problem is None


@pytest.mark.parametrize(
    ("body", "status", "headers"),
    [
        (b"", "500 x", []),
        (b"", "302 Found", ["location: https://169.254.169.254/"]),
        (b"<html>", "200 OK", []),
        (b'{"keys": []}', "200 OK", []),
        (json.dumps({"keys": [{"kty": "oct", "k": "AAAA", "kid": "a"}]}).encode(), "200 OK", []),
    ],
)
async def test_a_reading_that_fails_keeps_the_old_keys_and_is_tried_again_ever_later(
    followed: Followed, body: bytes, status: str, headers: list[str]
) -> None:
    followed.site.says(body, status, *headers)
    waits = []
    for _ in range(8):
        (before,) = await followed.sets()
        followed.world.clock.advance(max(timedelta(), before.due_at - followed.world.clock.now()))
        await followed.read()
        (one,) = await followed.sets()
        waits.append((one.due_at - followed.world.clock.now()) // FLOOR)
        assert one.problem
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    assert one.failures == 8
    assert await followed.kids() == {"a", "b", "own"}
    followed.site.says(jwks(a=RSA))
    followed.world.clock.advance(LATEST)
    await followed.read()
    assert await followed.kids() == {"a", "own"}
    assert (await followed.sets())[0].problem is None


async def test_a_name_that_no_node_knows_makes_it_read_soon_and_no_oftener_than_once_a_minute(
    followed: Followed,
) -> None:
    world, site = followed.world, followed.site
    own, strange = [await world.credential("node", f"n-{shard}", shard) for shard in (followed.app.shard, "s1")]

    async def told(credential: str) -> int:
        async with followed.deps.database.unit_of_work() as uow:
            node = await authenticate(uow.session, followed.deps.vault, credential)
            await want_reading(uow.session, node, parse_apps(followed.app.public_id), now=world.clock.now())
        await followed.read()
        return len(site.asked)

    asked = len(site.asked)
    assert await told(own) == asked, "it was read a moment ago"
    world.clock.advance(FLOOR)
    await followed.read()
    asked = len(site.asked)
    for _ in range(180):
        await told(own)
        world.clock.advance(timedelta(seconds=1))
    assert 2 <= len(site.asked) - asked <= 3
    world.clock.advance(timedelta(minutes=2))
    assert await told(strange) == len(site.asked), "an app of another shard is none of its business"
    for wrong in ("app_1,", ",".join([followed.app.public_id] * 21), "x"):
        with pytest.raises(InvalidInput):
            parse_apps(wrong)


async def test_who_stops_following_keeps_the_keys_and_an_app_follows_a_few_addresses(followed: Followed) -> None:
    deps, app, site = followed.deps, followed.app, followed.site
    async with deps.change_as(followed.owner, None) as ctx:
        with pytest.raises(Conflict, match="already"):
            await follow_key_set(ctx, app.id, site.url, Fetched(pem(ED)))
    for number in range(1, MAX_SETS):
        async with deps.change_as(followed.owner, None) as ctx:
            await follow_key_set(ctx, app.id, f"https://example.com/{number}", Fetched(pem(ED)))
    async with deps.change_as(followed.owner, None) as ctx:
        with pytest.raises(Conflict, match="at most"):
            await follow_key_set(ctx, app.id, "https://example.com/more", Fetched(pem(ED)))
    first: UUID = (await followed.sets())[0].id
    async with deps.change_as(followed.owner, None) as ctx:
        for one in (await followed.sets())[1:]:
            await stop_following(ctx, app.id, one.id)
        await stop_following(ctx, app.id, first)
        with pytest.raises(NotFound):
            await stop_following(ctx, app.id, first)
    site.says(jwks(b=EC))
    asked = len(site.asked)
    followed.world.clock.advance(LATEST)
    await followed.read()
    assert len(site.asked) == asked
    assert {"a", "b", "own"} <= await followed.kids()
    async with deps.change_as(followed.owner, None) as ctx:
        await revoke_signing_key(ctx, app.id, "a")


async def test_how_long_a_document_holds_is_its_servers_word_within_bounds(site: Site) -> None:
    for said, wanted in (
        (None, USUAL),
        ("max-age=1200", timedelta(minutes=20)),
        ("public, max-age=86400", LATEST),
        ("max-age=1", SOONEST),
        ("no-store", SOONEST),
        ("max-age=nonsense", USUAL),
    ):
        site.says(jwks(a=RSA), "200 OK", *([f"cache-control: {said}"] if said else []))
        assert pause((await site.fetcher.fetch_fresh(site.url)).max_age) == wanted
