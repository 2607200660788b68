"""Change an account's address: the new one is proven by a link, and the old one can take the change back for 7 days."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import audit, mail
from control_plane.accounts import repository, throttles, tokens
from control_plane.accounts.authenticators import forget
from control_plane.accounts.client import Client
from control_plane.accounts.errors import LinkInvalid
from control_plane.accounts.models import Account, OneTimeToken, RecoveryCode
from control_plane.accounts.person import Person
from control_plane.accounts.sessions import end_all_sessions
from control_plane.context import Actor, Deps
from control_plane.organizations.claims import claim_organizations
from control_plane.validation import check_email
from kernel.errors import Conflict, InvalidInput


@dataclass(frozen=True, slots=True)
class AddressChange:
    """What a link would do: the account's address as it is, and what it becomes."""

    token_id: UUID
    account_id: UUID
    actor: str
    now_email: str
    then_email: str
    at: datetime


async def is_reserved(session: AsyncSession, email: str, *, now: datetime, but_for: UUID | None = None) -> bool:
    """Whether the address was another account's until lately, which may take it back."""
    query = select(OneTimeToken.id).where(
        OneTimeToken.purpose == "email_revert",
        OneTimeToken.email == email,
        OneTimeToken.used_at.is_(None),
        OneTimeToken.expires_at > now,
    )
    if but_for is not None:
        query = query.where(OneTimeToken.account_id != but_for)
    return (await session.execute(query.limit(1))).one_or_none() is not None


async def request_change(deps: Deps, person: Person, *, email: str, client: Client) -> str:
    """Mail a link to the new address, or to one that is somebody's a word about that; the caller cannot tell. Returns
    the address as it will be.

    Nothing changes before the link is opened by the same account. Raises `InvalidInput`, `RateLimited`.
    """
    email = check_email(email)
    if email == person.email:
        raise InvalidInput("`email` is your address already.", field="email")
    await throttles.take(
        deps, (throttles.MAIL_BY_EMAIL, email), (throttles.MAIL_BY_EMAIL, str(person.account_id)),
        (throttles.MAIL_BY_IP, client.network),
    )  # fmt: skip
    async with deps.change(Actor(person.actor, client.request_id)) as ctx:
        account = await repository.get_for_change(ctx.session, person.account_id)
        open_before = delete(OneTimeToken).where(
            OneTimeToken.account_id == account.id,
            OneTimeToken.purpose == "email_change",
            OneTimeToken.used_at.is_(None),
        )
        await ctx.session.execute(open_before.execution_options(synchronize_session=False))
        if await _is_somebodys(ctx.session, email, account.id, now=ctx.now):
            mail.post(ctx, mail.account_exists(ctx.settings, to=email))
        else:
            token, _ = tokens.issue(ctx, "email_change", account.id, email=email)
            mail.post(ctx, mail.confirm_new_address(ctx.settings, to=email, token=token))
        await audit.record(ctx, "account.email_change_requested", account.public_id)
    return email


async def look_up_change(deps: Deps, person: Person, token: str) -> AddressChange:
    """What a link to a new address would do. Raises `LinkInvalid`, for another's account too: an address that was
    mistyped is a stranger's, and its owner must not become the account's by a click."""
    change = await _find(deps, "email_change", token)
    if change.account_id != person.account_id:
        raise LinkInvalid()
    return change


async def confirm_change(deps: Deps, person: Person, token: str, *, client: Client) -> str:
    """Make the proven address the account's, end every other link, and mail the old address a way back; returns the
    new address. Raises `LinkInvalid`, and `Conflict` when the address became somebody's meanwhile."""
    change = await look_up_change(deps, person, token)
    async with deps.change(Actor(person.actor, client.request_id)) as ctx:
        account = await repository.get_for_change(ctx.session, person.account_id)
        await tokens.spend(ctx.session, change.token_id, now=ctx.now)
        if await is_reserved(ctx.session, change.then_email, now=ctx.now, but_for=account.id):
            raise Conflict("This address belongs to another account.")
        before = account.email
        await _set_address(ctx.session, account, change.then_email)
        # Links that went to the old address prove it no more.
        await tokens.withdraw(ctx.session, account.id)
        back, _ = tokens.issue(ctx, "email_revert", account.id, email=before)
        mail.post(ctx, mail.address_changed(ctx.settings, to=before, after=account.email, token=back, at=ctx.now))
        await audit.record(ctx, "account.email_changed", account.public_id)
        await claim_organizations(ctx, account)
    return change.then_email


async def look_up_revert(deps: Deps, token: str) -> AddressChange:
    """What the link in the mail to the old address would do. Raises `LinkInvalid`."""
    return await _find(deps, "email_revert", token)


async def revert_change(deps: Deps, token: str, *, client: Client) -> str:
    """Give the account its old address back, and keep out whoever changed it: every session and every link ends, and
    an authenticator or recovery codes that came after the change go. Returns the token of a link that sets a new
    password, which is the next thing to do.

    Raises `LinkInvalid`, and `Conflict` when the old address is another account's by now.
    """
    change = await _find(deps, "email_revert", token)
    async with deps.change(Actor(change.actor, client.request_id)) as ctx:
        account = await repository.get_for_change(ctx.session, change.account_id)
        await tokens.spend(ctx.session, change.token_id, now=ctx.now)
        await _set_address(ctx.session, account, change.then_email)
        # Ways back from addresses that came after this one: they are the other's.
        later = delete(OneTimeToken).where(
            OneTimeToken.account_id == account.id,
            OneTimeToken.purpose == "email_revert",
            OneTimeToken.created_at >= change.at,
            OneTimeToken.used_at.is_(None),
        )
        await ctx.session.execute(later.execution_options(synchronize_session=False))
        await tokens.withdraw(ctx.session, account.id)
        if account.two_step_at is not None and account.two_step_at >= change.at:
            await forget(ctx, account)
        codes = delete(RecoveryCode).where(RecoveryCode.account_id == account.id, RecoveryCode.created_at >= change.at)
        await ctx.session.execute(codes)
        await end_all_sessions(ctx, account.id)
        reset, _ = tokens.issue(ctx, "reset", account.id)
        await audit.record(ctx, "account.email_change_reverted", account.public_id)
    return reset


async def _find(deps: Deps, purpose: tokens.Purpose, token: str) -> AddressChange:
    async with deps.database.unit_of_work(read_only=True) as uow:
        found = await tokens.find(uow.session, deps.vault, purpose, token, now=deps.clock.now())
        assert found.account_id is not None
        assert found.email is not None
        account = await repository.get(uow.session, found.account_id)
    return AddressChange(found.id, account.id, account.actor, account.email, found.email, found.created_at)


async def _is_somebodys(session: AsyncSession, email: str, account_id: UUID, *, now: datetime) -> bool:
    if await repository.by_email(session, email) is not None:
        return True
    return await is_reserved(session, email, now=now, but_for=account_id)


async def _set_address(session: AsyncSession, account: Account, email: str) -> None:
    try:
        async with session.begin_nested():
            account.email = email
            await session.flush()
    except IntegrityError:
        raise Conflict("This address belongs to another account.") from None
