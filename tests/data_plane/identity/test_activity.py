"""Active users are counted once a month, before they are answered, and within the plan."""

import asyncio
import re
from datetime import timedelta

import pytest

from data_plane.identity.activity import ActivityTracker, subject_of
from kernel.contracts import Quota
from kernel.db import Database

MAU = "select * from chat.usage_outbox where meter = 'mau' order by seq"


async def test_fifty_requests_at_once_count_one_user_once(node, api):
    headers = node.user("ada")
    responses = await asyncio.gather(*(api.get("/v1/users/me", headers=headers) for _ in range(50)))
    assert {response.status_code for response in responses} == {200}
    rows = await node.rows(MAU)
    assert len(rows) == 1
    assert rows[0]["quantity"] == 1
    assert rows[0]["subject"] == subject_of(node.tenant.snapshot, "ada")
    assert re.fullmatch("[0-9a-f]{32}", rows[0]["subject"])


async def test_many_nodes_at_once_count_one_user_once(node):
    nodes = [ActivityTracker(node.system, node.clock) for _ in range(50)]
    tenant, now = node.tenant, node.clock.now()
    await asyncio.gather(*(node.touch(tenant.snapshot, tenant.app_id, "ada", now) for node in nodes))
    assert len(await node.rows(MAU)) == 1
    assert len(await node.rows("select * from chat.active_users")) == 1


async def test_a_counted_user_costs_no_query(node):
    tenant, now = node.tenant, node.clock.now()
    database = Database(node.system.url, role="natter_engine")
    activity = ActivityTracker(database, node.clock)
    await activity.touch(tenant.snapshot, tenant.app_id, "ada", now)
    await database.close()
    await activity.touch(tenant.snapshot, tenant.app_id, "ada", now)


async def test_the_next_month_counts_anew(node):
    tenant = node.tenant
    await node.activity.touch(tenant.snapshot, tenant.app_id, "ada", node.clock.now())
    node.clock.advance(timedelta(days=25))
    assert not node.activity.is_active(tenant.app_id, "ada", node.clock.now())
    await node.activity.touch(tenant.snapshot, tenant.app_id, "ada", node.clock.now())
    assert [row["month"] for row in await node.rows("select month from chat.active_users order by 1")] == [
        "2026-03",
        "2026-04",
    ]
    assert len(await node.rows(MAU)) == 2


async def test_what_is_remembered_of_a_past_month_does_not_come_back(node):
    tenant, march = node.tenant, node.clock.now()
    april = march + timedelta(days=25)
    node.activity.remember(tenant.app_id, "ada", april)
    node.activity.remember(tenant.app_id, "bob", march)
    assert node.activity.is_active(tenant.app_id, "ada", april)
    assert not node.activity.is_active(tenant.app_id, "bob", march)
    assert not node.activity.is_active(tenant.app_id, "bob", april)


async def test_secret_keys_count_nobody(node, api):
    await api.put("/v1/users/ada", json={}, headers=node.server())
    assert await node.rows(MAU) == []


async def test_beyond_the_plan_new_users_are_refused_and_known_ones_served(node, api):
    assert (await api.get("/v1/users/me", headers=node.user("ada"))).status_code == 200
    full = Quota(meter="mau", period="2026-03", used=1000, limit=1000, over="stop", exceeded=True)
    node.change(node.tenant, quotas=(full,))
    refused = await api.get("/v1/users/me", headers=node.user("bob"))
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")
    assert refused.json()["meter"] == "mau"
    assert refused.json()["limit"] == 1000
    assert await node.rows("select id from chat.users where id = 'bob'") == []
    # Also on a node that has just started and remembers nobody.
    fresh = ActivityTracker(node.system, node.clock)
    tenant = node.tenant
    await fresh.touch(tenant.snapshot, tenant.app_id, "ada", node.clock.now())
    assert len(await node.rows(MAU)) == 1


async def test_a_standing_of_another_month_refuses_nobody(node, api):
    past = Quota(meter="mau", period="2026-02", used=1000, limit=1000, over="stop", exceeded=True)
    node.change(node.tenant, quotas=(past,))
    assert (await api.get("/v1/users/me", headers=node.user("bob"))).status_code == 200


async def test_deactivated_users_are_refused(node, api):
    await api.put("/v1/users/ada", json={}, headers=node.server())
    await node.rows("update chat.users set deactivated_at = $1 returning id", node.clock.now())
    response = await api.get("/v1/users/me", headers=node.user("ada"))
    assert response.json()["code"] == "user_deactivated"


@pytest.mark.parametrize("nodes", [1, 5])
async def test_different_users_at_once_count_each(node, nodes):
    trackers = [ActivityTracker(node.system, node.clock) for _ in range(nodes)]
    tenant, now = node.tenant, node.clock.now()
    await asyncio.gather(
        *(node.touch(tenant.snapshot, tenant.app_id, f"u{i}", now) for node in trackers for i in range(20))
    )
    assert len(await node.rows(MAU)) == 20
