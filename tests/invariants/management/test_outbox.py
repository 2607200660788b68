"""`/outbox` shows mails with links that open accounts: to staff and the machine's owner. To others it is not there."""

import re
from html import unescape

import pytest

from control_plane.mail.outbox import list_letters
from tests.invariants.answers import CANARY, same
from tests.invariants.management.visits import MANNERS, Visits
from tests.invariants.management.world import World

OPEN = ("staff", "machine's owner")
SHUT = ("stranger", "former member", "nobody")


@pytest.fixture
async def mail(world: World) -> str:
    """A letter to the victim."""
    async with world.deps.database.unit_of_work(read_only=True) as uow:
        letters = (await list_letters(uow.session, world.deps.vault, limit=5_000)).items
    return next(each.public_id for each in letters if CANARY in each.letter.to)


@pytest.mark.parametrize("visitor", SHUT)
@pytest.mark.parametrize("manner", MANNERS)
async def test_to_others_it_is_a_page_that_does_not_exist(visits: Visits, mail: str, visitor: str, manner: str) -> None:
    who = visits.world.visitors[visitor]
    async with visits.unnoticed("/outbox"):
        for path in ("/outbox", f"/outbox/{mail}", f"/outbox/{mail}/body", "/outbox/mail_nothing", "/outbox?cursor=x"):
            answers = [
                await visits.ask("GET", each, who, manner=manner, said={"path": each.partition("?")[0]})
                for each in (path, "/nowhere-at-all")
            ]
            assert answers[0].status == 404
            same(f"GET {path} as {visitor}", *answers)


@pytest.mark.parametrize("role", ["owner", "admin"])
async def test_it_is_not_there_for_who_owns_an_organization_either(visits: Visits, mail: str, role: str) -> None:
    world = visits.world
    await world.house(with_role=role)
    who = await world.signed_in(role, world.people[role])
    assert (await visits.ask("GET", f"/outbox/{mail}", who)).status == 404


@pytest.mark.parametrize("visitor", OPEN)
async def test_to_those_it_is_for_it_shows_them(visits: Visits, mail: str, visitor: str) -> None:
    who = visits.world.visitors[visitor]
    async with visits.unnoticed("/outbox"):
        for path in (f"/outbox/{mail}", f"/outbox/{mail}/body"):
            answer = await visits.ask("GET", path, who, show=True)
            assert answer.status == 200, path
            assert CANARY in answer.body
        page: str | None = "/outbox"
        while page is not None:  # letters of others may have come since
            answer = await visits.ask("GET", page, who, show=True)
            assert answer.status == 200, page
            more = re.search(r'href="(/outbox\?[^"]*cursor=[^"]*)"', answer.body)
            page = unescape(more[1]) if more is not None and CANARY not in answer.body else None
        assert CANARY in answer.body
        assert (await visits.ask("GET", "/outbox/mail_nothing", who)).status == 404


async def test_the_machines_owner_opens_nothing_else(visits: Visits) -> None:
    who = visits.world.visitors["machine's owner"]
    for path in ("/account", "/welcome", "/organizations/new", f"/apps/{visits.world.victim.kit.app}"):
        assert (await visits.ask("GET", path, who)).status == 303


async def test_only_staff_sends_a_letter_again(visits: Visits, mail: str) -> None:
    world, path = visits.world, f"/outbox/{mail}/send-again"
    for visitor in (*SHUT, "machine's owner"):
        async with visits.unnoticed(path):
            answer = await visits.ask("POST", path, world.visitors[visitor], form={})
            assert answer.status in (303, 404), visitor
    # It did not fail, so that there is nothing to do about it.
    async with visits.unnoticed(path):
        assert (await visits.ask("POST", path, world.visitors["staff"], form={})).status in (303, 403, 409)
