"""Every list pages without skipping or repeating what is there all the while, whatever comes and goes between pages."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.api.house import House, bearer
from tests.api.line import Line
from tests.api.sweep import load
from tests.clients.conftest import WIDE
from tests.clients.installation import Tenant

MANY, PASSING = 12, 5
"""Things at the start, and how many of them go while pages are read."""
PAGERS = {"limit", "cursor", "before", "after", "next_cursor", "has_more", "has_before"}
"""A route that takes or answers one of these has pages."""
NO_PAGES: dict[str, str] = {
    "readAll": "a write, which says whether there was more than one call reads",
    "truncateChannel": "a write, which says where it ends",
}
"""Routes that have one of these words and no pages, with the reason."""


@dataclass
class Hall:
    """An app with a crowd, a channel and a message in it."""

    house: House
    tenant: Tenant
    http: httpx.AsyncClient
    message: str = ""
    lines: dict[str, Line] = field(default_factory=dict)

    async def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """A call by the server, which must succeed."""
        answer = await self.http.request(method, path, json=body, params=params)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def furnish(self) -> None:
        for first in (0, 50):
            await self.call("POST", "/v1/users", {"users": [{"id": f"u{n}"} for n in range(first, first + 50)]})
        await self.call("POST", "/v1/users", {"users": [{"id": "ann"}]})
        await self.call("POST", "/v1/channels", {"id": "hall", "type": "livestream", "members": ["ann"]})
        said = await self.call("POST", "/v1/channels/hall/messages", {"text": "Hello", "user_id": "ann"})
        self.message = said["message"]["id"]


@dataclass(frozen=True)
class List:
    """One list: how things come and go (`go` null where they never do), and how a page is read.

    `come` gets a number that no other has, and returns what `go` takes. `page` gets a limit and what the page before
    gave, null for the first; it returns what identifies each thing, in order, and what the next page takes.
    """

    come: Callable[[Hall, int], Awaitable[Any]]
    go: Callable[[Hall, Any], Awaitable[Any]] | None
    page: Callable[[Hall, int, Any], Awaitable[tuple[list[Any], Any]]]


def by_get(path: str, items: str, key: str = "") -> Callable[[Hall, int, Any], Awaitable[tuple[list[Any], Any]]]:
    """Pages of a GET with `limit` and `cursor`."""

    async def page(hall: Hall, limit: int, cursor: Any) -> tuple[list[Any], Any]:
        more = {"cursor": cursor} if cursor else {}
        said = await hall.call("GET", path.format(message=hall.message), limit=limit, **more)
        return [item[key] if key else item for item in said[items]], said["next_cursor"]

    return page


def by_query(
    path: str, items: str, key: str, **query: Any
) -> Callable[[Hall, int, Any], Awaitable[tuple[list[Any], Any]]]:
    """Pages of a query."""

    async def page(hall: Hall, limit: int, cursor: Any) -> tuple[list[Any], Any]:
        said = await hall.call("POST", path, {**query, "limit": limit, "cursor": cursor})
        return [item[key] for item in said[items]], said["next_cursor"]

    return page


def name(number: int) -> str:
    """Ids that come in no order of their own."""
    return f"{'kbxae'[number % 5]}{number}"


async def make_channel(hall: Hall, number: int) -> str:
    await hall.call("POST", "/v1/channels", {"id": name(number)})
    return name(number)


async def delete_channel(hall: Hall, id: str) -> None:
    await hall.call("DELETE", f"/v1/channels/{id}")


async def add_member(hall: Hall, number: int) -> str:
    user = f"u{number * 37 % 100}"
    await hall.call("PUT", f"/v1/channels/hall/members/{user}")
    return user


async def remove_member(hall: Hall, user: str) -> None:
    await hall.call("DELETE", f"/v1/channels/hall/members/{user}")


async def call_host(hall: Hall, number: int) -> str:
    await hall.call("PUT", f"/v1/users/{name(number)}", {"role": "host", "name": f"host {number % 3}"})
    return name(number)


async def dismiss_host(hall: Hall, user: str) -> None:
    await hall.call("PATCH", f"/v1/users/{user}", {"role": "user"})


async def send(hall: Hall, number: int) -> str:
    said = await hall.call("POST", "/v1/channels/hall/messages", {"text": str(number), "user_id": "ann"})
    return str(said["message"]["id"])


async def back_in_history(hall: Hall, limit: int, before: Any) -> tuple[list[Any], Any]:
    said = await hall.call("GET", "/v1/channels/hall/messages", limit=limit, **({"before": before} if before else {}))
    ids = [message["id"] for message in said["messages"]]
    return ids[::-1], ids[0] if said["has_before"] else None


async def reply(hall: Hall, number: int) -> str:
    body = {"text": str(number), "user_id": "ann", "thread_id": hall.message}
    return str((await hall.call("POST", "/v1/channels/hall/messages", body))["message"]["id"])


async def back_in_thread(hall: Hall, limit: int, before: Any) -> tuple[list[Any], Any]:
    place = {"before": before} if before else {}
    said = await hall.call("GET", f"/v1/messages/{hall.message}/replies", limit=limit, **place)
    ids = [message["id"] for message in said["messages"]]
    return ids[::-1], ids[0] if said["has_before"] else None


async def open_thread(hall: Hall, number: int) -> str:
    thread = await send(hall, number)
    body = {"text": "So?", "user_id": "u1", "thread_id": thread}
    await hall.call("POST", "/v1/channels/hall/messages", body)
    return thread


async def through_inbox(hall: Hall, limit: int, cursor: Any) -> tuple[list[Any], Any]:
    said = await hall.call("GET", "/v1/threads", limit=limit, user_id="ann", **({"cursor": cursor} if cursor else {}))
    return [thread["thread"]["id"] for thread in said["threads"]], said["next_cursor"]


async def react(hall: Hall, number: int) -> str:
    user = f"u{number * 37 % 100}"
    await hall.call("PUT", f"/v1/messages/{hall.message}/reactions/ok", {"user_id": user})
    return user


async def unreact(hall: Hall, user: str) -> None:
    await hall.call("DELETE", f"/v1/messages/{hall.message}/reactions/ok", user_id=user)


async def edit(hall: Hall, number: int) -> int:
    path = f"/v1/messages/{hall.message}"
    await hall.call("PATCH", path, {"text": str(number)})
    (newest,) = (await hall.call("GET", f"{path}/versions", limit=1))["versions"]
    return int(newest["seq"])


async def watch(hall: Hall, number: int) -> str:
    user = f"u{number * 37 % 100}"
    line = hall.lines[user] = await Line.connected(hall.house.url, hall.house.token(hall.tenant, user))
    answer = await line.ask("channel.watch", b'{"channel_id": "hall"}')
    assert answer is not None and "channel" in answer
    return user


async def unwatch(hall: Hall, user: str) -> None:
    await hall.lines[user].ask("channel.unwatch", b'{"channel_id": "hall"}')


async def make_unread(hall: Hall, number: int) -> str:
    await hall.call("POST", "/v1/channels", {"id": name(number), "members": ["ann"]})
    await hall.call("POST", f"/v1/channels/{name(number)}/messages", {"text": "Hello", "user_id": "u1"})
    return name(number)


async def read_it(hall: Hall, channel: str) -> None:
    await hall.call("POST", f"/v1/channels/{channel}/read", {"user_id": "ann"})


async def unread(hall: Hall, limit: int, cursor: Any) -> tuple[list[Any], Any]:
    more = {"cursor": cursor} if cursor else {}
    said = await hall.call("GET", "/v1/unread", user_id="ann", limit=limit, **more)
    return [channel["channel_id"] for channel in said["channels"]], said["next_cursor"]


async def invite(hall: Hall, number: int) -> str:
    user = f"u{number * 37 % 100}"
    await hall.call("POST", "/v1/channels/hall/invites", {"user_ids": [user]})
    return user


async def revoke(hall: Hall, user: str) -> None:
    await hall.call("DELETE", f"/v1/channels/hall/invites/{user}")


async def invite_ann(hall: Hall, number: int) -> str:
    await make_channel(hall, number)
    await hall.call("POST", f"/v1/channels/{name(number)}/invites", {"user_ids": ["ann"]})
    return name(number)


async def reject(hall: Hall, channel: str) -> None:
    await hall.call("POST", f"/v1/invites/{channel}/reject", {"user_id": "ann"})


async def invites(hall: Hall, limit: int, cursor: Any) -> tuple[list[Any], Any]:
    more = {"cursor": cursor} if cursor else {}
    said = await hall.call("GET", "/v1/invites", user_id="ann", limit=limit, **more)
    return [invite["channel"]["id"] for invite in said["invites"]], said["next_cursor"]


async def catch_up(hall: Hall, limit: int, cursor: Any) -> tuple[list[Any], Any]:
    first = cursor or SINCE[hall.tenant.snapshot.app_id]
    said = await hall.call("GET", "/v1/sync", limit=limit, cursor=first, user_id="ann")
    assert said["recovered"]
    events = [(event["channel_id"], event["seq"]) for event in said["events"]]
    return events, said["cursor"] if said["has_more"] else None


async def send_and_remember(hall: Hall, number: int) -> str:
    app_id = hall.tenant.snapshot.app_id
    if app_id not in SINCE:
        SINCE[app_id] = (await hall.call("GET", "/v1/sync", user_id="ann"))["cursor"]
    return await send(hall, number)


SINCE: dict[str, str] = {}
"""Where sync began, by app."""
LISTS: dict[str, List] = {
    "listChannels": List(make_channel, delete_channel, by_get("/v1/channels", "channels", "id")),
    "queryChannels": List(
        make_channel, delete_channel, by_query("/v1/channels/query", "channels", "id", sort=["-created_at"])
    ),
    "queryUsers": List(
        call_host,
        dismiss_host,
        by_query("/v1/users/query", "users", "id", filter={"role": "host"}, sort=["-name"]),
    ),
    "listMembers": List(add_member, remove_member, by_get("/v1/channels/hall/members", "members", "user_id")),
    "queryMembers": List(
        add_member,
        remove_member,
        by_query("/v1/channels/hall/members/query", "members", "user_id", sort=["-joined_at"]),
    ),
    "listMessages": List(send, None, back_in_history),
    "listReactions": List(react, unreact, by_get("/v1/messages/{message}/reactions", "reactions", "user_id")),
    "listVersions": List(edit, None, by_get("/v1/messages/{message}/versions", "versions", "seq")),
    "listReceipts": List(add_member, remove_member, by_get("/v1/channels/hall/receipts", "receipts", "user_id")),
    # Who joins begins at the end, and so has read it.
    "listReaders": List(add_member, remove_member, by_get("/v1/messages/{message}/receipts", "user_ids")),
    "getUnread": List(make_unread, read_it, unread),
    "listReplies": List(reply, None, back_in_thread),
    "listThreads": List(open_thread, None, through_inbox),
    "listChannelInvites": List(invite, revoke, by_get("/v1/channels/hall/invites", "invites", "user_id")),
    "listInvites": List(invite_ann, reject, invites),
    "listWatchers": List(watch, unwatch, by_get("/v1/channels/hall/watchers", "user_ids")),
    "sync": List(send_and_remember, None, catch_up),
}
"""Every route with pages. Whoever adds one adds its line."""


@pytest.fixture
async def hall(house: House) -> AsyncIterator[Hall]:
    tenant = await house.on_loop(house.installation.tenant(limits=WIDE))
    async with httpx.AsyncClient(base_url=house.url, headers=bearer(tenant.secret_key), trust_env=False) as http:
        hall = Hall(house, tenant, http)
        await hall.furnish()
        yield hall
    for line in hall.lines.values():
        await line.close()
    await house.on_loop(tenant.close())


def paged(document: dict[str, Any]) -> set[str]:
    """Operations that have pages, by what their parameters, bodies and answers have."""
    found = set()
    schemas = document["components"]["schemas"]

    def fields(schema: Any) -> set[str]:
        if "$ref" in schema:
            return set(schemas[schema["$ref"].rpartition("/")[2]].get("properties", ()))
        return set().union(*(fields(inner) for key in ("anyOf", "oneOf") for inner in schema.get(key, ())))

    for item in document["paths"].values():
        for method, operation in item.items():
            if method == "servers":
                continue
            words = {parameter["name"] for parameter in operation.get("parameters", ())}
            for told in (operation.get("requestBody", {}), operation["responses"].get("200", {})):
                words |= fields(told.get("content", {}).get("application/json", {}).get("schema", {}))
            if words & PAGERS:
                found.add(operation["operationId"])
    return found


def test_every_route_with_pages_has_an_entry() -> None:
    assert paged(load()) - set(NO_PAGES) == set(LISTS)


def test_a_new_list_would_be_noticed() -> None:
    document = load()
    path = document["paths"]["/v1/users/me"]
    path["get"]["parameters"] = [{"name": "limit", "in": "query"}]
    assert paged(document) - set(LISTS) - set(NO_PAGES) == {"getMe"}


async def walk(hall: Hall, what: str, page: Callable[[Hall, int, Any], Awaitable[tuple[list[Any], Any]]]) -> None:
    """Read all pages while things come and go."""
    rng, numbers, this = random.Random(what), itertools.count(1), LISTS[what]
    made = [await this.come(hall, next(numbers)) for _ in range(MANY)]
    passing = set(rng.sample(made, PASSING)) if this.go is not None else set()
    async with asyncio.timeout(5):  # who watches is told from node to node
        while len((await page(hall, 100, None))[0]) < MANY:
            await asyncio.sleep(0.05)
    whole, end = await page(hall, 100, None)
    assert end is None
    seen: list[Any] = []
    gone: set[Any] = set()
    cursor = None
    while True:
        ids, cursor = await page(hall, rng.randint(1, 3), cursor)
        seen += ids
        if cursor is None or len(seen) > 200:
            break
        await this.come(hall, next(numbers)) if len(seen) % 2 else None
        if this.go is not None and passing:
            # Also the very one that the cursor stands at.
            victim = ids[-1] if ids[-1] in passing else passing.pop()
            passing.discard(victim)
            gone.add(victim)
            await this.go(hall, victim)
    stayed = [id for id in whole if id not in gone]
    assert len(seen) == len(set(seen)), f"repeated: {seen}"
    assert [id for id in seen if id in set(stayed)] == stayed, f"skipped, or out of order: {seen} of {stayed}"


@pytest.mark.parametrize("what", LISTS)
async def test_pages_neither_skip_nor_repeat(what: str, hall: Hall) -> None:
    await walk(hall, what, LISTS[what].page)


async def test_a_list_that_counts_its_pages_would_be_noticed(hall: Hall) -> None:
    """With an offset for a cursor, what goes before it makes the next page skip."""

    async def planted(hall: Hall, limit: int, cursor: Any) -> tuple[list[Any], Any]:
        whole, _ = await LISTS["listChannels"].page(hall, 100, None)
        start = cursor or 0
        return whole[start : start + limit], start + limit if start + limit < len(whole) else None

    with pytest.raises(AssertionError, match=r"skipped|repeated"):
        await walk(hall, "listChannels", planted)
