"""What a client is made of: its connections, its views, and what it says of itself."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from natter import AsyncNatter, Natter, models
from tests.clients.installation import Tenant
from tests.sdk.python.conftest import Awaited
from tests.sdk.python.front import RESET, Front, Say
from tests.sdk.python.test_routes import unknown_fields


@pytest.fixture
async def front(url: str) -> AsyncIterator[Front]:
    """Where requests can be looked at."""
    async with Front(url) as front:
        yield front


async def test_threads_share_a_client(tenant: Tenant, url: str) -> None:
    await tenant.channel("general", "ada")

    def talk() -> None:
        with Natter(tenant.secret_key, url=url) as natter, ThreadPoolExecutor(6) as threads:
            ada = natter.for_user("ada")
            for done in [threads.submit(ada.messages.send, "general", text=str(number)) for number in range(60)]:
                done.result()

    await asyncio.to_thread(talk)
    async with AsyncNatter(tenant.secret_key, url=url) as natter:
        said = [message.text async for message in natter.messages.iter("general")]
    assert sorted(said, key=int) == [str(number) for number in range(60)]


async def test_a_client_says_who_it_is_and_who_acts(tenant: Tenant, front: Front) -> None:
    async with AsyncNatter(tenant.secret_key, url=front.url + "/", user_agent="shop/1") as natter:
        await natter.users.upsert([{"id": "ada"}])
        await natter.for_user("ada").channels.list()
        await natter.for_user("ada").channels.list(user_id="bo")
        token = tenant.token("ada")
        await natter.with_token(token).me.get()
        await natter.with_options(timeout=5).for_user("ada").unread.get()
    first, listed, named, own, unread = front.seen
    assert first.headers["user-agent"].startswith("shop/1 natter-python/")
    assert first.headers["authorization"] == f"Bearer {tenant.secret_key}"
    assert "user_id=ada" in listed.path and "user_id=bo" in named.path
    assert own.headers["authorization"] == f"Bearer {token}"
    assert "user_id=ada" in unread.path
    assert [seen.headers.get("idempotency-key") for seen in front.seen] == [None] * 5


async def test_who_needs_no_credential_sends_none(tenant: Tenant, front: Front) -> None:
    async with AsyncNatter(tenant.secret_key, url=front.url) as natter:
        await natter.guests.create(tenant.publishable_key)
    assert "authorization" not in front.seen[0].headers


async def test_closing_closes_what_is_the_clients_own(tenant: Tenant, url: str) -> None:
    natter = AsyncNatter(tenant.secret_key, url=url)
    async with natter.for_user("ada") as view:
        await view.users.upsert([{"id": "ada"}])
    assert (await natter.users.get("ada")).id == "ada", "a view leaves the connections open"
    await natter.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await natter.users.get("ada")
    async with httpx.AsyncClient() as mine:
        async with AsyncNatter(tenant.secret_key, url=url, http_client=mine) as lent:
            await lent.users.get("ada")
        assert not mine.is_closed


async def test_a_client_that_was_located_asks_again_for_each_connection(tenant: Tenant, front: Front, url: str) -> None:
    await tenant.channel("general", "bot")
    found = {"app_id": tenant.snapshot.app_id, "url": url, "shard": "s0", "environment": "development"}
    front.faults = [Say(200, json.dumps(found))] * 2
    key = tenant.publishable_key
    async with await AsyncNatter.locate(tenant.secret_key, publishable_key=key, portal=front.url) as natter:
        assert natter.base_url == url
        async with natter.for_user("bot").realtime() as chat:
            assert (await chat.send("general", text="Found it")).user_id == "bot"
    assert [seen.path for seen in front.seen] == [f"/v1/locate?key={key}"] * 2
    assert all("authorization" not in seen.headers for seen in front.seen)


@pytest.mark.parametrize("kind", [Natter, AsyncNatter])
async def test_a_client_that_was_located_asks_where_the_app_is_after_a_connection_that_failed(
    kind: type[Natter] | type[AsyncNatter],
    tenant: Tenant,
    front: Front,
    url: str,
    free_ports: Callable[[int], list[int]],
) -> None:
    await tenant.channel("general", "ada")
    gone = f"http://127.0.0.1:{free_ports(1)[0]}"
    about = {"app_id": "app_1", "shard": "s0", "environment": "development"}
    found = [Say(200, json.dumps({**about, "url": where})) for where in (gone, gone, url)]
    # Where the app was nobody answers; the portal learns of it only a moment later, and is away itself in between.
    front.faults = [found[0], found[1], RESET, found[2]]
    options: Any = {"publishable_key": tenant.publishable_key, "portal": front.url, "random": lambda: 0.0}
    natter: Any = await asyncio.to_thread(kind.locate, tenant.secret_key, **options)
    natter = await natter if kind is AsyncNatter else Awaited(natter)
    ada = natter.for_user("ada")
    assert (await ada.messages.send("general", text="Moved")).user_id == "ada"
    assert [seen.path.partition("?")[0] for seen in front.seen] == ["/v1/locate"] * 4
    assert all("authorization" not in seen.headers for seen in front.seen)
    await natter.messages.list("general")
    assert len(front.seen) == 4, "where it is is known to all views, and asked no more"
    await (natter.aclose() if kind is AsyncNatter else natter.close())


def test_secrets_are_not_printed(tenant: Tenant, url: str) -> None:
    with Natter(tenant.secret_key, url=url) as natter:
        assert repr(natter.for_user("ada")) == f"<Natter of {url}, for user 'ada'>"
        assert tenant.secret_key not in repr(natter) + repr(vars(natter))


def test_what_cannot_be_right_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match="secret key"):
        Natter("pk_public", url=url)
    with pytest.raises(ValueError, match="address"):
        Natter("sk_x", url="chat.example.com")
    with Natter("sk_x", url=url) as natter, pytest.raises(ValueError, match="channel_id is empty"):
        natter.channels.get("")
    with pytest.raises(ValueError, match="whose connection"):
        AsyncNatter("sk_x", url=url).realtime()


def test_fields_of_a_newer_server_are_kept() -> None:
    said = {"user_id": "ada", "role": "owner", "joined_at": "2026-03-10T09:00:00.123Z", "custom": {}, "mood": ["new"]}
    member = models.Member.from_dict(said)
    assert member.extra == {"mood": ["new"]}
    assert member.to_dict() == said
    assert unknown_fields([member]) == ["Member.mood"], "and the test of all routes would notice one"
