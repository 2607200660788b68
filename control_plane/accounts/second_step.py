"""The second step of signing in: the password was right, the code is still to come."""

from dataclasses import dataclass
from datetime import datetime

from control_plane import audit
from control_plane.accounts import repository, throttles, tokens
from control_plane.accounts.authenticators import spend_code, tell_of_code
from control_plane.accounts.client import Client
from control_plane.accounts.errors import WrongCode
from control_plane.accounts.models import Account
from control_plane.accounts.person import Person
from control_plane.accounts.sessions import NewSession, begin_session
from control_plane.context import Actor, Context, Deps
from control_plane.organizations.claims import claim_organizations


@dataclass(frozen=True, slots=True)
class SecondStep:
    """What the browser keeps until the code comes, for 10 minutes. It opens nothing by itself."""

    token: str
    expires_at: datetime


async def enter(ctx: Context, account: Account, client: Client) -> NewSession | SecondStep:
    """What somebody gets whose first step was right: a session, or where two-step sign-in is on the way to it.

    The account is locked by the caller.
    """
    if account.two_step_at is None:
        await claim_organizations(ctx, account)
        return await begin_session(ctx, Person.of(account), client)
    token, _ = tokens.issue(ctx, "second_step", account.id)
    await audit.record(ctx, "account.second_step_asked", account.public_id)
    return SecondStep(token, ctx.now + tokens.LIFETIMES["second_step"])


async def look_up_second_step(deps: Deps, token: str) -> str:
    """The address of the account that waits for its code. Raises `LinkInvalid`."""
    async with deps.database.unit_of_work(read_only=True) as uow:
        found = await tokens.find(uow.session, deps.vault, "second_step", token, now=deps.clock.now())
        assert found.account_id is not None
        return (await repository.get(uow.session, found.account_id)).email


async def finish_sign_in(deps: Deps, token: str, *, code: str, client: Client) -> NewSession:
    """A session for who also has the authenticator, or a recovery code.

    Raises `LinkInvalid` when the first step is too long ago or was taken back, `WrongCode`, and `RateLimited`: tries
    are counted by account, so that a known password does not open the way to a million guesses.
    """
    async with deps.database.unit_of_work(read_only=True) as uow:
        found = await tokens.find(uow.session, deps.vault, "second_step", token, now=deps.clock.now())
    assert found.account_id is not None
    await throttles.take(
        deps, (throttles.SECOND_STEP, str(found.account_id)), (throttles.SIGN_IN_BY_IP, client.network)
    )
    async with deps.database.unit_of_work(read_only=True) as uow:
        actor = (await repository.get(uow.session, found.account_id)).actor
    async with deps.change(Actor(actor, client.request_id)) as ctx:
        account = await repository.get_for_change(ctx.session, found.account_id)
        way = await spend_code(ctx.session, ctx.vault, account.id, code, now=ctx.now)
        if way is None or account.two_step_at is None:
            raise WrongCode()
        await tokens.spend(ctx.session, found.id, now=ctx.now)
        await tell_of_code(ctx, account, way)
        await claim_organizations(ctx, account)
        session = await begin_session(ctx, Person.of(account), client)
    await throttles.forgive(deps, throttles.SECOND_STEP, str(found.account_id))
    return session
