"""What `natter seed` makes is what the product would have made: every recount agrees, and a seed says it all."""

import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from data_plane.channels.everything import channels_of_user
from kernel.ids import format_id
from ops.cli.seed import seed
from ops.seed import tenant
from ops.seed.plan import GUESTS
from ops.seed.tenant import Filled, SeededBefore, Seeding, Wish, shard_of_the_past
from tests.data_plane.conftest import app, shard_database, shard_databases, world
from tests.data_plane.members.recount import miscounted

__all__ = ["app", "shard_database", "shard_databases", "world"]

WISH = Wish(seed=7, users=30, channels=12, messages=900, months=2, until=datetime(2026, 1, 15, tzinfo=UTC))
UNREAD = """
    select b.channel_id, b.user_id from chat.members b
    join chat.log_heads h on h.app_id = b.app_id and h.log = 'c:' || b.channel_id
    where b.app_id = $1 and (
        b.read_number > h.last_number
        or h.last_number - b.read_number <> (select count(*) from chat.messages m where m.app_id = b.app_id
               and m.channel_id = b.channel_id and not m.silent and m.number > b.read_number)
        or b.read_number < (select coalesce(max(m.number), 0) from chat.messages m where m.app_id = b.app_id
               and m.channel_id = b.channel_id and m.user_id = b.user_id and not m.silent))
"""


async def seeded(app, shard_database, wish: Wish) -> Filled:
    async with shard_of_the_past(shard_database.url, "s0", wish.until) as shard:
        return await Seeding(shard, app.snapshot, wish, lambda words: None).run()


async def test_a_seeded_tenant_is_consistent(app, world, shard_database, monkeypatch):
    monkeypatch.setattr(tenant, "CHUNK", 300)
    filled = await seeded(app, shard_database, WISH)
    assert (filled.users, filled.channels, filled.messages) == (30, 12, 900)
    assert min(filled.edits + filled.deletions, filled.reactions, filled.reads) > 0
    await app.check_logs()
    assert await miscounted(await world.shard.system.pool(), app.id) == []
    assert await app.fetch(UNREAD) == []
    planted = (
        "update chat.log_heads set last_number = last_number {} 1 where app_id = $1 and log like 'c:%' returning 1"
    )
    await app.fetch(planted.format("+"))
    assert len(await app.fetch(UNREAD)) == filled.memberships, "the recount notices"
    await app.fetch(planted.format("-"))
    # Heads and commit rows say where each log ends.
    ends = await app.fetch(
        "select h.log from chat.log_heads h where h.app_id = $1 and h.last_seq <> (select max(c.seqs[n.place]) "
        "from chat.commits c, generate_subscripts(c.logs, 1) n(place) "
        "where c.apps[n.place] = h.app_id and c.logs[n.place] = h.log)"
    )
    assert ends == []
    # Usage: a message each, a user once in each month, in the hour in which it was.
    counted = await app.fetch(
        "select meter, sum(quantity) as all, count(distinct date_trunc('month', at)) as months, "
        "min(at) >= '2025-11-14' and max(at) < '2026-01-15' as then from chat.usage_outbox where app_id = $1 "
        "and meter in ('messages', 'mau') group by 1 order by 1"
    )
    active = (await app.fetch("select count(*) from chat.active_users where app_id = $1"))[0][0]
    assert [tuple(row) for row in counted] == [("mau", active, 3, True), ("messages", 900, 3, True)]
    bytes_ = await app.fetch(
        "select (select sum(quantity) from chat.usage_outbox where app_id = $1 and meter = 'storage_bytes') "
        "as counted, "
        "sum(chat.content_bytes(text, attachments, custom)) as stored from chat.messages where app_id = $1"
    )
    assert bytes_[0]["counted"] == bytes_[0]["stored"] > 0
    wrong = await app.fetch(
        "select m.id from chat.messages m where m.app_id = $1 and coalesce(m.extra -> 'reactions', '{}') <> coalesce("
        "(select jsonb_object_agg(r.emoji, r.count) from (select r.emoji, count(*) from chat.reactions r "
        "where r.app_id = m.app_id and r.message_id = m.id group by 1) r), '{}')"
    )
    assert wrong == []


async def test_what_a_seed_made_goes_on(app, world, shard_database):
    await seeded(app, shard_database, WISH)
    ada = next(iter(GUESTS))
    channels, _, _, horizon = await channels_of_user(world.shard, app.id, ada)
    assert len(channels) > 4
    busiest = max(channels, key=lambda channel: channel["last_number"])
    page = (await app.call("GET", f"/v1/channels/{busiest['id']}/messages", as_user=ada)).json()
    times = [message["created_at"] for message in page["messages"]]
    assert times == sorted(times)
    assert page["messages"][-1]["number"] == busiest["last_number"]
    _, seq, number = await app.send(busiest["id"], ada, "news")
    assert (seq, number) == (busiest["seq"] + 1, busiest["last_number"] + 1)
    changes = await world.shard.reader.changes(app.id, ada, horizon, limit=100)
    assert [(entry.log, entry.seq) for entry in changes.entries] == [(f"c:{busiest['id']}", seq)]


async def test_a_seed_says_it_all(world, shard_database):
    def shown(rows):
        return [tuple(row) for row in rows]

    said = "select channel_id, seq, number, user_id, text, created_at, deleted_at from chat.messages where app_id = $1 "
    first, second, other = world.app(), world.app(), world.app()
    small = replace(WISH, messages=120, users=12, channels=4)
    filled = [await seeded(first, shard_database, small), await seeded(second, shard_database, small)]
    assert filled[0] == filled[1]
    ordered = said + "order by channel_id, seq"
    assert shown(await first.fetch(ordered)) == shown(await second.fetch(ordered))
    assert (await seeded(other, shard_database, replace(small, seed=8))).digest != filled[0].digest
    with pytest.raises(SeededBefore):
        await seeded(first, shard_database, small)
    more = await seeded(first, shard_database, replace(small, seed=9))
    assert more.messages == 120
    await first.check_logs()
    assert format_id("app", first.id) == first.snapshot.app_id


def test_the_commands_of_the_guide_are_understood():
    page = (Path(__file__).parents[2] / "docs" / "guides" / "seed.md").read_text()
    commands = re.findall(r"^natter seed(.*?)(?:  #.*)?$", page, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        assert seed.make_context("seed", shlex.split(command)).params["messages"] > 0
