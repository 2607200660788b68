"""Configuration flows down: in order, never backwards, and without the control plane."""

import asyncio
import time

import msgspec
import pytest

from data_plane.backoff import Backoff
from data_plane.tenancy.copies import SnapshotCopies
from data_plane.tenancy.errors import ConfigurationMissing
from data_plane.tenancy.puller import SnapshotPuller
from data_plane.tenancy.store import SnapshotStore
from kernel.security.vault import Vault
from tests.data_plane.tenancy.control import Control


@pytest.fixture
async def pullers(node):
    made = []

    def make(url, **more):
        store = SnapshotStore()
        puller = SnapshotPuller(
            store=store,
            copies=SnapshotCopies(node.system, node.vault),
            control_url=url,
            credential="nk_test",
            public_url="http://node",
            backoff=Backoff(0.02, 0.1),
            **more,
        )
        made.append(puller)
        return puller, store

    yield make
    for puller in made:
        await puller.stop()


async def until(condition, seconds=5.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        await asyncio.sleep(0.01)


@pytest.fixture
def snapshot(node):
    return node.tenant.snapshot


def another(node):
    return node.add_tenant().snapshot


async def test_a_node_starts_with_everything_and_hears_of_changes_at_once(node, serve, pullers, snapshot):
    control = Control(page=2)
    apps = [control.publish(snapshot), *(control.publish(another(node)) for _ in range(4))]
    puller, store = pullers((await serve(control.app())).url)
    await puller.start()
    assert sorted(app.app_id for app in store) == sorted(app.app_id for app in apps)
    assert store.version == 5
    changed = control.publish(msgspec.structs.replace(apps[0], status="suspended"))
    await until(lambda: store.get(changed.app_id).status == "suspended")
    await until(lambda: control.polls[-1]["since"] == "6")
    assert [poll["since"] for poll in control.polls[:4]] == ["0", "2", "4", "5"]
    assert control.polls[0]["authorization"] == "Bearer nk_test"
    assert control.polls[0]["url"] == "http://node"
    rows = await node.rows("select version from chat.app_snapshots order by 1")
    assert [row["version"] for row in rows] == [2, 3, 4, 5, 6]


async def test_copies_hold_no_secret_in_the_clear_and_open_for_their_app_only(node, snapshot):
    copies = SnapshotCopies(node.system, node.vault)
    await copies.save([snapshot])
    sealed = (await node.rows("select sealed from chat.app_snapshots"))[0]["sealed"]
    assert snapshot.signing_keys[0].key.encode() not in sealed
    stranger = node.add_tenant()
    await node.rows("update chat.app_snapshots set app_id = $1 returning 1 as x", stranger.app_id)
    assert await copies.load() == ([], 0)


async def test_copies_of_another_installation_are_left_out_and_everything_is_fetched_anew(node, snapshot):
    await SnapshotCopies(node.system, Vault(Vault.generate_master_key())).save([snapshot])
    assert await SnapshotCopies(node.system, node.vault).load() == ([], 0)


async def test_a_newer_copy_is_never_overwritten(node, snapshot):
    copies = SnapshotCopies(node.system, node.vault)
    newer = msgspec.structs.replace(snapshot, version=9, status="suspended")
    await asyncio.gather(*(copies.save([app]) for app in (snapshot, newer, snapshot, newer, snapshot)))
    await copies.save([snapshot])
    assert await copies.load() == ([newer], 9)


async def test_two_nodes_that_save_the_same_pages_at_once_do_not_lock_each_other_out(node, snapshot):
    copies = SnapshotCopies(node.system, node.vault)
    apps = [snapshot, *(another(node) for _ in range(40))]
    await asyncio.gather(*(copies.save(apps if i % 2 else apps[::-1]) for i in range(10)))
    assert len((await copies.load()).snapshots) == 41


async def test_a_restart_without_the_control_plane_serves_what_was_known(node, serve, pullers, snapshot):
    control = Control()
    control.publish(snapshot)
    served = await serve(control.app())
    puller, _ = pullers(served.url)
    await puller.start()
    suspended = control.publish(msgspec.structs.replace(snapshot, status="suspended"))
    await until(lambda: control.polls[-1]["since"] == "2")
    await puller.stop()
    await served.stop()

    again, store = pullers(served.url)
    await again.start(settle=0.3)
    assert store.get(snapshot.app_id) == suspended
    assert store.version == 2
    assert not again.ready.is_set()
    # When the control plane is back, the node goes on from where it stands.
    back = await serve(control.app(), served.port)
    await until(again.ready.is_set)
    assert control.polls[-1]["since"] == "2"
    control.publish(snapshot)
    await until(lambda: store.version == 3)
    await back.stop()


async def test_a_node_with_neither_control_plane_nor_copies_refuses_to_start(pullers, free_ports):
    puller, _ = pullers(f"http://127.0.0.1:{free_ports(1)[0]}")
    with pytest.raises(ConfigurationMissing, match="NATTER_CONTROL_URL"):
        await puller.start(patience=0.3)


async def test_a_refused_credential_is_named(serve, pullers):
    control = Control(status=401)
    puller, _ = pullers((await serve(control.app())).url)
    with pytest.raises(ConfigurationMissing, match="credential is refused"):
        await puller.start(patience=0.3)


async def test_a_shard_without_apps_starts(serve, pullers):
    puller, store = pullers((await serve(Control().app())).url)
    await puller.start(patience=3)
    assert len(store) == 0


async def test_an_older_answer_changes_nothing(node, serve, pullers, snapshot):
    control = Control()
    control.version = 7
    newest = control.publish(snapshot)
    served = await serve(control.app())
    puller, store = pullers(served.url)
    await puller.start()
    # As after a restore of the control database.
    control.version = 1
    control.publish(msgspec.structs.replace(snapshot, status="suspended"))
    await asyncio.sleep(0.2)
    assert store.get(snapshot.app_id) == newest
    assert store.version == 8


async def test_a_version_counts_as_applied_only_when_it_is_kept(node, serve, snapshot):
    control = Control()
    control.publish(snapshot)
    store = SnapshotStore()
    real, broken = SnapshotCopies(node.system, node.vault), True

    class Copies(SnapshotCopies):
        async def save(self, snapshots):
            if broken and snapshots:
                raise ConnectionError("the database is away")
            await real.save(snapshots)

    puller = SnapshotPuller(
        store=store,
        copies=Copies(node.system, node.vault),
        control_url=(await serve(control.app())).url,
        credential="nk_test",
        backoff=Backoff(0.02, 0.05),
    )
    with pytest.raises(ConfigurationMissing):
        await puller.start(patience=0.3)
    assert {poll["since"] for poll in control.polls} == {"0"}
    assert store.get(snapshot.app_id) is not None, "memory has it at once all the same"
