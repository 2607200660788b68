"""What a log tells of a message that was deleted for good, and of one that came back."""

from datetime import timedelta

import orjson
import pytest

from data_plane.messages.jobs import FORGET, MessageJobs
from kernel.outbox import OutboxRunner
from tests.data_plane.log.test_changes import read_all


@pytest.fixture
async def den(app):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    message, _, _ = await app.send("den", "bob", "hello")
    return message


async def run_jobs(app, world, **limits) -> int:
    runner = OutboxRunner(world.shard.system, "chat", MessageJobs(world.shard, **limits).handlers(), world.clock)
    count = 0
    while rows := await app.fetch(
        "select id from chat.outbox where (payload->>'app_id')::uuid = $1 and topic = 'message.forget' order by id"
    ):
        for row in rows:
            assert await runner.run(row["id"])
            count += 1
    return count


async def test_entries_about_reactions_to_a_purged_message_are_emptied_and_no_others(app, world, den):
    kept, _, _ = await app.send("den", "bob", "stays")
    for message in (den, kept):
        for user in ("ann", "bob"):
            await app.call("PUT", f"/v1/messages/{message}/reactions/ok", as_user=user)
        await app.call("DELETE", f"/v1/messages/{message}/reactions/ok", as_user="ann")
    before = await app.types("c:den")
    await app.call("DELETE", f"/v1/messages/{den}", params={"hard": True})
    assert await run_jobs(app, world, batch=3, budget=timedelta(0)) > 2
    after = await app.types("c:den")
    assert len(after) == len(before) + 1
    gone = [n for n, (old, new) in enumerate(zip(before, after, strict=False)) if old != new]
    assert [before[n] for n in gone] == ["reaction.added", "reaction.added", "reaction.removed"]
    assert {after[n] for n in gone} == {"event.skipped"}
    about = [e for e in await app.log("c:den") if (e["data"] or {}).get("message_id") == kept]
    assert len(about) == 3


async def test_sync_tells_nothing_of_what_a_purged_message_said_and_leaves_no_hole(app, world, den):
    start = await world.shard.reader.horizon()
    body = {"text": "secret", "user_id": "ann"}
    sent = (await app.call("POST", "/v1/channels/den/messages", body)).json()["message"]
    await app.call("PATCH", f"/v1/messages/{sent['id']}", {"text": "secret too"})
    await app.call("DELETE", f"/v1/messages/{sent['id']}", params={"hard": True})
    entries = [entry for entry in (await read_all(app, "bob", start, limit=2))[0] if entry.log == "c:den"]
    events = [orjson.loads(entry.event) for entry in entries]
    assert [event["type"] for event in events] == ["message.created", "message.updated", "message.deleted"]
    assert [event["seq"] for event in events] == [sent["seq"], sent["seq"] + 1, sent["seq"] + 2]
    assert all(event["data"]["message"]["purged"] and b"secret" not in entry.event
               for event, entry in zip(events, entries, strict=True))  # fmt: skip


async def test_a_deletion_that_was_taken_back_is_told_later_with_the_message_as_it_is(app, world, den):
    start = await world.shard.reader.horizon()
    await app.call("DELETE", f"/v1/messages/{den}", as_user="bob")
    await app.call("POST", f"/v1/messages/{den}/restore", as_user="bob")
    entries = [entry for entry in (await read_all(app, "ann", start, limit=5))[0] if entry.log == "c:den"]
    said = [(entry.type, orjson.loads(entry.event)["data"]["message"]["text"]) for entry in entries]
    assert said == [("message.deleted", "hello"), ("message.restored", "hello")]
    await app.call("POST", "/v1/channels/den/truncate", {}, as_user="ann")
    entries = [entry for entry in (await read_all(app, "ann", start, limit=5))[0] if entry.log == "c:den"]
    assert [entry.type for entry in entries] == ["event.skipped", "event.skipped", "channel.truncated"]


def test_the_topic_is_the_workers(world) -> None:
    assert set(MessageJobs(world.shard).handlers()) == {FORGET}
