"""Sign up and confirm the address.

Whether an address is known is never told: the answer is the same, only the mail differs. And nobody can put a password
on another's address: each attempt keeps its own password with its own link. The browser that made the attempt holds a
cookie for it and confirms by one click; any other must know the attempt's password. So whoever opens a link that a
stranger asked for activates nothing.
"""

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert

from control_plane import audit, mail
from control_plane.accounts import repository, throttles, tokens
from control_plane.accounts.addresses import is_reserved
from control_plane.accounts.client import Client
from control_plane.accounts.errors import WrongCredentials
from control_plane.accounts.models import Account, OneTimeToken
from control_plane.accounts.passwords import check_password
from control_plane.accounts.person import Person
from control_plane.accounts.sessions import NewSession, begin_session
from control_plane.context import Actor, Context, Deps
from control_plane.organizations.claims import claim_organizations
from control_plane.validation import check_email, check_name
from kernel.security.vault import Vault


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the page behind a link shows. `needs_password`: this is not the browser that signed up."""

    email: str
    name: str
    needs_password: bool


async def sign_up(deps: Deps, *, email: str, name: str, password: str, client: Client) -> str:
    """Mail a link that confirms the address, or to one that is confirmed already a word about that.

    Returns the value of the cookie `natter_signup`, which looks the same in both cases. Raises `InvalidInput` that
    names the field, and `RateLimited`.
    """
    email, name = check_email(email), check_name(name, field="name")
    check_password(password, email=email, name=name)
    await throttles.take(deps, (throttles.MAIL_BY_EMAIL, email), (throttles.MAIL_BY_IP, client.network))
    hashed = await deps.passwords.hash(password)
    async with deps.change(Actor("visitor", client.request_id)) as ctx:
        attempt = await _attempt(ctx, email, name, hashed)
    return _cookie(deps.vault, attempt)


async def look_up_confirmation(deps: Deps, token: str, *, cookie: str | None) -> Confirmation:
    """What a link would confirm, without doing it: programs that scan mails open links too. Raises `LinkInvalid`."""
    found, account = await _find(deps, token)
    return Confirmation(account.email, found.name or account.name, not _is_of(deps.vault, cookie, found.id))


async def confirm(
    deps: Deps, token: str, *, cookie: str | None, password: str | None = None, client: Client
) -> NewSession:
    """Prove the address, activate the attempt's name and password, and sign in.

    Raises `LinkInvalid`; without the attempt's cookie also `WrongCredentials` and `RateLimited`.
    """
    found, account = await _find(deps, token)
    if not _is_of(deps.vault, cookie, found.id):
        await throttles.take(
            deps, (throttles.CONFIRM_BY_LINK, str(found.id)), (throttles.SIGN_IN_BY_IP, client.network)
        )
        if not await deps.passwords.verify(found.password_hash, password or ""):
            raise WrongCredentials("This is not the password that was chosen when signing up.", field="password")
    async with deps.change(Actor(account.actor, client.request_id)) as ctx:
        account = await repository.get_for_change(ctx.session, account.id)
        await tokens.spend(ctx.session, found.id, now=ctx.now)
        account.name, account.password_hash = found.name or account.name, found.password_hash
        account.verified_at = ctx.now
        await tokens.withdraw(ctx.session, account.id)
        await audit.record(ctx, "account.confirmed", account.public_id)
        await claim_organizations(ctx, account)
        return await begin_session(ctx, Person.of(account), client)


async def _attempt(ctx: Context, email: str, name: str, password_hash: str) -> UUID:
    """The id of the attempt, or for an address that needs none an id of nothing."""
    row = {"id": ctx.ids.uuid7(), "email": email, "name": name, "staff": False, "created_at": ctx.now}
    savepoint = await ctx.session.begin_nested()
    await ctx.session.execute(insert(Account).values(row).on_conflict_do_nothing())
    # Asked after the insert, which waits for whoever gives the address up at this moment.
    if await is_reserved(ctx.session, email, now=ctx.now):
        await savepoint.rollback()
        mail.post(ctx, mail.account_exists(ctx.settings, to=email))
        await audit.record(ctx, "account.signed_up_again", "(an address that may be taken back)")
        return ctx.ids.uuid7()
    await savepoint.commit()
    account = await repository.by_email(ctx.session, email)
    assert account is not None
    if account.verified_at is not None:
        mail.post(ctx, mail.account_exists(ctx.settings, to=email))
        await audit.record(ctx, "account.signed_up_again", account.public_id)
        return ctx.ids.uuid7()
    token, attempt = tokens.issue(ctx, "verify", account.id, name=name, password_hash=password_hash)
    mail.post(ctx, mail.confirm_address(ctx.settings, to=email, token=token))
    await audit.record(ctx, "account.signed_up", account.public_id)
    return attempt


async def _find(deps: Deps, token: str) -> tuple[OneTimeToken, Account]:
    async with deps.database.unit_of_work(read_only=True) as uow:
        found = await tokens.find(uow.session, deps.vault, "verify", token, now=deps.clock.now())
        assert found.account_id is not None
        return found, await repository.get(uow.session, found.account_id)


def _cookie(vault: Vault, attempt: UUID) -> str:
    """It says nothing of the attempt to who does not know its id."""
    nonce = secrets.token_urlsafe(16)
    return f"{nonce}.{_seal(vault, nonce, attempt)}"


def _is_of(vault: Vault, cookie: str | None, attempt: UUID) -> bool:
    nonce, _, seal = (cookie or "").partition(".")
    return (nonce + seal).isascii() and hmac.compare_digest(seal, _seal(vault, nonce, attempt))


def _seal(vault: Vault, nonce: str, attempt: UUID) -> str:
    return hmac.new(vault.key("sign-up"), f"{nonce} {attempt}".encode(), sha256).hexdigest()
