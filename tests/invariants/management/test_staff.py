"""`/staff/…` is for who operates the installation. To others, owners of organizations among them, it is not there."""

from uuid import UUID

import pytest

from tests.billing.planted import plant_dead_letter, plant_refused
from tests.invariants.management.visits import Visits
from tests.invariants.management.world import World

EVENT = "evt_of_everybody"
REPLAY = f"/staff/webhooks/{EVENT}/replay"


@pytest.fixture
async def dead(world: World) -> None:
    await world.database.execute("delete from control.stripe_events where event_id = $1", EVENT)
    await plant_dead_letter(world.database.fetch, EVENT, now=world.deps.clock.now())


async def state(world: World) -> str:
    found: str = await world.database.fetchval("select state from control.stripe_events where event_id = $1", EVENT)
    return found


@pytest.mark.usefixtures("dead")
@pytest.mark.parametrize("visitor", ["stranger", "former member", "nobody", "machine's owner", "an owner"])
async def test_to_others_it_does_not_exist_and_nothing_is_replayed(visits: Visits, visitor: str) -> None:
    world = visits.world
    if visitor == "an owner":
        await world.house(with_role="owner")
        who = await world.signed_in("owner", world.people["owner"])
    else:
        who = world.visitors[visitor]
    assert (await visits.ask("GET", "/staff/webhooks", who)).status == 404
    assert (await visits.ask("POST", REPLAY, who, form={})).status == 404
    assert await state(world) == "dead"


@pytest.mark.usefixtures("dead")
async def test_staff_sees_it_and_replays_it_under_its_name(visits: Visits) -> None:
    world, who = visits.world, visits.world.visitors["staff"]
    page = await visits.ask("GET", "/staff/webhooks", who)
    assert page.status == 200
    assert EVENT in page.body
    assert "no such price" in page.body
    assert (await visits.ask("POST", REPLAY, who, form={})).status == 303
    assert await state(world) == "pending"
    assert (await visits.ask("POST", REPLAY, who, form={})).status == 404, "it is no dead letter any more"
    actor = await world.database.fetchval(
        "select actor from control.audit_entries where action = 'stripe.event_replayed' and target = $1", EVENT
    )
    assert actor.startswith("account:acc_")


@pytest.fixture
async def command(world: World) -> UUID:
    command = world.deps.ids.uuid7()
    organization = await world.database.fetchval("select id from control.organizations limit 1")
    await plant_refused(world.database.fetch, command, organization=organization, now=world.deps.clock.now())
    return command


async def asked(world: World, command: UUID) -> str:
    found: str = await world.database.fetchval("select state from control.stripe_commands where id = $1", command)
    return found


@pytest.mark.parametrize("visitor", ["stranger", "former member", "nobody", "machine's owner"])
async def test_nobody_else_says_what_stripe_is_asked_for(visits: Visits, visitor: str, command: UUID) -> None:
    who = visits.world.visitors[visitor]
    for what in ("again", "drop"):
        path = f"/staff/webhooks/refused/{command}/{what}"
        assert (await visits.ask("POST", path, who, form={})).status == 404
    assert await asked(visits.world, command) == "refused"


@pytest.mark.parametrize(("what", "then"), [("again", "pending"), ("drop", "dropped")])
async def test_staff_has_stripe_asked_again_or_lets_it_be(visits: Visits, what: str, then: str, command: UUID) -> None:
    world, who = visits.world, visits.world.visitors["staff"]
    page = await visits.ask("GET", "/staff/webhooks", who)
    assert f"/refused/{command}/{what}" in page.body
    assert "No such coupon" in page.body
    path = f"/staff/webhooks/refused/{command}/{what}"
    assert (await visits.ask("POST", path, who, form={})).status == 303
    assert await asked(world, command) == then
    assert (await visits.ask("POST", path, who, form={})).status == 404, "it is not refused any more"
