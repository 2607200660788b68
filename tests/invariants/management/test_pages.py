"""Every page of the portal, asked for by whoever has no business there, and by members of every role."""

from contextlib import nullcontext
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from kernel.ids import format_id
from tests.invariants.answers import same
from tests.invariants.coverage import Operation, operations, uncovered
from tests.invariants.management.pages import PAGES, ROLES, Door, Elsewhere, Inside, Personal, entries, named
from tests.invariants.management.visits import Visits
from tests.invariants.management.world import World

INSIDE = list(entries(Inside))
NUMBERS = count(1)
VISITORS = ("stranger", "former member", "staff", "machine's owner", "nobody")


def test_every_route_of_the_management_port_has_an_entry(world: World) -> None:
    uncovered("management routes", operations(world.application), PAGES, "tests/invariants/management/pages.py")


@pytest.mark.parametrize("visitor", VISITORS)
@pytest.mark.parametrize(("operation", "entry"), INSIDE, ids=named)
async def test_who_does_not_belong_there_finds_nothing_there(
    visits: Visits, operation: Operation, entry: Inside, visitor: str
) -> None:
    await visits.sweep(operation, entry, visits.world.visitors[visitor])


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("operation", "entry"), INSIDE, ids=named)
async def test_a_member_may_do_what_its_role_says_and_no_more(
    visits: Visits, operation: Operation, entry: Inside, role: str
) -> None:
    await visits.try_role(operation, entry, role)


@pytest.mark.parametrize(("operation", "entry"), list(entries(Personal)), ids=named)
async def test_what_is_ones_own_is_nobody_elses(visits: Visits, operation: Operation, entry: Personal) -> None:
    world, what = visits.world, " ".join(operation)
    theirs = world.victim.kit
    # One who has nothing yet, and one who has an organization: its pages know both.
    newcomer = await world.control.person(f"newcomer{next(NUMBERS)}@example.com", "Newcomer")
    settled, house = world.people["owner"], await world.house()
    async with visits.unnoticed(what):
        for person in (newcomer, settled):
            visitor = await world.signed_in(person.name, person)
            mine = replace(theirs, session=format_id("ses", await world.session_of(person)))
            async with visits.unnoticed(what, house) if person is newcomer else nullcontext():
                if entry.session:
                    answers = [await visits.personal(operation, entry, visitor, kit) for kit in world.beside(theirs)]
                    same(what, *answers)
                    assert answers[0].status == 404
                answer = await visits.personal(operation, entry, visitor, mine)
            assert answer.status == (entry.newcomer if person is newcomer and entry.newcomer else entry.done), str(
                answer
            )
        for name in ("nobody", "machine's owner"):
            answers = [
                await visits.personal(operation, entry, world.visitors[name], kit) for kit in world.beside(theirs)
            ]
            same(f"{what} as {name}", *answers)
            assert answers[0].status == 303
            assert dict(answers[0].headers)["location"].startswith("/sign-in")


@pytest.mark.parametrize(("operation", "entry"), list(entries(Door)), ids=named)
async def test_the_door_shows_everybody_the_same(visits: Visits, operation: Operation, entry: Door) -> None:
    world = visits.world
    async with visits.unnoticed(" ".join(operation)):
        for name, visitor in world.visitors.items():
            form = dict(entry.form) if entry.form is not None else None
            answer = await visits.ask(operation[0], entry.path, visitor, form=form)
            signed_in = name not in ("nobody", "machine's owner")
            wanted = entry.signed_in if signed_in and entry.signed_in is not None else entry.done
            assert answer.status == wanted, f"{name}: {answer}"


async def test_signing_out_ends_ones_own_session_and_no_other(visits: Visits) -> None:
    world = visits.world
    person = await world.control.person("leaver@example.com", "Leaver")
    visitor, other = [await world.signed_in("leaver", person) for _ in range(2)]
    async with visits.unnoticed("POST /sign-out"):
        assert (await visits.ask("POST", "/sign-out", visitor, form={})).status == 303
        assert (await visits.ask("GET", "/account", visitor)).status == 303
        assert (await visits.ask("GET", "/account", other)).status == 200
        # Twice, and by nobody, ends nothing either.
        # Of a machine's owner's own: other files' tests go on with the one that all share.
        for who in (world.visitors["nobody"], await world.machines_owner()):
            assert (await visits.ask("POST", "/sign-out", who, form={})).status in (303, 403)
        assert (await visits.ask("GET", "/account", other)).status == 200


async def test_ending_the_other_sessions_ends_ones_own_alone(visits: Visits) -> None:
    world = visits.world
    person = await world.control.person("ender@example.com", "Ender")
    visitor, other = [await world.signed_in("ender", person) for _ in range(2)]
    async with visits.unnoticed("POST /account/sessions/end-others"):
        for who in (world.visitors["nobody"], world.visitors["machine's owner"]):
            assert (await visits.ask("POST", "/account/sessions/end-others", who, form={})).status == 303
        assert (await visits.ask("GET", "/account", other)).status == 200
        assert (await visits.ask("POST", "/account/sessions/end-others", visitor, form={})).status == 303
    assert (await visits.ask("GET", "/account", visitor)).status == 200
    assert (await visits.ask("GET", "/account", other)).status == 303


def test_what_is_swept_elsewhere_is_swept_there() -> None:
    for (_, path), entry in entries(Elsewhere):
        text = (Path(__file__).parent / entry.test).read_text()
        assert path.partition("{")[0].rstrip("/") in text, f"{path} is not in {entry.test}"


async def test_a_forms_id_makes_nothing_in_another_organization_or_app(visits: Visits) -> None:
    world = visits.world
    first, second = await world.house(), await world.house()
    visitor = await world.signed_in("owner", world.people["owner"])
    for template, form in (
        ("/organizations/{0.organization}/apps/new", {"app": "Twice", "environment": "development"}),
        ("/organizations/{0.organization}/members/invite", {"email": "twice@example.com", "role": "viewer"}),
        ("/apps/{0.app}/keys", {"access": "all", "lifetime": ""}),
        ("/apps/{0.app}/keys/publishable", {}),
        ("/apps/{0.app}/quickstart", {}),
        ("/apps/{0.app}/keys/{0.secret}/roll", {"overlap": "24h"}),
    ):
        path = template.format(first.kit)
        sent = form | {"new_id": world.form_id(visitor, path)}
        made = await visits.ask("POST", path, visitor, form=sent)
        assert made.status in (200, 303), str(made)
        async with visits.unnoticed(path, first), visits.unnoticed(path, second):
            again = await visits.ask("POST", template.format(second.kit), visitor, form=sent)
        assert again.status == 422, f"{path}: {again}"
        # In its own place, the same form again finds what it made.
        async with visits.unnoticed(path, second):
            assert (await visits.ask("POST", path, visitor, form=sent)).status in (200, 303)
