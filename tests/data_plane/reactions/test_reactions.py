"""Reactions: what may be one, who hears of it, and counts that are what a recount says."""

import asyncio
import random
from urllib.parse import quote

import msgspec
import orjson
import pytest

from data_plane.messages.history import read_history, window_of
from data_plane.reactions.emoji import reaction_name
from data_plane.reactions.service import MAX_EMOJI
from data_plane.reactions.socket import socket_routes
from kernel.errors import InvalidInput

EMOJI = ("👍", "❤️", "🎉", "ok", "+1")


@pytest.fixture
async def den(app):
    """A channel of ann (owner) and bob, with one message of bob's."""
    await app.make_users("ann", "bob", "eve")
    await app.make_channel("den", "bob", owner="ann")
    message, _, _ = await app.send("den", "bob", "hello")
    return message


def react(app, message, emoji, user, body=None):
    return app.call("PUT", f"/v1/messages/{message}/reactions/{quote(emoji)}", body, as_user=user)


def take_back(app, message, emoji, user):
    return app.call("DELETE", f"/v1/messages/{message}/reactions/{quote(emoji)}", as_user=user)


async def recount(app):
    """Counts beside messages, and reactions counted, each by message."""
    rows = await app.fetch("select id, extra::text as extra from chat.messages where app_id = $1")
    kept = {row["id"]: orjson.loads(row["extra"] or "{}").get("reactions", {}) for row in rows}
    counted = {row["id"]: {} for row in rows}
    for row in await app.fetch(
        "select message_id, emoji, count(*) as n from chat.reactions where app_id = $1 group by 1, 2"
    ):
        counted[row["message_id"]][row["emoji"]] = row["n"]
    return kept, counted


FORMS = {
    "👍": "👍",
    "👍🏽": "👍🏽",
    "\u2764": "\u2764\ufe0f",
    "👍\ufe0f": "👍",
    "🇩🇪": "🇩🇪",
    "1\u20e3": "1\ufe0f\u20e3",
    "👩\u200d👩\u200d👧\u200d👦": "👩\u200d👩\u200d👧\u200d👦",
    "\U0001f3f3\u200d🌈": "\U0001f3f3\ufe0f\u200d🌈",
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f": None,
    "\u261d🏽": None,
    "\u2764\ufe0f\u200d🔥": None,
    "party_parrot": None,
    "+1": None,
}
"""What is said, and how it is kept; null for as it was said."""


@pytest.mark.parametrize(("said", "kept"), [(said, kept or said) for said, kept in FORMS.items()])
def test_one_emoji_or_a_short_name_has_one_form(said, kept):
    assert reaction_name(said) == kept
    assert reaction_name(kept) == kept


@pytest.mark.parametrize(
    "said", ["", " ", "👍👍", "👍x", "No", "a b", "x" * 33, "🇩", "👍\u200d", "\ufe0f", "<b>", "🏽🏽"]
)
def test_anything_else_is_no_reaction(said):
    with pytest.raises(InvalidInput):
        reaction_name(said)


async def test_a_reaction_is_told_once_with_the_new_counts_and_shown_to_whom_it_belongs(app, world, den):
    first = await react(app, den, "👍", "ann")
    again = await react(app, den, "👍", "ann")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["message"]["own_reactions"] == ["👍"]
    await react(app, den, "👍", "bob")
    await react(app, den, "❤", "bob")
    seen = {
        user: orjson.loads(await read_history(world.shard, app.user(user), "den", _WINDOW, 50))["messages"][0]
        for user in ("ann", "bob")
    }
    assert seen["ann"]["reactions"] == seen["bob"]["reactions"] == {"👍": 2, "❤️": 1}
    assert (seen["ann"]["own_reactions"], seen["bob"]["own_reactions"]) == (["👍"], ["👍", "❤️"])
    one = await app.call("GET", f"/v1/messages/{den}", as_user="ann")
    assert one.json()["message"] == seen["ann"]
    assert "own_reactions" not in (await app.call("GET", f"/v1/messages/{den}")).json()["message"]

    gone = await take_back(app, den, "👍", "bob")
    assert (await take_back(app, den, "👍", "bob")).json() == gone.json()
    assert gone.json()["message"]["own_reactions"] == ["❤️"]
    entries = (await app.log("c:den"))[4:]
    assert [(e["type"], e["data"]["emoji"], e["data"]["reactions"], e["actor"]) for e in entries] == [
        ("reaction.added", "👍", {"👍": 1}, "ann"),
        ("reaction.added", "👍", {"👍": 2}, "bob"),
        ("reaction.added", "❤️", {"👍": 2, "❤️": 1}, "bob"),
        ("reaction.removed", "👍", {"👍": 1, "❤️": 1}, "bob"),
    ]
    assert [entry.seq for entry in world.published if entry.log == "c:den"][-4:] == [5, 6, 7, 8]


_WINDOW = window_of(limit=50, before=None, after=None, around=None)


async def test_a_unique_reaction_takes_the_place_of_the_others(app, den):
    for emoji in ("👍", "🎉"):
        await react(app, den, emoji, "ann")
    await react(app, den, "🎉", "bob")
    only = await react(app, den, "ok", "ann", {"unique": True})
    assert only.json()["message"]["reactions"] == {"🎉": 1, "ok": 1}
    assert only.json()["message"]["own_reactions"] == ["ok"]
    told = (await app.log("c:den"))[-1]["data"]
    assert (told["replaced"], told["reactions"]) == (["👍", "🎉"], {"🎉": 1, "ok": 1})
    assert (await react(app, den, "ok", "ann", {"unique": True})).status_code == 200
    await react(app, den, "🎉", "ann")
    kept = await react(app, den, "ok", "ann", {"unique": True})
    assert (kept.status_code, kept.json()["message"]["own_reactions"]) == (201, ["ok"])
    assert kept.json()["message"]["reactions"] == {"🎉": 1, "ok": 1}


async def test_who_reacted_is_listed_in_pages_that_hold_while_others_come_and_go(app, den):
    people = [f"p{n}" for n in range(7)]
    await app.make_users(*people)
    await app.call("POST", "/v1/channels/den/members", {"user_ids": people})
    for person in people:
        await react(app, den, "👍", person)
    await react(app, den, "ok", "ann")

    async def page(cursor, **more):
        params = {"limit": 3, **more} | ({"cursor": cursor} if cursor else {})
        return (await app.call("GET", f"/v1/messages/{den}/reactions", as_user="ann", params=params)).json()

    first = await page(None, emoji="👍")
    await take_back(app, den, "👍", "p1")
    await react(app, den, "👍", "eve-is-no-member")
    second = await page(first["next_cursor"], emoji="👍")
    third = await page(second["next_cursor"], emoji="👍")
    listed = [r["user_id"] for p in (first, second, third) for r in p["reactions"]]
    assert (listed, third["next_cursor"]) == (people, None)
    everything = await page(None, limit=100)
    assert {r["emoji"] for r in everything["reactions"]} == {"👍", "ok"}
    assert (await app.call("GET", f"/v1/messages/{den}/reactions", as_user="eve")).status_code == 404
    bad = await app.call("GET", f"/v1/messages/{den}/reactions", as_user="ann", params={"emoji": "no emoji"})
    assert (bad.status_code, bad.json()["field"]) == (422, "emoji")


async def test_where_one_may_not_write_one_may_not_react_and_may_take_back(app, den):
    await react(app, den, "👍", "bob")
    await app.call("PATCH", "/v1/channels/den", {"frozen": True}, as_user="ann")
    assert (await react(app, den, "🎉", "bob")).json()["code"] == "channel_frozen"
    assert (await take_back(app, den, "👍", "bob")).status_code == 200
    await app.call("PATCH", "/v1/channels/den", {"frozen": False, "grants": {"member": ["message.send"]}})
    assert (await react(app, den, "🎉", "bob")).json()["code"] == "permission_missing"
    assert (await react(app, den, "🎉", "eve")).status_code == 404
    await app.make_channel("two", "ann", "bob", type="direct")
    message, _, _ = await app.send("two", "ann")
    await app.call("PUT", "/v1/users/me/blocks/bob", as_user="ann")
    assert (await react(app, message, "🎉", "bob")).json()["code"] == "blocked"
    assert (await app.call("PUT", f"/v1/messages/{den}/reactions/ok", {"user_id": "nobody"})).status_code == 422
    assert (await app.call("PUT", f"/v1/messages/{den}/reactions/ok", {"user_id": "eve"})).status_code == 201


async def test_a_deleted_message_shows_no_reactions_and_takes_none(app, world, den):
    await react(app, den, "👍", "ann")
    deleted = await app.call("DELETE", f"/v1/messages/{den}", as_user="bob")
    assert "reactions" not in deleted.json()["message"]
    assert (await react(app, den, "🎉", "ann")).json()["code"] == "message_deleted"
    assert (await app.call("GET", f"/v1/messages/{den}/reactions", as_user="ann")).json()["reactions"] == []
    assert (await take_back(app, den, "👍", "ann")).status_code == 200
    page = orjson.loads(await read_history(world.shard, app.user("ann"), "den", _WINDOW, 50))
    assert page["messages"] == [deleted.json()["message"]]


async def test_a_message_shows_so_many_different_reactions_and_no_more(app, den):
    counts = {f"e{n}": 1 for n in range(MAX_EMOJI)}
    pool = await app.world.shard.system.pool()
    await pool.execute(
        "update chat.messages set extra = $2::jsonb where app_id = $1",
        app.id,
        orjson.dumps({"reactions": counts}).decode(),
    )
    refused = await react(app, den, "one-more", "ann")
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_reactions")
    assert (await react(app, den, "e1", "ann")).status_code == 201


async def test_whatever_happens_at_once_the_counts_are_what_a_recount_says(app, den):
    others = [(await app.send("den", "ann", f"m{n}"))[0] for n in range(2)]
    chance = random.Random(5)
    users = ("ann", "bob")

    async def some():
        for _ in range(12):
            message, emoji, user = chance.choice([den, *others]), chance.choice(EMOJI), chance.choice(users)
            if chance.random() < 0.4:
                answer = await take_back(app, message, emoji, user)
            else:
                answer = await react(app, message, emoji, user, {"unique": chance.random() < 0.3})
            assert answer.is_success, answer.text

    await asyncio.gather(*(some() for _ in range(5)))
    kept, counted = await recount(app)
    assert kept == counted
    assert any(counted.values())
    await app.check_logs()
    # What the events say at last is what a fresh look says: own reactions too.
    heard = {}
    own = {}
    for entry in await app.log("c:den"):
        data = entry["data"]
        if entry["type"].startswith("reaction."):
            heard[data["message_id"]] = data["reactions"]
            mine = own.setdefault((data["message_id"], data["user_id"]), set())
            if entry["type"] == "reaction.added":
                mine -= set(data["replaced"])
                mine.add(data["emoji"])
            else:
                mine.discard(data["emoji"])
    for message in (den, *others):
        for user in users:
            seen = (await app.call("GET", f"/v1/messages/{message}", as_user=user)).json()["message"]
            assert seen.get("reactions", {}) == heard.get(message, {})
            assert set(seen.get("own_reactions", ())) == own.get((message, user), set())


async def test_packets_do_the_same(app, world, den):
    routes = {route.event: route for route in socket_routes(world.shard)}

    async def emit(event, user, **payload):
        route = routes[event]
        return await route.handle(app.user(user), msgspec.convert(payload, route.payload))

    added = await emit("reaction.add", "ann", message_id=den, emoji="👍")
    assert (added["message"]["reactions"], added["message"]["own_reactions"]) == ({"👍": 1}, ["👍"])
    only = await emit("reaction.add", "ann", message_id=den, emoji="🎉", unique=True)
    assert only["message"]["reactions"] == {"🎉": 1}
    gone = await emit("reaction.remove", "ann", message_id=den, emoji="🎉")
    assert "reactions" not in gone["message"]


async def test_a_purged_channel_keeps_no_reactions(app, den):
    await react(app, den, "👍", "ann")
    await app.call("DELETE", "/v1/channels/den", as_user="ann")
    pool = await app.world.shard.system.pool()
    await pool.fetchval("select chat.wipe_channel($1, 'den', 0, 1000, $2)", app.id, app.world.clock.now())
    assert await app.fetch("select 1 from chat.reactions where app_id = $1") == []
    assert (await app.log("c:den"))[-2]["data"] == {}
