"""Revocations reach a node by the bus, by looking, and at its start."""

from datetime import timedelta

import pytest

from data_plane.identity.revocations import Revocations

REVOKE = "insert into chat.users (app_id, id, created_at, updated_at, tokens_valid_after) values ($1, $2, $3, $3, $3)"


async def revoke(node, user_id, at):
    pool = await node.system.pool()
    await pool.execute(REVOKE, node.tenant.app_id, user_id, at)


async def test_a_start_loads_the_last_day(node):
    now, app = node.clock.now(), node.tenant.app_id
    await revoke(node, "ada", now - timedelta(hours=24))
    await revoke(node, "old", now - timedelta(hours=26))
    fresh = Revocations(node.system, node.clock)
    await fresh.refresh()
    assert fresh.is_revoked(app, "ada", now - timedelta(hours=24, seconds=1))
    assert not fresh.is_revoked(app, "ada", now - timedelta(hours=24))
    assert fresh.valid_after(app, "old") is None


async def test_looking_again_finds_what_committed_late_and_calls_once(node):
    heard = []
    await node.revocations.refresh()
    node.revocations.on_revoked(lambda *what: heard.append(what))
    stamped = node.clock.now()
    node.clock.advance(timedelta(seconds=90))
    await node.revocations.refresh()
    await revoke(node, "ada", stamped)
    for _ in range(3):
        await node.revocations.refresh()
    assert heard == [(node.tenant.app_id, "ada", stamped)]


async def test_an_outage_of_the_database_loses_no_revocation(node):
    await node.revocations.refresh()
    stamped = node.clock.now() + timedelta(minutes=1)
    node.clock.advance(timedelta(hours=3))
    await revoke(node, "ada", stamped)
    await node.revocations.refresh()
    assert node.revocations.valid_after(node.tenant.app_id, "ada") == stamped


async def test_news_never_moves_a_revocation_back(node):
    app, now = node.tenant.app_id, node.clock.now()
    node.revocations.note(app, "ada", now)
    node.revocations.note(app, "ada", now - timedelta(seconds=5))
    assert node.revocations.valid_after(app, "ada") == now


async def test_a_broken_listener_does_not_silence_the_others(node):
    heard = []

    def broken(*_):
        raise RuntimeError("boom")

    node.revocations.on_revoked(broken)
    node.revocations.on_revoked(lambda *what: heard.append(what))
    node.revocations.note(node.tenant.app_id, "ada", node.clock.now())
    assert len(heard) == 1


@pytest.mark.parametrize("hours", [26, 48])
async def test_what_revokes_nothing_any_more_is_forgotten(node, hours):
    node.revocations.note(node.tenant.app_id, "ada", node.clock.now())
    node.clock.advance(timedelta(hours=hours))
    await node.revocations.refresh()
    assert node.revocations.valid_after(node.tenant.app_id, "ada") is None
