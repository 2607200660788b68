"""Nobody is shown, by a quote or by a thread, anything of a message that is older than what it sees."""

import orjson
import pytest

from data_plane.fanout.hub import Hub
from data_plane.log import LogKey
from data_plane.sync.service import SyncService


class Ear:
    """A connection that keeps the events it hears, and which frame each came in."""

    hidden: frozenset[str] = frozenset()

    def __init__(self, app, user_id):
        self.app_id, self.user_id = app.id, user_id
        self.frames, self.heard = [], []

    def deliver(self, frame):
        self.frames.append(id(frame))
        self.heard += [orjson.loads(entry.event) for entry in frame]


async def say(app, user, text, **more):
    answer = await app.call("POST", "/v1/channels/den/messages", {"text": text, **more}, as_user=user)
    assert answer.status_code == 201, answer.text
    return answer.json()["message"]


@pytest.fixture
async def den(app):
    """Ann said something and something else; then Bob came, from whom that is hidden, and later Cid and Dan."""
    await app.make_users("ann", "bob", "cid", "dan")
    await app.make_channel("den", owner="ann", history="joined")
    secret, other = [(await app.send("den", "ann", text))[0] for text in ("secret", "other")]
    for late in ("bob", "cid", "dan"):
        assert (await app.call("PUT", f"/v1/channels/den/members/{late}", as_user="ann")).status_code == 201
    return secret, other


async def test_a_quote_shows_nothing_of_what_its_reader_does_not_see_wherever_it_reads(app, world, den):
    secret, other = den
    sync = SyncService(world.shard)
    cursors = {user: (await sync.fresh(app.id, user))["cursor"] for user in ("ann", "bob")}
    quoting = await say(app, "ann", "as I said", quoted_id=secret)
    both = await say(app, "ann", "more", quoted_id=other, thread_id=secret, also_in_channel=True)
    shown = await say(app, "ann", "look", quoted_id=quoting["id"])
    assert quoting["quoted"]["text"] == "secret"
    await app.call("PUT", f"/v1/messages/{quoting['id']}/reactions/ok", as_user="bob")

    async def read(user):
        """The quoting message by every way to it, with the other two of the page."""
        path = f"/v1/messages/{quoting['id']}"
        page = (await app.call("GET", "/v1/channels/den/messages", as_user=user, params={"limit": 3})).json()[
            "messages"
        ]
        one = (await app.call("GET", path, as_user=user)).json()["message"]
        reacted = (await app.call("PUT", f"{path}/reactions/ok", as_user=user)).json()["message"]
        answer = orjson.loads(orjson.dumps(await sync.since(app.id, user, cursors[user], limit=100)))
        events = {e["data"]["message"]["id"]: e["data"] for e in answer["events"] if "message" in e["data"]}
        replayed = events[quoting["id"]]["message"]
        assert page[1].get("quoted") == events[both["id"]]["message"].get("quoted")
        assert page[2]["quoted"] == events[shown["id"]]["message"]["quoted"]
        assert page[0].get("quoted") == one.get("quoted") == reacted.get("quoted") == replayed.get("quoted")
        return [message.get("quoted", {}).get("text") for message in page], "thread" in events[both["id"]]

    assert await read("ann") == (["secret", "other", "as I said"], True)
    assert await read("bob") == ([None, None, "as I said"], False)
    mine = await app.call("PATCH", f"/v1/messages/{quoting['id']}", {"text": "again"}, as_user="ann")
    assert mine.json()["message"]["quoted"]["text"] == "secret"
    assert (await app.call("GET", f"/v1/messages/{secret}/replies", as_user="bob")).status_code == 404


async def test_those_from_whom_the_quoted_is_hidden_hear_one_frame_without_it_and_the_others_one_with_it(
    app, world, den
):
    hub = Hub(world.shard.reader, encode=list)
    ears = {user: Ear(app, user) for user in ("ann", "bob", "cid", "dan")}
    key = LogKey(app.id, "c:den")
    top = (await app.call("GET", "/v1/channels/den")).json()["seq"]
    for user, ear in ears.items():
        membership = (await app.call("GET", "/v1/channels/den", as_user=user)).json()["membership"]
        hub.join(ear, key, top + 1, first_seq=membership["history_from"])
    secret, other = den
    quoting = await say(app, "ann", "as I said", quoted_id=secret)
    reply = await say(app, "ann", "more", thread_id=other)
    await say(app, "ann", "look", quoted_id=reply["id"], thread_id=secret, also_in_channel=True)
    await app.call("PATCH", f"/v1/messages/{quoting['id']}", {"text": "I said"}, as_user="ann")
    await app.call("PATCH", f"/v1/messages/{secret}", {"text": "more secret"}, as_user="ann")
    hub.deliver([entry for entry in world.published if entry.log == "c:den" and entry.seq > top])

    def parts(user):
        return [
            (event["type"], event["data"].get("message", {}).get("quoted", {}).get("text"), "thread" in event["data"])
            for event in ears[user].heard
        ]

    assert parts("ann") == [
        ("message.created", "secret", False),
        ("message.created", None, True),
        ("message.created", "more", True),
        ("message.updated", "secret", False),
        ("message.updated", None, False),
    ]
    assert parts("bob") == [
        ("message.created", None, False),
        ("message.created", None, False),
        ("message.created", "more", False),
        ("message.updated", None, False),
        ("event.skipped", None, False),
    ]
    assert "secret" not in str(ears["bob"].heard)
    assert ears["bob"].heard == ears["cid"].heard == ears["dan"].heard
    assert ears["bob"].frames == ears["cid"].frames, "made once for all who hear the same"
    assert not set(ears["ann"].frames) & set(ears["bob"].frames)
    late = Ear(app, "cid")
    hub.join(late, key, top + 1, first_seq=top)
    assert late.heard == ears["cid"].heard, "who joins a little behind, too"


async def test_nobody_quotes_or_answers_what_it_does_not_see(app, den):
    secret, _ = den

    async def refused(user, **more):
        named = {} if user else {"user_id": "bob"}
        answer = await app.call("POST", "/v1/channels/den/messages", {"text": "x", **more, **named}, as_user=user)
        return answer.json().get("field") if answer.status_code == 404 else answer.status_code

    assert await refused("bob", quoted_id=secret) == "quoted_id"
    assert await refused("bob", thread_id=secret) == "thread_id"
    assert await refused(None, quoted_id=secret) == 201, "a server sees everything"
    mine = (await say(app, "bob", "mine"))["id"]
    assert await refused("bob", quoted_id=mine, thread_id=mine) == 201
    assert (await app.call("PATCH", "/v1/channels/den/membership", {"clear_history": True}, as_user="bob")).is_success
    assert await refused("bob", quoted_id=mine) == "quoted_id"
    assert await refused("bob", thread_id=mine) == "thread_id"
    await app.fetch("update chat.channels set truncated_to = 1000 where app_id = $1 returning 1")
    for user in ("ann", None):
        assert await refused(user, quoted_id=mine) == "quoted_id", "what is cut off is nobody's to quote"


async def test_a_quote_of_what_was_cut_off_shows_nothing_to_anybody(app, world, den):
    secret, _ = den
    quoting = await say(app, "ann", "as I said", quoted_id=secret)
    await app.fetch(f"update chat.channels set truncated_to = {quoting['seq']} where app_id = $1 returning 1")
    for user in ("ann", None):
        page = (await app.call("GET", "/v1/channels/den/messages", as_user=user)).json()["messages"]
        assert (page[0]["text"], page[0]["quoted_id"], "quoted" in page[0]) == ("as I said", secret, False)
    await app.call("PATCH", f"/v1/messages/{quoting['id']}", {"text": "so"}, as_user="ann")
    assert "quoted" not in orjson.loads(world.published[-1].event)["data"]["message"]
