"""What people change about themselves."""

from uuid import UUID

from control_plane import audit, mail
from control_plane.accounts import repository, throttles, tokens
from control_plane.accounts.client import Client
from control_plane.accounts.errors import WrongCredentials
from control_plane.accounts.passwords import check_password
from control_plane.accounts.person import Person
from control_plane.accounts.sessions import NewSession, begin_session, end_all_sessions
from control_plane.context import Actor, Context, Deps
from control_plane.validation import check_name


async def change_password(deps: Deps, person: Person, *, current: str, new: str, client: Client) -> NewSession:
    """Replace the password, end every session and every open link, and begin a new session for this browser.

    Raises `WrongCredentials` with `field` `current`, `InvalidInput` with `field` `new`, and `RateLimited`.
    """
    await throttles.take(deps, (throttles.SIGN_IN_BY_EMAIL, person.email), (throttles.SIGN_IN_BY_IP, client.network))
    async with deps.database.unit_of_work(read_only=True) as uow:
        stored = (await repository.get(uow.session, person.account_id)).password_hash
    if not await deps.passwords.verify(stored, current):
        raise WrongCredentials("This is not your current password.", field="current")
    check_password(new, email=person.email, name=person.name, field="new")
    hashed = await deps.passwords.hash(new)
    async with deps.change(Actor(person.actor, client.request_id)) as ctx:
        account = await repository.get_for_change(ctx.session, person.account_id)
        if account.password_hash != stored:  # Changed since it was verified above.
            raise WrongCredentials("This is not your current password.", field="current")
        account.password_hash = hashed
        await tokens.withdraw(ctx.session, account.id)
        await end_all_sessions(ctx, account.id)
        mail.post(ctx, mail.password_changed(ctx.settings, to=account.email, at=ctx.now))
        await audit.record(ctx, "account.password_changed", account.public_id)
        return await begin_session(ctx, Person.of(account), client)


async def change_name(ctx: Context, account_id: UUID, name: str) -> None:
    """How others see this person. Raises `InvalidInput`."""
    name = check_name(name, field="name")
    account = await repository.get_for_change(ctx.session, account_id)
    account.name = name
    await audit.record(ctx, "account.renamed", account.public_id)
