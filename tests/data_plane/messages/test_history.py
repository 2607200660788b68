"""Pages of messages."""

from datetime import timedelta

import pytest

from data_plane.messages.views import MessageView
from kernel.clock import rfc3339, rfc3339_of_millis
from kernel.ids import Ids, format_id


@pytest.fixture
async def sent(app):
    """Nine messages m0 … m8 of a channel, with other entries between them; their ids and seqs."""
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    sent = []
    for n in range(9):
        if n == 4:
            await app.call("PATCH", "/v1/channels/den", {"name": "between"})
        message, seq, _ = await app.send("den", "ann", f"m{n}")
        sent.append((message, seq))
    return sent


@pytest.fixture
def page(app, sent):
    """Fetch a page: its texts as digits, has_before, has_after."""

    async def fetch(limit=3, **anchor):
        answer = await app.call("GET", "/v1/channels/den/messages", as_user="bob", params={"limit": limit, **anchor})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return "".join(message["text"][1:] for message in body["messages"]), body["has_before"], body["has_after"]

    return fetch


async def test_without_an_anchor_the_newest_come_oldest_first(page):
    assert await page() == ("678", True, False)
    assert await page(limit=9) == ("012345678", False, False)
    assert await page(limit=100) == ("012345678", False, False)


@pytest.mark.parametrize("by", ["id", "seq"])
async def test_pages_lie_before_after_and_around_an_anchor(page, sent, by):
    at = [message if by == "id" else str(seq) for message, seq in sent]
    assert await page(before=at[6]) == ("345", True, True)
    assert await page(before=at[3]) == ("012", False, True)
    assert await page(before=at[1]) == ("0", False, True)
    assert await page(before=at[0]) == ("", False, True)
    assert await page(after=at[2]) == ("345", True, True)
    assert await page(after=at[5]) == ("678", True, False)
    assert await page(after=at[7]) == ("8", True, False)
    assert await page(after=at[8]) == ("", True, False)
    assert await page(around=at[4]) == ("345", True, True)
    assert await page(around=at[4], limit=4) == ("2345", True, True)
    assert await page(around=at[0]) == ("012", False, True)
    assert await page(around=at[1]) == ("012", False, True)
    assert await page(around=at[8]) == ("678", True, False)
    assert await page(around=at[4], limit=1) == ("4", True, True)
    assert await page(around=at[4], limit=100) == ("012345678", False, False)


async def test_a_seq_need_not_be_a_message(page, sent):
    assert await page(after="0") == ("012", False, True)
    assert await page(before="1") == ("", False, True)
    assert await page(after="999999999999999") == ("", True, False)
    assert await page(before="999999999999999") == ("678", True, False)
    assert await page(around="999999999999999") == ("678", True, False)
    settings = sent[4][1] - 1
    assert await page(before=str(settings), limit=2) == ("23", True, True)
    assert await page(after=str(settings), limit=2) == ("45", True, True)


async def test_an_empty_channel_has_an_empty_page(app):
    await app.make_users("ann")
    await app.make_channel("den", owner="ann")
    for params in ({}, {"before": "5"}, {"after": "0"}, {"around": "3"}):
        answer = await app.call("GET", "/v1/channels/den/messages", as_user="ann", params=params)
        assert answer.json() == {"messages": [], "has_before": False, "has_after": False}


async def test_paging_back_gives_each_message_once_while_others_are_sent(app, sent):
    seen, anchor, more = "", {}, True
    while more:
        answer = await app.call("GET", "/v1/channels/den/messages", params={"limit": 2, **anchor})
        messages, more = answer.json()["messages"], answer.json()["has_before"]
        seen = "".join(message["text"][1:] for message in messages) + seen
        anchor = {"before": messages[0]["id"]}
        await app.send("den", "ann", "new")
    assert seen == "012345678"


async def test_a_page_is_what_single_messages_are(app, sent):
    content = {
        "text": 'é\u2028"',
        "attachments": [{"type": "x", "size": 1.5}],
        "custom": {"a": {"b": [None, True, 10**12]}},
    }
    app.world.clock.advance(timedelta(milliseconds=1))
    for message, change in ((sent[0][0], content), (sent[2][0], {"custom": {}}), (sent[3][0], content)):
        answer = await app.call("PATCH", f"/v1/messages/{message}", change, as_user="ann")
        assert answer.status_code == 200, answer.text
    assert (await app.call("DELETE", f"/v1/messages/{sent[3][0]}", as_user="ann")).status_code == 200
    body = (await app.call("GET", "/v1/channels/den/messages", as_user="bob")).json()
    singles = [
        (await app.call("GET", f"/v1/messages/{message}", as_user="bob")).json()["message"] for message, _ in sent
    ]
    assert body["messages"] == singles
    always = [name for name in MessageView.__annotations__ if name in MessageView.__required_keys__]
    assert [list(message) for message in body["messages"]] == [always] * 9
    assert body["messages"][0]["custom"] == content["custom"]
    assert (body["messages"][3]["text"], body["messages"][3]["custom"]) == ("", {})


async def test_times_are_cut_to_milliseconds_as_everywhere(app, sent):
    times = [
        f"2026-01-15T12:00:{second:02d}.{micros:06d}Z"
        for second in (0, 59)
        for micros in (0, 999, 1000, 122_999, 999_999)
    ]
    pool = await app.world.shard.system.pool()
    rows = await pool.fetch("select chat.millis(t::timestamptz), t::timestamptz from unnest($1::text[]) t", times)
    assert [rfc3339_of_millis(millis) for millis, _ in rows] == [rfc3339(at) for _, at in rows]


async def test_a_foreign_message_as_an_anchor_is_like_none(app, world, sent):
    other = world.app()
    await other.make_users("ann")
    await other.make_channel("den", owner="ann")
    foreign, _, _ = await other.send("den", "ann")
    await app.make_channel("attic", owner="ann")
    elsewhere, _, _ = await app.send("attic", "ann")
    nothing = format_id("msg", Ids().uuid7())
    bodies = []
    for anchor in (nothing, foreign, elsewhere):
        for name in ("before", "after", "around"):
            answer = await app.call("GET", "/v1/channels/den/messages", as_user="ann", params={name: anchor})
            assert answer.status_code == 404
            bodies.append(answer.json() | {"request_id": ""})
    assert all(body == bodies[0] for body in bodies)


@pytest.mark.parametrize(
    "params",
    [
        {"before": "nonsense"},
        {"after": "-1"},
        {"around": "1.5"},
        {"before": "9" * 16},
        {"before": "msg_short"},
        {"before": ""},
        {"after": "٣"},
        {"before": "1", "after": "2"},
        {"limit": 0},
        {"limit": 101},
    ],
)
async def test_a_bad_anchor_is_refused(app, sent, params):
    assert (await app.call("GET", "/v1/channels/den/messages", as_user="ann", params=params)).status_code == 422


async def test_a_page_is_one_index_scan_however_long_the_channel(app, world, sent):
    pool = await world.shard.system.pool()
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("set local enable_seqscan = off")
        plan = await connection.fetch(
            "explain select * from chat.messages where app_id = $1 and channel_id = 'den' and seq < 100 "
            "order by seq desc limit 3",
            app.id,
        )
    text = "\n".join(row[0] for row in plan)
    assert "Index Scan Backward using messages_pkey" in text
    assert "Sort" not in text
