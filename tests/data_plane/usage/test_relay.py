"""Usage flows up: every row reaches the ledger, whatever gets lost on the way."""

import asyncio
from datetime import timedelta

import httpx
import pytest

from data_plane.backoff import Backoff
from data_plane.usage.relay import UsageRelay
from tests.data_plane.tenancy.control import Control

ADD = (
    "insert into chat.usage_outbox (app_id, meter, quantity, at) "
    "select $1, 'messages', g, $2 from generate_series(1, $3) g returning seq"
)


@pytest.fixture
async def relays(node):
    made = []

    def make(url):
        relay = UsageRelay(
            shard_id="s0",
            database=node.system,
            control_url=url,
            credential="nk_relay",
            clock=node.clock,
            backoff=Backoff(0.02, 0.1),
        )
        made.append(relay)
        return relay

    yield make
    for relay in made:
        await relay.close()


async def waiting(node):
    return (await node.rows("select count(*) as n from chat.usage_outbox"))[0]["n"]


async def add(node, count, app_id=None):
    return await node.rows(ADD, app_id or node.tenant.app_id, node.clock.now(), count)


async def test_rows_reach_the_ledger_once_and_leave_the_outbox(node, serve, relays):
    control = Control()
    relay = relays((await serve(control.app())).url)
    await node.activity.touch(node.tenant.snapshot, node.tenant.app_id, "ada", node.clock.now())
    await add(node, 2500)
    assert [await relay.ship() for _ in range(4)] == [1000, 1000, 501, 0]
    assert await waiting(node) == 0
    assert len(control.ledger) == 2501
    assert {key[:2] for key in control.ledger} == {("relay:s0", node.shard.epoch)}
    assert sum(row.quantity for row in control.ledger.values() if row.meter == "messages") == 2500 * 2501 // 2
    (active,) = [row for row in control.ledger.values() if row.meter == "mau"]
    assert len(active.subject) == 32
    assert active.app_id == node.tenant.snapshot.app_id
    assert active.at == node.clock.now()


async def test_a_lost_receipt_is_made_good_by_sending_again(node, serve, relays):
    control = Control(lose_receipts=2)
    relay = relays((await serve(control.app())).url)
    await add(node, 10)
    for _ in range(2):
        with pytest.raises(httpx.HTTPStatusError):
            await relay.ship()
        assert await waiting(node) == 10
    assert await relay.ship() == 10
    assert len(control.reports) == 3
    assert len(control.ledger) == 10


async def test_two_relays_at_once_change_no_total(node, serve, relays):
    control = Control()
    url = (await serve(control.app())).url
    first, second = relays(url), relays(url)
    await add(node, 500)
    await asyncio.gather(first.ship(), second.ship())
    assert len(control.ledger) == 500
    assert await waiting(node) == 0


async def test_an_outage_of_the_control_plane_loses_nothing_and_ends_by_itself(node, serve, relays):
    control = Control()
    served = await serve(control.app())
    relay = relays(served.url)
    await served.stop()
    task = asyncio.create_task(relay.run())
    await add(node, 3000)
    await asyncio.sleep(0.2)
    assert await waiting(node) == 3000
    await serve(control.app(), served.port)
    for _ in range(500):
        if await waiting(node) == 0:
            break
        await asyncio.sleep(0.01)
    task.cancel()
    assert len(control.ledger) == 3000


@pytest.mark.parametrize("status", [401, 403, 500, 503])
async def test_no_status_but_success_deletes_a_row(node, serve, relays, status):
    control = Control(status=status)
    relay = relays((await serve(control.app())).url)
    await add(node, 3)
    with pytest.raises(httpx.HTTPStatusError):
        await relay.ship()
    assert await waiting(node) == 3


async def test_a_page_that_is_no_receipt_deletes_no_row(node, relays):
    def stray(request):
        return httpx.Response(200, text="<html>welcome</html>")

    relay = UsageRelay(
        shard_id="s0",
        database=node.system,
        control_url="http://control",
        credential="nk_relay",
        clock=node.clock,
        transport=httpx.MockTransport(stray),
    )
    await add(node, 3)
    with pytest.raises(ValueError, match="JSON"):
        await relay.ship()
    assert await waiting(node) == 3
    await relay.close()


async def test_an_app_that_is_refused_does_not_hold_up_the_others(node, serve, relays):
    stranger = node.add_tenant()
    control = Control(refuse={stranger.snapshot.app_id})
    relay = relays((await serve(control.app())).url)
    await add(node, 1200, stranger.app_id)
    await add(node, 5)
    for _ in range(3):
        await relay.ship()
    assert {row.app_id for row in control.ledger.values()} == {node.tenant.snapshot.app_id}
    assert await waiting(node) == 1200
    # Once it is taken again, nothing of it was lost.
    control.refuse.clear()
    node.clock.advance(timedelta(seconds=61))
    for _ in range(3):
        await relay.ship()
    assert len(control.ledger) == 1205
    assert await waiting(node) == 0


async def test_a_restored_shard_reports_under_a_new_boot(node, serve, relays):
    control = Control()
    relay = relays((await serve(control.app())).url)
    await add(node, 1)
    await relay.ship()
    await node.rows("update chat.shard set epoch = 'restored' returning 1 as x")
    await add(node, 1)
    await relay.ship()
    assert {boot for _, boot, _ in control.ledger} == {node.shard.epoch, "restored"}
