"""Visitors who are nobody: they read and watch what the role `anonymous` may see, and nothing else is theirs."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest

from data_plane.features import CALLS
from data_plane.gateway import closing, events
from kernel.clock import month_of
from kernel.contracts import Quota, RateLimit
from kernel.ids import app_uuid
from tests.api.house import House, bearer
from tests.api.line import Line
from tests.api.test_socket_sweep import EVENTS
from tests.api.test_sweep import FOR_READERS
from tests.clients.installation import Tenant

SECONDS = 2.0
READ = [name.removeprefix("GET ") for name in sorted(FOR_READERS)]


class Stage:
    """An app that lets visitors in, with a livestream that has a message, and a group that has one."""

    def __init__(self, house: House, tenant: Tenant) -> None:
        self.house = house
        self.tenant = tenant
        self.key = tenant.publishable_key
        self.http = httpx.AsyncClient(base_url=house.url, headers=bearer(self.key), timeout=20)
        self.lines: list[Line] = []
        self.ids: dict[str, str] = {}

    async def furnish(self) -> None:
        await self.tenant.post("/v1/users", users=[{"id": "ann"}, {"id": "bob"}, {"id": "cid"}])
        await self.tenant.post("/v1/channels", id="show", type="livestream", members=["ann", "cid"])
        await self.tenant.post("/v1/channels", id="den", members=["ann", "cid"])
        for channel in ("show", "den"):
            self.ids[channel] = await self.say(channel, "hello")
            await self.tenant.put(f"/v1/messages/{self.ids[channel]}/pin")

    async def say(self, channel: str, text: str, **more: Any) -> str:
        sent = await self.tenant.post(f"/v1/channels/{channel}/messages", text=text, user_id="cid", **more)
        return str(sent["message"]["id"])

    async def visitor(self) -> Line:
        self.lines.append(await Line.anonymous(self.house.url, self.key))
        return self.lines[-1]

    async def watcher(self, channel: str = "show") -> Line:
        line = await self.visitor()
        answer = await line.ask("channel.watch", orjson.dumps({"channel_id": channel}))
        assert answer is not None and "error" not in answer, answer
        return line

    def let_in(self, allowed: bool) -> None:
        self.house.change(self.tenant, anonymous=allowed)


@pytest.fixture
async def stage(house: House) -> AsyncIterator[Stage]:
    tenant = await house.on_loop(house.installation.tenant(anonymous=True))
    await tenant.http.aclose()
    tenant.http = httpx.AsyncClient(base_url=house.url, headers=bearer(tenant.secret_key), timeout=20)
    stage = Stage(house, tenant)
    await stage.furnish()
    yield stage
    for line in stage.lines:
        await line.close()
    await stage.http.aclose()
    await tenant.close()


async def code(line: Line, event: str, payload: Any) -> str | None:
    answer = await line.ask(event, orjson.dumps(payload))
    assert answer is not None
    return answer["error"]["code"] if "error" in answer else None


async def refused(stage: Stage, auth: Any, query: str = "") -> str:
    line = await Line.open(stage.house.url, query)
    await line.send("40" + orjson.dumps(auth).decode())
    packet = await line.until("4")
    await line.close()
    assert packet is not None and packet.startswith("44"), packet
    return str(orjson.loads(packet[2:])["data"]["code"])


# -- reading ---------------------------------------------------------------------------------------------------------


async def test_a_visitor_reads_what_everybody_may_watch_and_sees_nothing_else(stage: Stage) -> None:
    for path in READ:
        for channel, status in (("show", 200), ("den", 404)):
            answer = await stage.http.get(path.format(channel_id=channel, message_id=stage.ids[channel]))
            assert answer.status_code == status, f"{path} of {channel}: {answer.text}"
    channel = (await stage.http.get("/v1/channels/show")).json()
    assert (channel["capabilities"], channel["membership"]) == (["channel.watch"], None)
    page = (await stage.http.get("/v1/channels/show/messages")).json()
    assert [message["text"] for message in page["messages"]] == ["hello"]
    gone = await stage.http.get("/v1/channels/nowhere/messages")
    hidden = await stage.http.get("/v1/channels/den/messages")
    assert gone.json()["code"] == hidden.json()["code"] == "not_found"


async def test_a_visitor_sees_what_a_channel_grants_and_nothing_that_was_before_one_joined(stage: Stage) -> None:
    grants = {"anonymous": ["channel.watch", "message.send", "channel.join", "message.versions.any"]}
    assert (await stage.tenant.http.patch("/v1/channels/den", json={"grants": grants})).is_success
    channel = (await stage.http.get("/v1/channels/den")).json()
    assert channel["capabilities"] == ["channel.watch"], "what is granted beyond it is for users with that role"
    assert (await stage.http.get(f"/v1/messages/{stage.ids['den']}")).is_success
    assert (await stage.tenant.http.patch("/v1/channels/den", json={"history": "joined"})).is_success
    for query in ("", "?before=99", f"?around={stage.ids['den']}"):
        answer = await stage.http.get(f"/v1/channels/den/messages{query}")
        assert answer.status_code == 404 or answer.json()["messages"] == []
    assert (await stage.http.get(f"/v1/messages/{stage.ids['den']}")).status_code == 404
    assert (await stage.http.get("/v1/channels/den/pins")).json() == {"pins": []}
    await stage.tenant.put("/v1/roles/anonymous", scopes=["app"], grants=["message.send"])
    await stage.tenant.put("/v1/channel-types/livestream", grants={"anonymous": []})
    assert (await stage.http.get("/v1/channels/show")).status_code == 404


async def test_another_apps_key_an_unknown_one_and_a_foreign_page_open_nothing(stage: Stage) -> None:
    stage.house.change(stage.tenant, allowed_origins=("https://shop.example",))
    evil = await stage.http.get("/v1/channels/show", headers={"origin": "https://evil.example"})
    good = await stage.http.get("/v1/channels/show/messages", headers={"origin": "https://shop.example"})
    assert (evil.status_code, evil.json()["code"], good.status_code) == (403, "origin_not_allowed", 200)
    other = await stage.house.on_loop(stage.house.installation.tenant(anonymous=True))
    theirs = await stage.http.get("/v1/channels/show", headers=bearer(other.publishable_key))
    nothing = await stage.http.get("/v1/channels/show", headers=bearer("pk_nothing"))
    assert (theirs.status_code, nothing.status_code) == (404, 401)
    await stage.house.on_loop(other.close())


# -- watching --------------------------------------------------------------------------------------------------------


async def test_a_visitor_watches_live_and_is_counted_without_a_name(stage: Stage) -> None:
    one, two = await stage.watcher(), await stage.watcher()
    (ready,) = one.events("connection.ready")
    assert {name: value for name, value in ready.items() if name != "connection_id"} == dict.fromkeys(
        ("user", "expires_at", "unread", "recovered", "cursor")
    )
    ann = await Line.connected(stage.house.url, stage.house.token(stage.tenant, "ann"))
    stage.lines.append(ann)
    assert await code(ann, "channel.watch", {"channel_id": "show"}) is None
    message = await stage.say("show", "live")
    for line in (one, two, ann):
        packet = await line.until('42["message.created"')
        assert packet is not None and message in packet
    assert await code(ann, "typing.start", {"channel_id": "show"}) is None
    assert await one.until('42["typing.started"') is not None
    assert await code(ann, "event.send", {"channel_id": "show", "type": "poll.opened", "data": {}}) is None
    assert await one.until('42["event.sent"') is not None, "what the server or anybody sends in passing, too"
    while True:
        packet = await ann.until('42["watchers.changed"')
        assert packet is not None
        if orjson.loads(packet[2:])[1]["data"]["anonymous"] == 2:
            break
    shown = (await stage.tenant.http.get("/v1/channels/show/watchers")).json()
    assert (shown["count"], shown["anonymous"], shown["user_ids"]) == (3, 2, ["ann"])
    assert (await stage.http.get("/v1/channels/show/watchers")).json() == shown | {"user_ids": []}


async def test_of_people_a_visitor_hears_how_many_watch_and_nothing_more(stage: Stage) -> None:
    line = await stage.visitor()
    answer = await line.ask("channel.watch", b'{"channel_id": "show"}')
    assert answer is not None
    assert (answer["presence"], answer["receipts"], answer["watchers"]["user_ids"]) == (None, None, [])
    ann, bob = [await Line.connected(stage.house.url, stage.house.token(stage.tenant, who)) for who in ("ann", "bob")]
    stage.lines += [ann, bob]
    for user in (ann, bob):
        assert await code(user, "channel.watch", {"channel_id": "show"}) is None
    assert await code(ann, "presence.set", {"status": "away"}) is None
    assert await code(ann, "receipt.read", {"channel_id": "show"}) is None
    while not all(map(bob.events, ("presence.changed", "receipts.read", "watchers.changed"))):
        assert await bob.until("42[") is not None, "a user who watches hears of all three"
    last = await stage.say("show", "after all that")
    assert last in str(await line.until('42["message.created"'))
    assert not line.events("presence.changed") and not line.events("receipts.read")
    assert {tuple(event["data"]["user_ids"]) for event in line.events("watchers.changed")} <= {()}


async def test_a_visitor_leaves_no_user_no_activity_and_counts_as_a_connection(stage: Stage) -> None:
    app_id = app_uuid(stage.tenant.snapshot.app_id)
    connections = stage.house.node.node.connections
    chat = await stage.house.chat.connect()
    tables = ("users", "active_users", "usage_outbox", "log_heads")
    before = [await chat.fetchval(f"select count(*) from chat.{table} where app_id = $1", app_id) for table in tables]
    assert connections.local(app_id) == 0
    line = await stage.watcher()
    await stage.http.get("/v1/channels/show/messages")
    assert connections.local(app_id) == 1
    after = [await chat.fetchval(f"select count(*) from chat.{table} where app_id = $1", app_id) for table in tables]
    await chat.close()
    assert after == before
    assert await code(line, "channel.watch", {"channel_id": "den"}) == "not_found"


async def test_every_event_but_watching_is_refused_to_a_visitor(stage: Stage) -> None:
    line = await stage.visitor()
    for call in CALLS:
        answer = await code(line, call.name, EVENTS[call.name])
        wanted = {"channel.watch": "not_found", "channel.unwatch": None}.get(call.name, "anonymous_refused")
        assert answer == wanted, call.name
    assert await code(line, "no.such", {}) == "unknown_event"
    for bad in (b"[]", b'{"channel_id": 5}', b'{"channel_id": "show", "more": 1}', b"null"):
        answer = await line.ask("channel.watch", bad)
        assert answer is not None and answer["error"]["code"] == "invalid_input"


async def test_what_nobody_has_is_refused_at_the_door(stage: Stage) -> None:
    query = f"&key={stage.key}"
    token = stage.house.token(stage.tenant, "ann")
    for auth, where, wanted in (
        ({"anonymous": True}, "", "key_required"),
        ({"anonymous": True}, "&key=pk_nothing", "anonymous_off"),
        ({"anonymous": False}, query, "unauthenticated"),
        ({"anonymous": "yes"}, query, "invalid_input"),
        ({"anonymous": True, "token": token}, query, "invalid_input"),
        ({"anonymous": True, "cursor": "AAAA"}, query, "invalid_input"),
    ):
        assert await refused(stage, auth, where) == wanted, auth
    stage.let_in(False)
    assert await refused(stage, {"anonymous": True}, query) == "anonymous_off"


async def test_a_connection_watches_so_many_channels_and_no_more(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_FOR_NOBODY", 1)
    line = await stage.watcher()
    await stage.tenant.post("/v1/channels", id="other", type="livestream")
    assert await code(line, "channel.watch", {"channel_id": "other"}) == "too_many_watched"
    assert await code(line, "channel.watch", {"channel_id": "show"}) is None, "again is not more"
    assert await code(line, "channel.unwatch", {"channel_id": "show"}) is None
    assert await code(line, "channel.watch", {"channel_id": "other"}) is None


# -- the end ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", ["off", "key"])
async def test_whom_the_app_lets_in_no_more_is_out_within_two_seconds(stage: Stage, change: str) -> None:
    line = await stage.watcher()
    ann = await Line.connected(stage.house.url, stage.house.token(stage.tenant, "ann"))
    stage.lines.append(ann)
    started = time.monotonic()
    if change == "off":
        stage.let_in(False)
    else:
        stage.house.change(stage.tenant, publishable_keys=("pk_another",))
    assert await line.until('42["no') is None, "the line ends"
    assert time.monotonic() - started < SECONDS
    (told,) = line.events("connection.closing")
    assert (told["code"], told["reconnect"]) == (closing.ANONYMOUS_OFF.code, False)
    answer = await stage.http.get("/v1/channels/show")
    assert (answer.status_code, answer.json()["code"]) == (401, "anonymous_off")
    assert await code(ann, "channel.watch", {"channel_id": "show"}) is None, "users stay"


@pytest.mark.parametrize("change", ["role", "type", "channel", "deleted"])
async def test_who_may_not_watch_any_more_hears_nothing_within_two_seconds(stage: Stage, change: str) -> None:
    line = await stage.watcher()
    started = time.monotonic()
    if change == "type":
        await stage.tenant.put("/v1/channel-types/livestream", grants={"anonymous": []})
    elif change == "channel":
        assert (await stage.tenant.http.patch("/v1/channels/show", json={"grants": {"anonymous": []}})).is_success
    elif change == "role":
        await stage.tenant.put("/v1/channel-types/salon", grants={})
        await stage.tenant.put("/v1/roles/anonymous", scopes=["app"], grants=["channel.watch"])
        await stage.tenant.post("/v1/channels", id="salon", type="salon")
        assert await code(line, "channel.watch", {"channel_id": "salon"}) is None
        started = time.monotonic()
        await stage.tenant.put("/v1/roles/anonymous", scopes=["app"], grants=[])
    else:
        assert (await stage.tenant.http.delete("/v1/channels/show")).is_success
        assert await line.until('42["channel.deleted"') is not None
        assert time.monotonic() - started < SECONDS
        return
    packet = await line.until('42["watch.ended"')
    assert time.monotonic() - started < SECONDS
    assert packet is not None
    ended = orjson.loads(packet[2:])[1]["channel_id"]
    assert ended == ("salon" if change == "role" else "show")
    await stage.say(ended, "for members") if ended == "show" else None
    assert await code(line, "channel.watch", {"channel_id": ended}) == "not_found"
    assert not [event for event in line.events("message.created") if event["data"]["message"]["text"] == "for members"]


# -- limits ----------------------------------------------------------------------------------------------------------


async def test_visitors_have_limits_of_their_own_and_take_nothing_from_users(stage: Stage) -> None:
    limits = (RateLimit(policy="visitors.app", per_second=0.001, burst=3),)
    stage.house.change(stage.tenant, limits=limits)
    answers = [await stage.http.get("/v1/channels/show/messages") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert '"visitors.ip"' in answers[0].headers["ratelimit"] and "visitors.app" not in answers[0].headers["ratelimit"]
    assert answers[3].json()["policy"] == "visitors.app" and int(answers[3].headers["retry-after"]) > 0
    assert await refused(stage, {"anonymous": True}, f"&key={stage.key}") == "rate_limited"
    ann = bearer(stage.house.token(stage.tenant, "ann"))
    assert (await stage.http.get("/v1/channels/show/messages", headers=ann)).is_success
    assert (await stage.tenant.http.get("/v1/channels/show")).is_success


async def test_a_sockets_events_are_charged_to_its_address(stage: Stage) -> None:
    line = await stage.visitor()
    stage.house.change(stage.tenant, limits=(RateLimit(policy="visitors.app", per_second=0.001, burst=1),))
    codes = [await code(line, "sync", {}) for _ in range(3)]
    assert "rate_limited" in codes, "what is refused is charged, too"


async def test_a_plan_that_stops_keeps_room_for_users(stage: Stage) -> None:
    now = stage.house.installation.clock.now()
    full = Quota(meter="peak_connections", period=month_of(now), used=0, limit=5, over="stop", exceeded=False)
    stage.house.change(stage.tenant, quotas=(full,))
    for _ in range(4):
        await stage.visitor()
    assert await refused(stage, {"anonymous": True}, f"&key={stage.key}") == "quota_exceeded"
    ann = await Line.connected(stage.house.url, stage.house.token(stage.tenant, "ann"))
    stage.lines.append(ann)
    assert ann.events("connection.ready")


async def test_an_address_has_so_many_connections_and_no_more(stage: Stage) -> None:
    addresses = stage.house.node.node.addresses
    most, addresses._limit = addresses._limit, 2
    try:
        first, _ = await stage.visitor(), await stage.visitor()
        assert await refused(stage, {"anonymous": True}, f"&key={stage.key}") == "too_many_connections"
        await first.close()
        async with asyncio.timeout(5):
            while addresses._counts.get((app_uuid(stage.tenant.snapshot.app_id), "127.0.0.1")) != 1:
                await asyncio.sleep(0.01)
        await stage.visitor()
    finally:
        addresses._limit = most


async def test_who_comes_back_watches_again_and_reads_what_it_missed(stage: Stage) -> None:
    line = await stage.watcher()
    await line.close()
    missed = await stage.say("show", "missed")
    back = await stage.watcher()
    page = (await stage.http.get("/v1/channels/show/messages", params={"after": stage.ids["show"]})).json()
    assert [message["id"] for message in page["messages"]] == [missed]
    following = await stage.say("show", "live")
    packet = await back.until('42["message.created"')
    assert packet is not None and following in packet
