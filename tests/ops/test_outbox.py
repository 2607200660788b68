"""The start screen, and its link to the outbox."""

import dataclasses

import pytest

from control_plane.accounts.local import create_outbox_link, look_up_local, open_local
from kernel.clock import SystemClock
from kernel.errors import NatterError
from kernel.security.vault import Vault
from ops.installation import Folder
from ops.outbox import make_outbox_link
from ops.up import screen
from tests.control_plane.fixtures import World, make_deps


@pytest.fixture
async def world(control_database):
    deps = make_deps(control_database.url, SystemClock())
    yield World(deps, None, control_database.superuser_url)
    await deps.close()


async def test_the_link_is_what_the_control_planes_own_would_be(world):
    by_hand = await make_outbox_link(world.deps.settings)
    async with world.change() as ctx:
        by_service = await create_outbox_link(ctx)
    for url in (by_hand, by_service):
        head, _, token = url.rpartition("/")
        assert head == f"{world.deps.settings.portal}/local"
        await look_up_local(world.deps, token)

    pool = await world.deps.database.pool()
    rows = await pool.fetch("select * from control.one_time_tokens order by id")
    entries = await pool.fetch("select * from control.audit_entries order by id")
    one, other = (same(row, "id", "digest", "created_at", "expires_at") for row in rows)
    assert one == other
    lifetimes = {(row["expires_at"] - row["created_at"]).total_seconds() for row in rows}
    assert lifetimes == {24 * 3600}
    first, second = (same(entry, "id", "at", "target", "actor", "request_id") for entry in entries)
    assert first == second
    assert [entry["target"][:4] for entry in entries] == ["tok_", "tok_"]
    assert entries[0]["actor"] == "system:up"


def same(row, *but):
    return {name: value for name, value in row.items() if name not in but}


async def test_the_link_opens_the_outbox_once(world):
    token = (await make_outbox_link(world.deps.settings)).rpartition("/")[2]
    assert (await open_local(world.deps, token, client=world.client())).person is None
    with pytest.raises(NatterError):
        await open_local(world.deps, token, client=world.client())


async def test_a_link_of_another_installation_opens_nothing(world):
    other = dataclasses.replace(world.deps.settings, master_key=Vault.generate_master_key())
    token = (await make_outbox_link(other)).rpartition("/")[2]
    with pytest.raises(NatterError):
        await look_up_local(world.deps, token)


def test_the_start_screen_says_where_to_begin(tmp_path):
    text = screen(Folder(tmp_path), "http://127.0.0.1:8000", ["http://127.0.0.1:8100"], "http://x/local/t", 1.23)
    assert "Portal       http://127.0.0.1:8000\n" in text
    assert "Chat         http://127.0.0.1:8100\n" in text
    assert f"Data         {tmp_path}" in text
    assert "Mail outbox  http://x/local/t\n" in text
    assert "1. Open http://127.0.0.1:8000/sign-up" in text
    assert "the confirmation mail lands in the outbox" in text
    assert "quickstart" in text
    assert "!" not in text
