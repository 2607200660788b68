"""Two-step sign-in: the authenticator of an account, and the codes for who has lost it.

An authenticator counts from its first right code on; until then it is an offer that signing in does not ask for.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import audit, mail
from control_plane.accounts import repository, throttles, totp
from control_plane.accounts.client import Client
from control_plane.accounts.errors import WrongCode
from control_plane.accounts.models import Account, Authenticator, RecoveryCode
from control_plane.accounts.person import Person
from control_plane.accounts.sessions import SignedIn, end_all_sessions, end_other_sessions
from control_plane.context import Actor, Context, Deps
from control_plane.members.models import Membership
from control_plane.organizations.models import Organization
from control_plane.validation import check_email
from kernel.errors import Conflict, Forbidden, NotFound
from kernel.security import keys
from kernel.security.vault import Vault

PURPOSE: Final = "authenticators"
CODES: Final = 10
_ALPHABET: Final = "23456789abcdefghjkmnpqrstuvwxyz"
"""Without the characters that are taken for each other on paper."""
_HALF: Final = 5

Way = Literal["authenticator", "recovery code"]


@dataclass(frozen=True, slots=True)
class Offer:
    """An authenticator that waits for its first code: what goes into the app."""

    secret: str
    uri: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an account's two-step sign-in stands."""

    since: datetime | None
    codes_left: int


async def standing(session: AsyncSession, account_id: UUID) -> Standing:
    """Since when it is on, and how many recovery codes are left."""
    account = await repository.get(session, account_id)
    return Standing(account.two_step_at, await _codes_left(session, account_id))


async def offered(session: AsyncSession, vault: Vault, person: Person) -> Offer:
    """The authenticator that waits for its first code. Raises `NotFound`."""
    account = await repository.get(session, person.account_id)
    row = await session.get(Authenticator, person.account_id, populate_existing=True)
    if row is None or account.two_step_at is not None:
        raise NotFound("No authenticator waits for its first code.")
    secret = _open(vault, row)
    return Offer(totp.spell(secret), totp.uri(secret, account.email))


async def offer(ctx: Context, account_id: UUID) -> None:
    """A fresh secret in the place of one that was never confirmed. Raises `Conflict` where two-step sign-in is on."""
    account = await repository.get_for_change(ctx.session, account_id)
    if account.two_step_at is not None:
        raise Conflict("Two-step sign-in is on. Turn it off first to use another authenticator.")
    sealed = ctx.vault.seal(PURPOSE, totp.new_secret(), context=account_id.bytes)
    await ctx.session.execute(delete(Authenticator).where(Authenticator.account_id == account_id))
    row = {"account_id": account_id, "sealed_secret": sealed, "created_at": ctx.now, "used_step": 0}
    await ctx.session.execute(insert(Authenticator).values(row))
    await audit.record(ctx, "account.two_step_offered", account.public_id)


async def turn_on(deps: Deps, signed_in: SignedIn, *, code: str, client: Client) -> list[str]:
    """Confirm the offered authenticator by its first code, end the other sessions, tell by mail; returns the recovery
    codes, which are known now and never again.

    Raises `WrongCode`, `NotFound` when none is offered, `Conflict` when it is on already, `RateLimited`.
    """
    person = person_of(signed_in)
    await throttles.take(deps, (throttles.SECOND_STEP, str(person.account_id)))
    async with deps.change(Actor(person.actor, client.request_id)) as ctx:
        account = await repository.get_for_change(ctx.session, person.account_id)
        if account.two_step_at is not None:
            raise Conflict("Two-step sign-in is on already.")
        if not await _spend_step(ctx.session, ctx.vault, account.id, code, now=ctx.now):
            raise WrongCode()
        account.two_step_at = ctx.now
        codes = await _new_codes(ctx, account.id)
        await end_other_sessions(ctx, account.id, keep=signed_in.session_id)
        mail.post(ctx, mail.security_notice(ctx.settings, to=account.email, change="two_step_on", at=ctx.now))
        await audit.record(ctx, "account.two_step_turned_on", account.public_id)
    await throttles.forgive(deps, throttles.SECOND_STEP, str(person.account_id))
    return codes


async def turn_off(ctx: Context, signed_in: SignedIn) -> None:
    """Forget the authenticator and its recovery codes, end the other sessions, tell by mail.

    Raises `Conflict` where it is off, and `Forbidden` where an organization of the account requires it.
    """
    person = person_of(signed_in)
    account = await repository.get_for_change(ctx.session, person.account_id)
    if account.two_step_at is None:
        raise Conflict("Two-step sign-in is off already.")
    wanting = (
        select(Organization.name)
        .join(Membership, Membership.organization_id == Organization.id)
        .where(Membership.account_id == account.id, Organization.two_step_required)
        .order_by(Organization.name)
        .limit(1)
    )
    if (name := (await ctx.session.execute(wanting)).scalar_one_or_none()) is not None:
        raise Forbidden(f"{name} is for members with two-step sign-in. Leave it first, or ask an owner to change that.")
    await forget(ctx, account)
    await end_other_sessions(ctx, account.id, keep=signed_in.session_id)
    mail.post(ctx, mail.security_notice(ctx.settings, to=account.email, change="two_step_off", at=ctx.now))


async def let_in(ctx: Context, email: str) -> None:
    """For who has lost the authenticator and every recovery code, by the operator, who has made sure who asks: two-step
    sign-in is off, every session ends, a mail says so. Raises `NotFound`, and `Conflict` where it is off."""
    found = await repository.by_email(ctx.session, check_email(email))
    if found is None:
        raise NotFound("There is no account with this address.")
    account = await repository.get_for_change(ctx.session, found.id)
    if account.two_step_at is None:
        raise Conflict("Two-step sign-in is off already.")
    await forget(ctx, account)
    await end_all_sessions(ctx, account.id)
    mail.post(ctx, mail.security_notice(ctx.settings, to=account.email, change="two_step_off", at=ctx.now))


async def forget(ctx: Context, account: Account) -> None:
    """Sign in without a code from now on. The account is locked by the caller."""
    account.two_step_at = None
    await ctx.session.execute(delete(Authenticator).where(Authenticator.account_id == account.id))
    await ctx.session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account.id))
    await audit.record(ctx, "account.two_step_turned_off", account.public_id)


async def renew_codes(ctx: Context, account_id: UUID) -> list[str]:
    """Ten fresh recovery codes; those before end. Raises `Conflict` where two-step sign-in is off."""
    account = await repository.get_for_change(ctx.session, account_id)
    if account.two_step_at is None:
        raise Conflict("Turn on two-step sign-in first.")
    codes = await _new_codes(ctx, account_id)
    mail.post(ctx, mail.security_notice(ctx.settings, to=account.email, change="codes_renewed", at=ctx.now))
    await audit.record(ctx, "account.recovery_codes_renewed", account.public_id)
    return codes


async def spend_code(session: AsyncSession, vault: Vault, account_id: UUID, typed: str, *, now: datetime) -> Way | None:
    """Use up what was typed: a code of the authenticator, or a recovery code. Of any number of callers with the same
    code one succeeds. `None`: it is neither, or was used."""
    text = "".join(typed.split()).replace("-", "").lower()
    if len(text) == totp.DIGITS and text.isascii() and text.isdigit():
        return "authenticator" if await _spend_step(session, vault, account_id, text, now=now) else None
    statement = (
        update(RecoveryCode)
        .where(RecoveryCode.account_id == account_id, RecoveryCode.digest == _digest(vault, account_id, text))
        .where(RecoveryCode.used_at.is_(None))
        .values(used_at=now)
        .returning(RecoveryCode.digest)
        .execution_options(synchronize_session=False)
    )
    return "recovery code" if (await session.execute(statement)).one_or_none() is not None else None


async def tell_of_code(ctx: Context, account: Account, way: Way) -> None:
    """A recovery code that was used is worth a mail: it may have been somebody else who found the paper."""
    if way == "authenticator":
        return
    left = await _codes_left(ctx.session, account.id)
    mail.post(ctx, mail.security_notice(ctx.settings, to=account.email, change="code_used", at=ctx.now, left=left))
    await audit.record(ctx, "account.recovery_code_used", account.public_id, left=left)


def person_of(signed_in: SignedIn) -> Person:
    """Raises `Forbidden` for the machine's owner, who is nobody."""
    if signed_in.person is None:
        raise Forbidden()
    return signed_in.person


async def _spend_step(session: AsyncSession, vault: Vault, account_id: UUID, code: str, *, now: datetime) -> bool:
    row = await session.get(Authenticator, account_id, populate_existing=True)
    if row is None:
        return False
    step = totp.matching_step(_open(vault, row), "".join(code.split()), now)
    if step is None:
        return False
    statement = (
        update(Authenticator)
        .where(Authenticator.account_id == account_id, Authenticator.used_step < step)
        .values(used_step=step)
        .returning(Authenticator.used_step)
        .execution_options(synchronize_session=False)
    )
    return (await session.execute(statement)).one_or_none() is not None


async def _new_codes(ctx: Context, account_id: UUID) -> list[str]:
    await ctx.session.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))
    made = ["".join(secrets.choice(_ALPHABET) for _ in range(2 * _HALF)) for _ in range(CODES)]
    rows = [
        {"account_id": account_id, "digest": _digest(ctx.vault, account_id, code), "created_at": ctx.now}
        for code in made
    ]
    await ctx.session.execute(insert(RecoveryCode).values(rows))
    return [f"{code[:_HALF]}-{code[_HALF:]}" for code in made]


async def _codes_left(session: AsyncSession, account_id: UUID) -> int:
    query = select(func.count()).where(RecoveryCode.account_id == account_id, RecoveryCode.used_at.is_(None))
    return (await session.execute(query)).scalar_one()


def _open(vault: Vault, row: Authenticator) -> bytes:
    return vault.open(PURPOSE, row.sealed_secret, context=row.account_id.bytes)


def _digest(vault: Vault, account_id: UUID, code: str) -> str:
    return keys.digest(vault.key("recovery-codes"), f"{account_id} {code}" if code.isascii() else "")
