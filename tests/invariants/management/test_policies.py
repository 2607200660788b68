"""The database keeps organizations apart even where a query forgets to."""

import pytest

from tests.invariants.answers import Leak
from tests.invariants.management.world import World
from tests.invariants.policies import Wall, check_catalogue, check_for_real

WALL = Wall(
    "control",
    "natter_portal",
    "natter.organization_id",
    ["app_id", "organization_id", "account_id"],
    also=["organizations", "accounts", "mails"],
    # The apps and members that these see are the organization's, by those tables' own policies.
    through=["control.apps", "control.memberships"],
    # A page may hand a letter in; it can read none.
    unchecked=[("mails", "post")],
)


async def check(world: World) -> set[str]:
    whole = await check_catalogue(world.database, WALL)
    seen = await check_for_real(
        world.database, WALL, world.conditions, victim=world.victim.id, stranger=(await world.house()).id
    )
    # What the victim has nothing in yet is behind the wall by the catalogue's word.
    quiet = {"usage_hourly", "usage_ledger", "usage_minutes", "usage_quarantine", "usage_subjects", "mails"} | {
        "credit_grants", "credit_entries", "coupon_redemptions", "billing_months", "usage_alerts", "usage_levels",
            "dunning", "stripe_customers", "stripe_subscriptions", "stripe_sessions", "stripe_commands",
            "stripe_invoices", "stripe_meter_events", "stripe_differences", "stripe_statements",
    }  # fmt: skip
    assert {f"control.{table}" for table in whole - quiet} <= seen
    return whole


async def test_every_tenants_table_is_behind_the_wall_and_the_wall_holds(world: World) -> None:
    assert len(await check(world)) >= 18


@pytest.mark.parametrize(
    ("breach", "mend"),
    [
        (
            "alter table control.apps disable row level security",
            "alter table control.apps enable row level security",
        ),
        (
            "alter table control.api_keys no force row level security",
            "alter table control.api_keys force row level security",
        ),
        (
            "create policy planted on control.memberships to natter_portal using (true)",
            "drop policy planted on control.memberships",
        ),
        (
            "create policy planted on control.organizations for update to public using (name <> '')",
            "drop policy planted on control.organizations",
        ),
        ("create table control.planted (id int, app_id uuid)", "drop table control.planted"),
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
