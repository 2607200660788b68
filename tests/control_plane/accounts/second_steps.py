"""What the tests of two-step sign-in share: an app that knows the account's secret."""

import base64
from dataclasses import dataclass
from datetime import datetime

from control_plane.accounts import totp
from control_plane.accounts.authenticators import offer, offered, turn_on
from control_plane.accounts.person import Person
from control_plane.accounts.second_step import SecondStep
from control_plane.accounts.sessions import NewSession, SignedIn
from control_plane.accounts.sign_in import sign_in
from control_plane.context import Actor
from tests.control_plane.fixtures import PASSWORD, World


@dataclass(frozen=True)
class App:
    """An authenticator app."""

    secret: bytes

    def code(self, at: datetime, later: int = 0) -> str:
        return totp.code_at(self.secret, totp.step_of(at) + later)


async def offered_app(world: World, person: Person) -> App:
    """An authenticator that waits for its first code."""
    async with world.deps.change(Actor(person.actor, "req_test")) as ctx:
        await offer(ctx, person.account_id)
    async with world.deps.database.unit_of_work(read_only=True) as uow:
        found = await offered(uow.session, world.deps.vault, person)
    return App(base64.b32decode(found.secret))


async def signed_in(world: World, person: Person) -> tuple[SignedIn, NewSession]:
    session = await sign_in(world.deps, email=person.email, password=PASSWORD, client=world.client())
    assert isinstance(session, NewSession)
    return SignedIn(session.session_id, "account", person, world.clock.now()), session


async def two_step_on(world: World, person: Person) -> tuple[App, list[str], NewSession]:
    """The app, the recovery codes, and the session that stays."""
    who, session = await signed_in(world, person)
    app = await offered_app(world, person)
    codes = await turn_on(world.deps, who, code=app.code(world.clock.now()), client=world.client())
    return app, codes, session


async def first_step(world: World, person: Person) -> SecondStep:
    entered = await sign_in(world.deps, email=person.email, password=PASSWORD, client=world.client())
    assert isinstance(entered, SecondStep)
    return entered
