"""A day without the control plane, by the clock: who was let in is, who was not is not, and no usage is lost."""

from datetime import timedelta

import pytest

from data_plane.backoff import Backoff
from data_plane.tenancy.copies import SnapshotCopies
from data_plane.tenancy.errors import AppSuspended
from data_plane.tenancy.puller import SnapshotPuller
from data_plane.tenancy.store import SnapshotStore
from data_plane.usage.relay import UsageRelay
from tests.data_plane.tenancy.control import Control

HOURS = 24
SENT = (
    "insert into chat.usage_outbox (app_id, meter, quantity, at) "
    "select $1, 'messages', g, $2 from generate_series(1, 10) g returning seq"
)


async def started_again(node, url):
    """What a process of the node knows that starts now."""
    store = SnapshotStore()
    puller = SnapshotPuller(
        store=store,
        copies=SnapshotCopies(node.system, node.vault),
        control_url=url,
        credential="nk_test",
        public_url="http://node",
        backoff=Backoff(0.02, 0.1),
    )
    await puller.start(settle=0.05)
    await puller.stop()
    return {app.app_id: app for app in store}


async def test_a_day_without_the_control_plane_changes_nothing_but_what_is_owed(node, serve):
    control, shut = Control(), node.add_tenant()
    node.change(shut, status="suspended")
    known = {one.app_id: one for one in (control.publish(node.tenant.snapshot), control.publish(shut.snapshot))}
    served = await serve(control.app())
    assert await started_again(node, served.url) == known
    await served.stop()

    relay = UsageRelay(
        shard_id="s0", database=node.system, control_url=served.url, credential="nk_relay", clock=node.clock,
        backoff=Backoff(0.02, 0.1),
    )  # fmt: skip
    try:
        for hour in range(HOURS):
            node.clock.advance(timedelta(hours=1))
            assert node.authenticator.bearer(node.user_token("ada")).user_id == "ada"
            assert node.authenticator.bearer(node.tenant.secret_key)
            for credential in (node.user_token("ada", shut), shut.secret_key):
                with pytest.raises(AppSuspended):
                    node.authenticator.bearer(credential)
            await node.activity.touch(node.tenant.snapshot, node.tenant.app_id, f"user{hour}", node.clock.now())
            await node.rows(SENT, node.tenant.app_id, node.clock.now())
            with pytest.raises(Exception, match=r"(?i)connect"):
                await relay.ship()
        assert await started_again(node, served.url) == known
        owed = await node.rows("select count(*) as n from chat.usage_outbox")
        assert owed[0]["n"] == HOURS * 11

        await serve(control.app(), served.port)
        while await relay.ship():
            pass
    finally:
        await relay.close()
    rows = list(control.ledger.values())
    assert sum(row.quantity for row in rows if row.meter == "messages") == HOURS * 55
    users = {row.subject for row in rows if row.meter == "mau"}
    assert (len(users), len(rows)) == (HOURS, HOURS * 11)
    assert max(row.at for row in rows) - min(row.at for row in rows) == timedelta(hours=HOURS - 1)
