"""Sign in with address and password.

It takes as long for an address that nobody has: one statement, one hash, whatever is found.
"""

from sqlalchemy import select

from control_plane.accounts import repository, throttles
from control_plane.accounts.client import Client
from control_plane.accounts.errors import NotConfirmed, WrongCredentials
from control_plane.accounts.models import Account, OneTimeToken
from control_plane.accounts.second_step import SecondStep, enter
from control_plane.accounts.sessions import NewSession
from control_plane.context import Actor, Deps
from control_plane.validation import check_email
from kernel.logging import get_logger

_log = get_logger(__name__)


async def sign_in(deps: Deps, *, email: str, password: str, client: Client) -> NewSession | SecondStep:
    """A session for who knows the password, or where two-step sign-in is on the way to it.

    Raises `WrongCredentials` without telling which of the two is wrong; `NotConfirmed` to who knows the password of an
    address that is not proven; `InvalidInput` for what is no address; `RateLimited`.
    """
    email = check_email(email)
    await throttles.take(deps, (throttles.SIGN_IN_BY_EMAIL, email), (throttles.SIGN_IN_BY_IP, client.network))
    account, stored = await _load(deps, email)
    known = await deps.passwords.verify(stored, password)
    if account is None or stored is None or not known:
        _log.info("accounts.sign_in_failed", requestId=client.request_id)
        raise WrongCredentials()
    if account.verified_at is None:
        raise NotConfirmed(
            "Open the link in the mail that we sent you. To get another one, sign up with the same address again."
        )
    renewed = await deps.passwords.hash(password) if deps.passwords.outdated(stored) else None
    await throttles.forgive(deps, throttles.SIGN_IN_BY_EMAIL, email)
    async with deps.change(Actor(account.actor, client.request_id)) as ctx:
        account = await repository.get_for_change(ctx.session, account.id)
        if account.password_hash != stored:  # Changed since it was verified above.
            raise WrongCredentials()
        account.password_hash = renewed or stored
        return await enter(ctx, account, client)


async def _load(deps: Deps, email: str) -> tuple[Account | None, str | None]:
    """The account, and the hash to verify against: of an account that is not confirmed its newest attempt's."""
    attempt = (
        select(OneTimeToken.password_hash)
        .where(
            OneTimeToken.account_id == Account.id,
            OneTimeToken.purpose == "verify",
            OneTimeToken.used_at.is_(None),
            OneTimeToken.expires_at > deps.clock.now(),
        )
        .order_by(OneTimeToken.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    async with deps.database.unit_of_work(read_only=True) as uow:
        row = (await uow.session.execute(select(Account, attempt).where(Account.email == email))).one_or_none()
    if row is None:
        return None, None
    account, pending = row
    return account, account.password_hash if account.verified_at is not None else pending
