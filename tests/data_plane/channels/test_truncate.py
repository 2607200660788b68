"""A channel without what was said before some point: for everybody, everywhere."""

from datetime import timedelta

import pytest

from data_plane.channels.jobs import WIPE, ChannelJobs
from kernel.clock import rfc3339
from kernel.ids import parse_id
from kernel.outbox import OutboxRunner
from tests.data_plane.log.test_changes import read_all


@pytest.fixture
async def den(app):
    await app.make_users("ann", "bob", "cid")
    await app.make_channel("den", "bob", owner="ann")
    return app


async def talk(app, count, by="ann", **more):
    sent = []
    for n in range(count):
        app.world.clock.advance(timedelta(seconds=1))
        sent.append(await app.send("den", by, f"text {n}", **more))
    return sent


async def truncate(app, as_user="ann", **wish):
    answer = await app.call("POST", "/v1/channels/den/truncate", wish, as_user=as_user)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def texts(app, as_user="bob"):
    page = await app.call("GET", "/v1/channels/den/messages", as_user=as_user)
    return [message["text"] for message in page.json()["messages"]]


async def unread(app, user="bob"):
    """As the channel says it, and as the sum over all channels does."""
    channel = (await app.call("GET", "/v1/channels/den", as_user=user)).json()
    total = (await app.call("GET", "/v1/unread", as_user=user)).json()
    assert total["total"] == sum(each["unread"] for each in total["channels"])
    return channel["membership"]["unread"], total["total"]


async def test_what_is_truncated_is_gone_for_everybody_and_unread_to_nobody(den):
    app = den
    sent = await talk(app, 3)
    await app.call("PUT", f"/v1/messages/{sent[0][0]}/reactions/ok", as_user="bob")
    assert await unread(app) == (3, 3)
    channel = await truncate(app)
    assert (channel["truncated_to"], channel["truncated_number"], channel["membership"]["unread"]) == (8, 3, 0)
    assert (await app.types("c:den"))[-2:] == ["reaction.added", "channel.truncated"]
    for user in ("ann", "bob", None):
        assert await texts(app, user) == []
        for method, path, body in (
            ("GET", f"/v1/messages/{sent[2][0]}", None),
            ("PATCH", f"/v1/messages/{sent[2][0]}", {"text": "x"}),
            ("DELETE", f"/v1/messages/{sent[2][0]}", None),
            ("GET", f"/v1/messages/{sent[2][0]}/receipts", None),
            ("GET", f"/v1/messages/{sent[0][0]}/reactions", None),
            ("GET", f"/v1/channels/den/messages?around={sent[1][0]}", None),
        ):
            assert (await app.call(method, path, body, as_user=user)).status_code == 404, (method, path)
    assert await unread(app) == (0, 0)
    await talk(app, 2)
    assert await unread(app) == (2, 2)
    assert await texts(app) == ["text 0", "text 1"]


async def test_positions_move_on_from_what_is_gone(den):
    app = den
    sent = await talk(app, 4)
    await truncate(app, before=sent[2][1])
    assert (await texts(app), await unread(app)) == (["text 2", "text 3"], (2, 2))
    for body in ({"number": 1}, {"message_id": sent[2][0]}):
        answer = (await app.call("POST", "/v1/channels/den/unread", body, as_user="bob")).json()
        assert (answer["read_number"], answer["unread"]) == (2, 2)
    read = (await app.call("POST", "/v1/channels/den/read", {"number": 1}, as_user="bob")).json()
    assert (read["read_number"], read["unread"]) == (2, 2)
    gone = await app.call("POST", "/v1/channels/den/read", {"message_id": sent[0][0]}, as_user="bob")
    assert gone.status_code == 404


async def test_a_truncation_goes_up_to_a_seq_or_a_moment_and_never_back(den):
    app = den
    await talk(app, 5)
    moment = rfc3339(app.world.clock.now() - timedelta(seconds=2))
    await talk(app, 1, silent=True)
    await truncate(app, before_time=moment)
    assert await texts(app) == ["text 2", "text 3", "text 4", "text 0"]
    entries = len(await app.log("c:den"))
    for wish in ({"before": 2}, {"before_time": moment}, {"before_time": "2001-01-01T00:00:00Z"}):
        assert (await truncate(app, **wish))["truncated_number"] == 2
    assert len(await app.log("c:den")) == entries, "what is gone already is told nobody"
    assert (await truncate(app, before=2**53))["truncated_to"] == entries + 1
    assert (await truncate(app, before_time="2999-01-01T00:00:00Z"))["truncated_to"] == entries + 2
    for wish in ({"before": 1, "before_time": moment}, {"before_time": "9999-12-31T23:59:59-23:59"}):
        refused = await app.call("POST", "/v1/channels/den/truncate", wish, as_user="ann")
        assert (refused.status_code, refused.json()["field"]) == (422, "before_time")
    refused = await app.call("POST", "/v1/channels/den/truncate", {}, as_user="bob")
    assert (refused.status_code, refused.json()["permission"]) == (403, "channel.truncate")


async def test_the_systems_word_on_it_is_the_first_of_the_emptied_channel(den):
    app = den
    sent = await talk(app, 3)
    app.world.published.clear()
    channel = await truncate(app, message={"text": "Ann cleared this", "custom": {"why": "spring"}})
    page = (await app.call("GET", "/v1/channels/den/messages", as_user="bob")).json()["messages"]
    assert [(one["text"], one["user_id"], one["system"], one["custom"]) for one in page] == [
        ("Ann cleared this", "ann", True, {"why": "spring"})
    ]
    assert page[0]["seq"] == channel["truncated_to"] == sent[-1][1] + 1
    assert (channel["last_number"], await unread(app)) == (3, (0, 0)), "it makes nothing unread"
    told = [(entry.type, entry.seq) for entry in app.world.published if entry.log == "c:den"]
    assert told == [("message.created", channel["truncated_to"]), ("channel.truncated", channel["truncated_to"] + 1)]
    await app.check_logs()
    xids = {row["xid"] for row in await app.log("c:den") if row["seq"] >= channel["truncated_to"]}
    assert len(xids) == 1, "both, or none"
    again = await truncate(app, before=channel["truncated_to"], message={"text": "Once more"})
    assert (again["seq"], await texts(app)) == (channel["seq"], ["Ann cleared this"]), "of no change nothing is said"


async def test_a_word_on_a_truncation_is_refused_with_it(den, world):
    app = den
    await talk(app, 1)
    await app.make_users("gone")
    await app.fetch("update chat.users set deactivated_at = now() where app_id = $1 and id = 'gone' returning 1")
    before = await app.types("c:den")
    for as_user, message, status, code in (
        ("bob", {"text": "x"}, 403, "permission_missing"),
        ("cid", {"text": "x"}, 404, "not_found"),
        ("ann", {"text": "x", "user_id": "bob"}, 403, "forbidden"),
        ("ann", {"text": " "}, 422, "invalid_input"),
        ("ann", {"text": "x", "custom": {"a": "x" * 6_000}}, 422, "invalid_input"),
        (None, {"text": "x"}, 403, "forbidden"),
        (None, {"text": "x", "user_id": "nobody"}, 422, "unknown_users"),
        (None, {"text": "x", "user_id": "gone"}, 403, "user_deactivated"),
    ):
        answer = await app.call("POST", "/v1/channels/den/truncate", {"message": message}, as_user=as_user)
        assert (answer.status_code, answer.json()["code"]) == (status, code), (as_user, message)
    assert (await app.types("c:den"), await texts(app)) == (before, ["text 0"])
    other = app.world.app()
    theirs = await other.call("POST", "/v1/channels/den/truncate", {"message": {"text": "x", "user_id": "ann"}})
    assert theirs.status_code == 404
    await truncate(app, as_user=None, hard=True, message={"text": "Cleared", "user_id": "ann"})
    assert await wipe(world, app)
    assert await texts(app) == ["Cleared"]


@pytest.mark.parametrize("count", [0, 1, 2, 7])
async def test_a_moment_is_found_wherever_it_is(den, count):
    app = den
    sent = []
    for n in range(count):
        sent += await talk(app, 1)
        await app.call("PATCH", "/v1/channels/den", {"name": f"n{n}"})  # seqs that are no message's
    for place in range(count + 1):
        moment = app.world.clock.now() - timedelta(seconds=count - place - 1)
        found = (await app.fetch("select chat.seq_at($1, 'den', $2) as seq", moment))[0]["seq"]
        kept = [seq for _, seq, _ in sent if found is not None and seq >= found]
        assert kept == [seq for _, seq, _ in sent[place:]]


async def test_who_was_away_is_not_told_what_is_gone(den):
    app = den
    away = (await read_all(app, "bob", 0, limit=100))[1]
    sent = await talk(app, 2)
    await app.call("PATCH", f"/v1/messages/{sent[0][0]}", {"text": "secret"}, as_user="ann")
    await truncate(app)
    await talk(app, 1)
    for limit in (1, 100):
        entries, _ = await read_all(app, "bob", away, limit=limit)
        types = [entry.type for entry in entries if entry.log == "c:den"]
        assert types == [*["event.skipped"] * 3, "channel.truncated", "message.created"]
        assert not any(b"secret" in entry.event or b"text 1" in entry.event for entry in entries)


async def wipe(world, app):
    """Run the jobs in the smallest steps; returns how many there were."""
    jobs = ChannelJobs(world.shard, entries_batch=2, budget=timedelta(0))
    runner = OutboxRunner(world.shard.system, "chat", jobs.handlers(), world.clock)
    count = 0
    while rows := await app.fetch("select id from chat.outbox where (payload->>'app_id')::uuid = $1 order by id"):
        for row in rows:
            assert await runner.run(row["id"])
            count += 1
    return count


async def test_a_hard_one_wipes_the_content_and_a_soft_one_keeps_it(den, world):
    app = den
    sent = await talk(app, 5)
    await app.call("PUT", f"/v1/messages/{sent[0][0]}/reactions/ok", as_user="bob")

    async def kept():
        rows = await app.fetch("select text, content_hash, extra from chat.messages where app_id = $1 order by seq")
        reactions = await app.fetch("select 1 from chat.reactions where app_id = $1")
        return [(row["text"], len(row["content_hash"]) > 0, row["extra"] is not None) for row in rows], len(reactions)

    await truncate(app, before=sent[2][1])
    assert await kept() == ([(f"text {n}", True, n == 0) for n in range(5)], 1)
    await truncate(app, before=sent[4][1], hard=True)
    assert await wipe(world, app) == 4, "in small transactions, the earlier soft one's messages too"
    assert await kept() == ([("", False, False)] * 4 + [("text 4", True, False)], 0)
    assert await texts(app) == ["text 4"]
    taken = await app.fetch("select 1 from chat.messages where app_id = $1 and id = $2", parse_id("msg", sent[0][0]))
    assert len(taken) == 1, "an id stays taken, so that a late retry brings nothing back"
    # A job never takes what is still to be seen, whatever it says.
    jobs, target = ChannelJobs(world.shard), {"app_id": str(app.id), "channel_id": "den", "after": 0, "before": 10**6}
    async with world.shard.system.unit_of_work() as uow:
        await jobs.handlers()[WIPE](uow, target)
    assert await texts(app) == ["text 4"]
