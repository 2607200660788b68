"""The snapshot store never goes backwards, and finds an app by each of its names."""

import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from data_plane.tenancy.store import SnapshotStore
from kernel.contracts import AppSnapshot, SecretKey, SigningKey
from kernel.ids import Ids, format_id

IDS = Ids()


def snapshot(app_id, version, **more):
    return AppSnapshot(
        app_id=format_id("app", app_id),
        organization_id="org_x",
        version=version,
        shard="s0",
        environment="production",
        status="active",
        **more,
    )


def test_an_app_is_found_by_each_of_its_names():
    store, app = SnapshotStore(), IDS.uuid7()
    held = snapshot(
        app,
        1,
        publishable_keys=("pk_a", "pk_b"),
        secret_keys=(SecretKey(id="k", digest="d1"), SecretKey(id="l", digest="d2")),
        signing_keys=(SigningKey(kid="x", algorithm="HS256", key="s"),),
    )
    assert store.apply(held)
    assert store.get(app) is store.get(held.app_id) is store.by_publishable_key("pk_b") is held
    assert store.by_secret_digest("d2") == (held, held.secret_keys[1])
    assert store.signing_keys(app) == {"x": held.signing_keys[0]}
    for nothing in ("", "app_", "org_x", "app_é", held.app_id + "a", held.app_id.upper()):
        assert store.get(nothing) is None
    assert store.by_publishable_key("pk_c") is None
    assert store.by_secret_digest("d3") is None
    assert store.signing_keys(IDS.uuid7()) == {}


def test_keys_that_a_newer_snapshot_lacks_open_nothing():
    store, app = SnapshotStore(), IDS.uuid7()
    store.apply(snapshot(app, 1, publishable_keys=("pk_a",), secret_keys=(SecretKey(id="k", digest="d1"),)))
    store.apply(snapshot(app, 2))
    assert store.by_publishable_key("pk_a") is None
    assert store.by_secret_digest("d1") is None


def test_listeners_hear_each_change_once_and_survive_each_other():
    store, app, heard = SnapshotStore(), IDS.uuid7(), []

    def broken(_):
        raise RuntimeError("boom")

    store.on_change(broken)
    store.on_change(lambda changed: heard.append((changed, store.get(changed).version)))
    for version in (1, 1, 2, 1, 3):
        store.apply(snapshot(app, version))
    assert heard == [(app, 1), (app, 2), (app, 3)]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 20)), max_size=60), st.randoms())
def test_in_any_order_and_with_repeats_the_newest_of_each_app_wins(changes, random_):
    apps = [IDS.uuid7() for _ in range(4)]
    store = SnapshotStore()
    random_.shuffle(changes)
    newest = {}
    for app, version in changes:
        before = store.get(apps[app])
        store.apply(snapshot(apps[app], version, publishable_keys=(f"pk_{app}_{version}",)))
        newest[app] = max(newest.get(app, 0), version)
        assert before is None or store.get(apps[app]).version >= before.version
    for app, version in newest.items():
        assert store.get(apps[app]).version == version
        assert store.by_publishable_key(f"pk_{app}_{version}").version == version
    assert len(store._publishable) == len(newest)


def test_the_applied_version_never_goes_back():
    store = SnapshotStore()
    for version in random.Random(1).sample(range(100), 50):
        before = store.version
        store.advance(version)
        assert store.version == max(before, version)


def test_an_unknown_field_of_a_newer_control_plane_is_ignored():
    raw = msgspec.to_builtins(snapshot(IDS.uuid7(), 1)) | {"tomorrow": 1}
    assert msgspec.convert(raw, AppSnapshot).version == 1
