"""Stored bytes: what the usage rows add up to is what a look at the messages finds, after all one can do to them."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from data_plane.channels.jobs import ChannelJobs
from data_plane.messages.jobs import MessageJobs
from kernel.outbox import OutboxRunner

STORED = """
    select coalesce(sum(octet_length(text) + coalesce(octet_length(attachments::text), 0)
                        + coalesce(octet_length(custom::text), 0)), 0) as n from chat.messages where app_id = $1
"""
COUNTED = """
    select coalesce(sum(quantity), 0) as n, count(*) as rows from chat.usage_outbox
    where app_id = $1 and meter = 'storage_bytes'
"""


@pytest.fixture
async def den(app):
    await app.make_users("ann", "bob")
    await app.make_channel("den", "bob", owner="ann")
    return app


async def stored(app, world):
    """What is stored by both counts, which must agree; jobs that wait are done first."""
    handlers = {**ChannelJobs(world.shard, entries_batch=2).handlers(), **MessageJobs(world.shard).handlers()}
    runner = OutboxRunner(world.shard.system, "chat", handlers, world.clock)
    for row in await app.fetch("select id from chat.outbox where (payload->>'app_id')::uuid = $1 order by id"):
        await runner.run(row["id"])
    [looked], [counted] = await app.fetch(STORED), await app.fetch(COUNTED)
    assert looked["n"] == counted["n"]
    return int(looked["n"])


async def test_every_way_to_change_a_message_moves_the_count_by_what_it_moves(den, world):
    app = den
    assert await stored(app, world) == 0
    one, _, _ = await app.send("den", "bob", "naïve ✓")
    assert await stored(app, world) == len("naïve ✓".encode())
    two, _, _ = await app.send("den", "bob", "x" * 1_000)
    base = await stored(app, world)
    world.clock.advance(timedelta(seconds=1))

    assert (await app.call("PATCH", f"/v1/messages/{one}", {"custom": {"a": 1}}, as_user="bob")).status_code == 200
    assert await stored(app, world) > base
    grown = await stored(app, world)
    for body in ({"attachments": [{"u": "…"}]}, {"text": "x", "attachments": []}, {"set": {"b": 2}}, {"text": "x"}):
        assert (await app.call("PATCH", f"/v1/messages/{one}", body, as_user="bob")).status_code == 200
        grown = await stored(app, world)

    # Reactions, pins, replies and positions are no content.
    await app.call("PUT", f"/v1/messages/{two}/reactions/ok", as_user="ann")
    await app.call("POST", f"/v1/messages/{two}/pin", as_user="ann")
    assert await stored(app, world) == grown

    # Deleted it can come back, and so is stored.
    assert (await app.call("DELETE", f"/v1/messages/{two}", as_user="bob")).status_code == 200
    assert await stored(app, world) == grown
    assert (await app.call("POST", f"/v1/messages/{two}/restore")).status_code == 200
    for _ in range(2):
        await app.call("DELETE", f"/v1/messages/{two}", params={"hard": "true"})
        assert await stored(app, world) == grown - 1_000


async def test_what_a_truncation_or_a_deleted_channel_wipes_is_stored_no_more(den, world):
    app = den
    for n in range(5):
        await app.send("den", "bob", f"message {n}")
    assert await stored(app, world) == 45
    answer = await app.call(
        "POST", "/v1/channels/den/truncate", {"hard": True, "message": {"text": "gone", "user_id": "ann"}}
    )
    assert answer.status_code == 200, answer.text
    for _ in range(6):
        left = await stored(app, world)
    assert left == len("gone")
    await app.send("den", "bob", "again")
    assert (await app.call("DELETE", "/v1/channels/den", as_user="ann")).status_code in (200, 204)
    for _ in range(8):
        left = await stored(app, world)
    assert left == 0
    # Done twice, as after a worker was killed, it takes nothing more away.
    async with world.shard.system.unit_of_work() as uow:
        await ChannelJobs(world.shard).purge(uow, {"app_id": str(app.id), "channel_id": "den", "after": 0})
    assert await stored(app, world) == 0
    [messages] = await app.fetch(
        "select sum(quantity) as n from chat.usage_outbox where app_id = $1 and meter = 'messages'"
    )
    [rows] = await app.fetch("select count(*) as n from chat.messages where app_id = $1")
    assert messages["n"] == rows["n"] == 7, "the places of what is gone stay, and so does its count"


async def test_the_check_finds_bytes_that_nobody_counted(den, world):
    await den.send("den", "bob", "hello")
    await den.fetch("update chat.messages set text = 'hello!', content_hash = '' where app_id = $1 returning 1")
    with pytest.raises(AssertionError):
        await stored(den, world)


async def test_a_request_counts_for_its_own_app_alone(den, world):
    other = world.app()
    async with world.shard.unit_of_work(den.id) as uow:
        for app in (den, other):
            values = {"app": app.id, "at": world.clock.now()}
            await uow.session.execute(text("select chat.count_storage(:app, 7, :at)"), values)
    assert [(await app.fetch(COUNTED))[0]["n"] for app in (den, other)] == [7, 0]
