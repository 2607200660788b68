"""Links in mails: `/verify/{token}`, `/reset/{token}`, `/email/{token}`, `/email-back/{token}`,
`/invitations/{token}`, `/local/{token}`.

A token is good for its purpose, once, and for whom it was made; to everything else it is nothing.
"""

import secrets

import pytest

from control_plane.accounts.addresses import confirm_change, request_change
from control_plane.accounts.local import create_outbox_link
from control_plane.accounts.reset import request_reset
from control_plane.accounts.sign_up import sign_up
from control_plane.members.invitations import invite
from tests.control_plane.fixtures import link_of
from tests.invariants.answers import Answer, same
from tests.invariants.management.visits import Visits
from tests.invariants.management.world import Visitor, World

PURPOSES = ("verify", "reset", "invitations", "local", "email", "email-back")
FOR_SIGNED_IN = {("POST", "invitations"), ("GET", "email"), ("POST", "email")}
"""Strangers are sent to sign in first."""
FORMS: dict[str, dict[str, str]] = {
    "verify": {"password": "correct horse battery"},
    "reset": {"password": "a password of the stranger"},
    "invitations": {},
    "local": {},
    "email": {},
    "email-back": {},
}


@pytest.fixture
async def tokens(world: World) -> dict[str, str]:
    """Fresh ones of the victim's, by purpose."""
    await world.database.execute("delete from control.throttles")
    email = f"guest{secrets.token_hex(4)}@example.com"
    await sign_up(
        world.deps, email=email, name="Guest", password="correct horse battery", client=world.control.client()
    )
    verify = await world.control.link(email)
    await request_reset(world.deps, email=world.victims_member.email, client=world.control.client())
    reset = await world.control.link(world.victims_member.email)
    address = f"invited{secrets.token_hex(4)}@example.com"
    async with world.deps.change_as(world.victim.owner, "req_test") as ctx:
        await invite(ctx, world.victim.owner, email=address, role="admin")
    invitation = link_of((await world.control.letters(address))[0])
    async with world.as_operator() as ctx:
        local = (await create_outbox_link(ctx)).rpartition("/")[2]
    moving = await world.control.person(f"moving{secrets.token_hex(4)}@example.com", "Moving")
    new, newer = (f"moved{secrets.token_hex(4)}@example.com" for _ in range(2))
    await request_change(world.deps, moving, email=new, client=world.control.client())
    await confirm_change(world.deps, moving, await world.control.link(new), client=world.control.client())
    back = await world.control.link(moving.email)
    await request_change(world.deps, moving, email=newer, client=world.control.client())
    return {
        "verify": verify,
        "reset": reset,
        "invitations": invitation,
        "local": local,
        "email": await world.control.link(newer),
        "email-back": back,
    }


@pytest.mark.parametrize("purpose", PURPOSES)
@pytest.mark.parametrize("visitor", ["stranger", "nobody", "staff", "machine's owner"])
async def test_a_token_of_another_purpose_is_nothing(
    visits: Visits, tokens: dict[str, str], purpose: str, visitor: str
) -> None:
    world = visits.world
    who = world.visitors[visitor]
    nothing = secrets.token_urlsafe(32)
    async with visits.unnoticed(f"/{purpose}"):
        for other in PURPOSES:
            if other == purpose:
                continue
            for method in ("GET", "POST"):
                answers = [await follow(visits, method, purpose, token, who) for token in (tokens[other], nothing)]
                same(f"{method} /{purpose} with a token of /{other}", *answers)
                assert answers[0].status in ((404, 303) if (method, purpose) in FOR_SIGNED_IN else (404,))
    # None of them was used up by that.
    for other in set(PURPOSES) - {"email"}:
        assert (await follow(visits, "GET", other, tokens[other], world.visitors["nobody"], show=True)).status == 200


@pytest.mark.parametrize("purpose", PURPOSES)
async def test_opening_a_link_changes_nothing_however_often(
    visits: Visits, tokens: dict[str, str], purpose: str
) -> None:
    async with visits.unnoticed(f"GET /{purpose}"):
        for visitor in visits.world.visitors.values():
            answer = await follow(visits, "GET", purpose, tokens[purpose], visitor, show=True)
            # A new address is for the account that asked for it, and none of these is signed in to that.
            assert answer.status in ((404, 303) if purpose == "email" else (200, 303)), str(answer)


@pytest.mark.parametrize("visitor", ["stranger", "former member", "staff"])
async def test_an_invitation_is_for_its_address_alone(visits: Visits, tokens: dict[str, str], visitor: str) -> None:
    world = visits.world
    async with visits.unnoticed("POST /invitations/{token}"):
        answer = await follow(visits, "POST", "invitations", tokens["invitations"], world.visitors[visitor], show=True)
    assert answer.status == 403, str(answer)


@pytest.mark.parametrize("visitor", ["stranger", "staff", "nobody"])
async def test_a_new_address_is_for_the_account_that_asked_for_it(
    visits: Visits, tokens: dict[str, str], visitor: str
) -> None:
    who = visits.world.visitors[visitor]
    for method in ("GET", "POST"):
        answers = [await follow(visits, method, "email", token, who) for token in (tokens["email"], "nothing")]
        same(f"{method} /email", *answers)
        assert answers[0].status == (303 if visitor == "nobody" else 404)


async def test_a_link_works_once(visits: Visits, tokens: dict[str, str]) -> None:
    nobody = visits.world.visitors["nobody"]
    for purpose in ("local", "verify", "reset", "email-back"):
        first = await follow(visits, "POST", purpose, tokens[purpose], nobody, show=True)
        assert first.status == 303, f"{purpose}: {first}"
        async with visits.unnoticed(f"POST /{purpose}"):
            for method in ("GET", "POST"):
                again = await follow(visits, method, purpose, tokens[purpose], nobody)
                assert again.status == 404, f"{purpose}: {again}"
                same(purpose, again, await follow(visits, method, purpose, secrets.token_urlsafe(32), nobody))


async def follow(visits: Visits, method: str, purpose: str, token: str, who: Visitor, *, show: bool = False) -> Answer:
    form = FORMS[purpose] if method == "POST" else None
    said = {"token": token}
    return await visits.ask(method, f"/{purpose}/{token}", who, form=form, said=said, show=show)
