"""Positions of many members at once, back by a mark alone, and what is unread by them."""

import asyncio
import random
from typing import Any

import orjson
import pytest

from data_plane.receipts import flush
from data_plane.receipts.flush import MAX_BATCH
from data_plane.receipts.socket import socket_routes
from kernel.errors import NotFound
from tests.data_plane.conftest import App, World

MEMBERS = 1_000


async def test_a_thousand_members_who_read_at_once_cost_a_handful_of_statements(app: App, world: World) -> None:
    users = [f"u{number:04}" for number in range(MEMBERS)]
    await app.make_users("ann", *users)
    await app.make_channel("hall", owner="ann")
    pool = await world.shard.system.pool()
    await pool.execute(
        "insert into chat.members (app_id, channel_id, user_id, joined_seq, joined_at, read_number) "
        "select $1, 'hall', u, 1, now(), 0 from unnest($2::text[]) u",
        app.id,
        users,
    )
    message, _, _ = await app.send("hall", "ann")
    statements, rows = 0, 0
    write = world.positions._write

    async def counted(moves: Any) -> Any:
        nonlocal statements, rows
        statements, rows = statements + 1, rows + len(moves)
        return await write(moves)

    world.positions._write = counted  # type: ignore[method-assign]
    commits = await pool.fetchval("select count(*) from chat.commits where $1 = any(apps)", app.id)
    await asyncio.gather(
        *(world.receipts.mark_read(app.user(user), "hall", number=None, message_id=message) for user in users)
    )
    assert (rows, statements) == (MEMBERS, MEMBERS // MAX_BATCH + flush.LANES) or statements <= MEMBERS // MAX_BATCH + 3
    told = await app.fetch("select count(*) as n from chat.events where app_id = $1 and type = 'unread.changed'")
    assert told[0]["n"] == MEMBERS, "one entry for each reader's own devices, and none in the channel's log"
    after = await pool.fetchval("select count(*) from chat.commits where $1 = any(apps)", app.id)
    assert after - commits == statements
    assert await app.types("c:hall") == ["channel.created", "member.added", "message.created"]
    # Read again by everybody: nothing is written, and nobody told.
    await asyncio.gather(
        *(world.receipts.mark_read(app.user(user), "hall", number=None, message_id=None) for user in users[:50])
    )
    assert await pool.fetchval("select count(*) from chat.commits where $1 = any(apps)", app.id) == after
    large = (await app.call("GET", f"/v1/messages/{message}/receipts", as_user="u0001")).json()
    assert (large["aggregated"], large["read_by_count"], large["user_ids"]) == (True, MEMBERS, [])
    assert world.receipts is not None


async def test_a_position_goes_back_by_a_mark_alone_and_the_mark_is_told_as_one(app: App) -> None:
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    sent = [await app.send("den", "ann", silent=n == 2) for n in range(4)]

    async def mark(what: str, **body: Any) -> Any:
        return (await app.call("POST", f"/v1/channels/den/{what}", body, as_user="bob")).json()

    assert (await mark("read"))["unread"] == 0
    assert (await mark("unread", message_id=sent[3][0]))["unread"] == 1
    assert (await mark("unread", message_id=sent[2][0]))["unread"] == 1, "a silent message makes nothing unread"
    back = await mark("unread", message_id=sent[0][0])
    assert back == {"channel_id": "den", "read_number": 0, "last_number": 3, "unread": 3, "marked_unread": True}
    assert (await mark("unread", number=3))["read_number"] == 0, "it never goes forward"
    assert (await mark("read", number=2))["unread"] == 1
    told = [entry["data"] for entry in await app.log("u:bob") if entry["type"] == "unread.changed"]
    assert [(data["read_number"], data["marked_unread"]) for data in told] == [
        (3, False), (2, True), (0, True), (2, False),
    ]  # fmt: skip
    assert (await app.call("POST", "/v1/channels/den/unread", {}, as_user="bob")).status_code == 422
    await app.call("PUT", "/v1/channels/den/members/ann", {"role": "owner"})
    assert (await app.call("POST", "/v1/channels/den/unread", {"number": 1}, as_user="eve")).status_code == 404


async def test_delivery_moves_forward_and_follows_reading(app: App) -> None:
    await app.make_users("ann", "bob", "cid")
    await app.make_channel("den", "bob", "cid", owner="ann")
    sent = [await app.send("den", "ann") for _ in range(3)]

    async def delivered(**body: Any) -> int:
        answer = await app.call("POST", "/v1/channels/den/delivered", body, as_user="bob")
        return int(answer.json()["delivered_number"])

    assert [await delivered(number=2), await delivered(number=1)] == [2, 2]
    seen = (await app.call("GET", f"/v1/messages/{sent[1][0]}/receipts", as_user="ann")).json()
    assert (seen["read_by_count"], seen["delivered_to_count"], seen["user_ids"]) == (0, 1, [])
    await app.call("POST", "/v1/channels/den/read", as_user="cid")
    seen = (await app.call("GET", f"/v1/messages/{sent[1][0]}/receipts", as_user="ann")).json()
    assert (seen["read_by_count"], seen["delivered_to_count"], seen["user_ids"]) == (1, 2, ["cid"])
    page = (await app.call("GET", "/v1/channels/den/receipts?limit=2", as_user="ann")).json()
    rest = (await app.call("GET", f"/v1/channels/den/receipts?cursor={page['next_cursor']}", as_user="ann")).json()
    assert [(each["user_id"], each["read_number"], each["delivered_number"]) for each in page["receipts"]] == [
        ("ann", 3, 3), ("bob", 0, 2),
    ]  # fmt: skip
    assert [each["user_id"] for each in rest["receipts"]] == ["cid"]


async def test_who_hides_its_reading_is_in_no_list_and_no_number(app: App) -> None:
    await app.make_users("ann", "bob", "cid")
    await app.make_channel("den", "bob", "cid", owner="ann")
    message, _, _ = await app.send("den", "ann")
    assert (await app.call("PUT", "/v1/users/bob/privacy", {"read_receipts": False}, as_user="bob")).is_success
    assert (await app.call("PUT", "/v1/users/bob/privacy", {"read_receipts": False}, as_user="bob")).is_success
    assert await app.types("u:bob") == ["membership.added", "privacy.changed"], "once"
    assert (await app.call("PUT", "/v1/users/bob/privacy", {"read_receipts": True}, as_user="ann")).status_code == 403
    for user in ("bob", "cid"):
        await app.call("POST", "/v1/channels/den/read", as_user=user)
    seen = (await app.call("GET", f"/v1/messages/{message}/receipts", as_user="ann")).json()
    assert (seen["read_by_count"], seen["user_ids"]) == (1, ["cid"])
    rows = (await app.call("GET", "/v1/channels/den/receipts", as_user="ann")).json()["receipts"]
    assert [row["read_number"] for row in rows] == [1, None, 1]
    assert (await app.call("PUT", "/v1/channel-types/group", {"grants": {}, "receipts": False})).is_success
    for path in (f"/v1/messages/{message}/receipts", "/v1/channels/den/receipts"):
        refused = await app.call("GET", path, as_user="ann")
        assert refused.json()["code"] == "receipts_off"
        assert (await app.call("GET", path)).is_success, "your server sees them still"


async def test_everything_is_read_in_one_statement_and_one_entry(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    await app.make_users("ann", "bob")
    for number in range(5):
        await app.make_channel(f"c{number}", "bob", owner="ann", type="team" if number == 4 else "group")
        await app.send(f"c{number}", "ann")
    unread = (await app.call("GET", "/v1/unread?limit=2", as_user="bob")).json()
    assert (unread["total"], unread["channels_unread"]) == (5, 5)
    assert unread["by_type"] == {
        "group": {"unread": 4, "channels": 4, "mentions": 0},
        "team": {"unread": 1, "channels": 1, "mentions": 0},
    }
    assert [each["channel_id"] for each in unread["channels"]] == ["c0", "c1"]
    page = (await app.call("GET", f"/v1/unread?cursor={unread['next_cursor']}", as_user="bob")).json()
    assert [each["channel_id"] for each in page["channels"]] == ["c2", "c3", "c4"]
    await app.fetch("update chat.members set muted_at = now() where app_id = $1 and channel_id = 'c0' returning 1")
    muted = (await app.call("GET", "/v1/unread", as_user="bob")).json()
    assert (muted["total"], muted["channels"][0]["muted"]) == (4, True)
    assert muted["muted"] == {"unread": 1, "channels": 1, "mentions": 0}
    before = len(await app.types("u:bob"))
    team = (await app.call("POST", "/v1/read", {"type": "team"}, as_user="bob")).json()
    assert team == {"channels": [{"channel_id": "c4", "read_number": 1}], "has_more": False}
    monkeypatch.setattr("data_plane.receipts.service.MOST_AT_ONCE", 3)
    first = (await app.call("POST", "/v1/read", as_user="bob")).json()
    assert ([each["channel_id"] for each in first["channels"]], first["has_more"]) == (["c0", "c1", "c2"], True)
    assert not (await app.call("POST", "/v1/read", as_user="bob")).json()["has_more"]
    assert (await app.call("POST", "/v1/read", as_user="bob")).json()["channels"] == []
    assert (await app.types("u:bob"))[before:] == ["unread.cleared"] * 3
    assert (await app.call("GET", "/v1/unread", as_user="bob")).json()["total"] == 0


@pytest.mark.parametrize("seed", [1, 2])
async def test_unread_equals_a_recount_from_the_log_after_any_history(app: App, world: World, seed: int) -> None:
    chance = random.Random(seed)
    users = ["ann", "bob", "cid"]
    await app.make_users(*users)
    await app.make_channel("den", *users)
    numbers: list[tuple[str, int, bool]] = []
    threads = Threads()
    for step in range(60):
        user = chance.choice(users)
        caller = app.user(user)
        match chance.choice(
            ("send", "send", "silent", "read", "unread", "delivered", "all", "mention", "reply", "reply", "thread")
        ):
            case "mention":
                whom = chance.choice(({"channel": True}, {"users": chance.sample(users, 2)}))
                message = await say(app, user, mentions=whom)
                numbers.append((message["id"], message["number"], False))
            case "reply" if numbers:
                parent = chance.choice(numbers)[0]
                whom = chance.sample(users, chance.randint(0, 1))
                await say(app, user, thread_id=parent, mentions={"users": whom})
                author = (await app.call("GET", f"/v1/messages/{parent}")).json()["message"]["user_id"]
                threads.reply(parent, author, user, whom)
            case "thread" if threads.read:
                parent = chance.choice(sorted(threads.read))
                await app.call("PUT", f"/v1/messages/{parent}/thread/read", as_user=user)
                threads.mark(parent, user)
            case "send" | "silent" as how:
                id, _, number = await app.send("den", user, silent=how == "silent")
                numbers.append((id, number, how == "silent"))
            case "read":
                await world.receipts.mark_read(caller, "den", number=chance.randint(0, 30), message_id=None)
            case "unread" if numbers:
                await world.receipts.mark_unread(caller, "den", number=None, message_id=chance.choice(numbers)[0])
            case "delivered":
                await world.receipts.mark_delivered(caller, "den", number=None, message_id=None)
            case "all":
                await world.receipts.read_all(caller, type=None)
        if step % 10 == 9:
            for each in users:
                unread = await world.receipts.unread(app.user(each), user_id=None, limit=5, cursor=None)
                position = await position_of(app, each)
                total = sum(not silent and number > position for _, number, silent in numbers)
                assert unread["total"] == total, (seed, step, each)
                assert unread["mentions"] == await mentions_after(app, each, position), (seed, step, each)
                assert (unread["thread_replies"], unread["threads_unread"]) == threads.unread(each), (seed, step, each)
    await app.check_logs()


async def say(app: App, user: str, channel: str = "den", **more: Any) -> Any:
    answer = await app.call("POST", f"/v1/channels/{channel}/messages", {"text": "hello", **more}, as_user=user)
    assert answer.is_success, answer.text
    return answer.json()["message"]


class Threads:
    """Who takes part in which thread, and how many replies of it each has read, by the rules alone."""

    def __init__(self) -> None:
        self.replies: dict[str, int] = {}
        self.read: dict[str, dict[str, int]] = {}

    def reply(self, parent: str, author: str, user: str, mentioned: list[str]) -> None:
        """Who replies has read all; its author all of none, and who is mentioned what came before."""
        number = self.replies[parent] = self.replies.get(parent, 0) + 1
        places = self.read.setdefault(parent, {})
        places[user] = number
        places.setdefault(author, 0)
        for other in mentioned:
            places.setdefault(other, number - 1)

    def mark(self, parent: str, user: str) -> None:
        if user in self.read[parent]:
            self.read[parent][user] = self.replies[parent]

    def unread(self, user: str) -> tuple[int, int]:
        left = [self.replies[parent] - places[user] for parent, places in self.read.items() if user in places]
        return sum(left), sum(each > 0 for each in left)


async def mentions_after(app: App, user: str, position: int) -> int:
    """Messages after a position that mention the user, by another, or the channel."""
    rows = await app.fetch(
        "select user_id, extra -> 'mentions' as whom from chat.messages "
        "where app_id = $1 and not silent and number > $2 and extra ? 'mentions'",
        position,
    )
    return sum(
        "channel" in whom or (user in whom["users"] and row["user_id"] != user)
        for row, whom in ((row, orjson.loads(row["whom"])) for row in rows)
    )


async def position_of(app: App, user: str) -> int:
    """The read position that the logs tell, in the order of transactions: own entries and own messages."""
    moves: list[tuple[int, int, bool]] = []
    for entry in await app.log(f"u:{user}"):
        if entry["type"] == "unread.changed":
            moves.append((entry["xid"], entry["data"]["read_number"], entry["data"]["marked_unread"]))
        elif entry["type"] == "unread.cleared":
            moves.append((entry["xid"], entry["data"]["channels"][0]["read_number"], False))
    own = await app.fetch(
        "select xid, number from chat.messages where app_id = $1 and user_id = $2 and not silent", user
    )
    moves += [(row["xid"], row["number"], False) for row in own]
    position = 0
    for _, number, back in sorted(moves):
        position = number if back else max(position, number)
    return position


async def test_sockets_do_what_rest_does(app: App, world: World) -> None:
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    await app.send("den", "ann")
    routes = {route.event: route for route in socket_routes(world.receipts)}

    async def emit(event: str, user: str, **payload: Any) -> Any:
        route = routes[event]
        return await route.handle(app.user(user), route.payload(**payload))

    assert (await emit("receipt.delivered", "bob", channel_id="den"))["delivered_number"] == 1
    assert (await emit("receipt.read", "bob", channel_id="den", number=1))["unread"] == 0
    assert (await emit("unread.mark", "bob", channel_id="den", number=1))["unread"] == 1
    assert len((await emit("receipt.read_all", "bob"))["channels"]) == 1
    with pytest.raises(NotFound):
        await emit("receipt.read", "eve", channel_id="den")
