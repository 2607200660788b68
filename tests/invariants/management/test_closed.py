"""An organization that is closed, or wants two-step sign-in, has nothing but the ways out for whom it concerns."""

import pytest

from control_plane.organizations.closing import close_organization
from tests.invariants.management.pages import Inside, entries
from tests.invariants.management.visits import Visits

ANYWAY = {
    ("GET", "/organizations/{organization_id}/closed"): 200,
    ("POST", "/organizations/{organization_id}/restore"): 303,
    ("GET", "/organizations/{organization_id}/export"): 200,
    ("GET", "/organizations/{organization_id}/leave"): 200,
    ("POST", "/organizations/{organization_id}/leave"): 409,
}


@pytest.mark.parametrize("role", ["owner", "admin", "viewer"])
async def test_every_page_of_a_closed_organization_is_closed(visits: Visits, role: str) -> None:
    world = visits.world
    house = await world.house(with_role=role)
    async with world.deps.change_as(house.owner, "req_test") as ctx:
        await close_organization(ctx, house.owner)
    visitor = await world.signed_in(role, world.people[role])
    swept = sorted(entries(Inside), key=lambda pair: pair[0] == ("POST", "/organizations/{organization_id}/restore"))
    closed = f"/organizations/{house.kit.organization}/closed"
    for operation, entry in swept:
        anyway = operation in ANYWAY and role == "owner"
        form = dict(entry.form(house.kit)) if entry.form else None
        before = await world.rows_of(house)
        answer = await visits.ask(operation[0], entry.path(house.kit), visitor, form=form)
        if anyway:
            assert answer.status == ANYWAY[operation], f"{operation}: {answer}"
            continue
        assert answer.status == (303 if role == "owner" else 403), f"{operation}: {answer}"
        if role == "owner":
            assert dict(answer.headers)["location"] == closed
        assert await world.rows_of(house) == before, f"{operation} changed something"


@pytest.mark.parametrize("role", ["owner", "viewer"])
async def test_who_lacks_the_two_steps_that_it_wants_can_only_leave(visits: Visits, role: str) -> None:
    world = visits.world
    house = await world.house(with_role=role)
    await world.database.execute("update control.organizations set two_step_required = true where id = $1", house.id)
    visitor = await world.signed_in(role, world.people[role])
    for operation, entry in sorted(entries(Inside), key=lambda pair: pair[0][1].endswith("/leave")):
        form = dict(entry.form(house.kit)) if entry.form else None
        before = await world.rows_of(house)
        answer = await visits.ask(operation[0], entry.path(house.kit), visitor, form=form)
        if operation[1].endswith("/leave"):
            assert answer.status != 403
            continue
        assert answer.status == 403, f"{operation}: {answer}"
        assert await world.rows_of(house) == before, f"{operation} changed something"
