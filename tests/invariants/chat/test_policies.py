"""The database keeps the tenants of a shard apart even where a query forgets to."""

import pytest

from tests.invariants.answers import Leak
from tests.invariants.chat.world import World
from tests.invariants.policies import Wall, check_catalogue, check_for_real

WALL = Wall(
    "chat", "natter_app", "natter.app_id", ["app_id"], outside=["app_snapshots", "usage_outbox", "erased_usage"]
)
QUIET = {
    *("chat.usage_samples", "chat.idempotency_keys", "chat.blocks", "chat.presence", "chat.privacy", "chat.reactions"),
    *("chat.thread_members", "chat.mentions", "chat.message_edits", "chat.pins", "chat.hidden_messages"),
}
"""Tables in which the victim may have nothing yet; they are behind the wall by the catalogue's word."""


async def check(world: World) -> set[str]:
    whole = await check_catalogue(world.database, WALL)
    seen = await check_for_real(
        world.database, WALL, world.conditions, victim=world.victim.app_id, stranger=world.stranger.app_id
    )
    assert {f"chat.{table}" for table in whole} - QUIET <= seen
    return whole


async def test_every_tenants_table_is_behind_the_wall_and_the_wall_holds(world: World) -> None:
    assert len(await check(world)) >= 10


@pytest.mark.parametrize(
    ("breach", "mend"),
    [
        (
            "alter table chat.members disable row level security",
            "alter table chat.members enable row level security",
        ),
        (
            "alter table chat.messages no force row level security",
            "alter table chat.messages force row level security",
        ),
        (
            "create policy planted on chat.users to natter_app using (true)",
            "drop policy planted on chat.users",
        ),
        (
            "create policy planted on chat.users for delete to public using (id <> '')",
            "drop policy planted on chat.users",
        ),
        ("grant select on chat.usage_outbox to natter_app", "revoke select on chat.usage_outbox from natter_app"),
    ],
)
async def test_a_breach_in_the_wall_is_found(world: World, breach: str, mend: str) -> None:
    await world.database.execute(breach)
    try:
        with pytest.raises(Leak):
            await check(world)
    finally:
        await world.database.execute(mend)
    await check(world)


async def test_a_breach_is_found_by_trying_too(world: World) -> None:
    await world.database.execute("alter table chat.members disable row level security")
    try:
        with pytest.raises(Leak, match=r"natter_app reads another tenant's rows of chat\.members"):
            await check_for_real(
                world.database, WALL, world.conditions, victim=world.victim.app_id, stranger=world.stranger.app_id
            )
    finally:
        await world.database.execute("alter table chat.members enable row level security")
