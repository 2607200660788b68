"""Reset a password by mail. The link proves the mailbox, as the one of sign-up does."""

from control_plane import audit, mail
from control_plane.accounts import repository, throttles, tokens
from control_plane.accounts.client import Client
from control_plane.accounts.models import Account, OneTimeToken
from control_plane.accounts.passwords import check_password
from control_plane.accounts.second_step import SecondStep, enter
from control_plane.accounts.sessions import NewSession, end_all_sessions
from control_plane.context import Actor, Deps
from control_plane.validation import check_email


async def request_reset(deps: Deps, *, email: str, client: Client) -> None:
    """Mail a link to set a new password, or to an address without account a word about that; the caller cannot tell.

    Raises `InvalidInput` for what is no address, and `RateLimited`.
    """
    email = check_email(email)
    await throttles.take(deps, (throttles.MAIL_BY_EMAIL, email), (throttles.MAIL_BY_IP, client.network))
    async with deps.change(Actor("visitor", client.request_id)) as ctx:
        account = await repository.by_email(ctx.session, email)
        if account is None:
            mail.post(ctx, mail.no_account(ctx.settings, to=email))
        else:
            token, _ = tokens.issue(ctx, "reset", account.id)
            mail.post(ctx, mail.reset_password(ctx.settings, to=email, token=token))
        # An address that nobody has is no business of a log that is kept for ever.
        await audit.record(ctx, "account.reset_requested", account.public_id if account else "(no account)")


async def look_up_reset(deps: Deps, token: str) -> str:
    """The address whose password a link resets. Raises `LinkInvalid`."""
    return (await _find(deps, token))[1].email


async def reset_password(deps: Deps, token: str, *, password: str, client: Client) -> NewSession | SecondStep:
    """Set the password, end every session and every other link, tell the owner by mail, and sign in. Where two-step
    sign-in is on, the mailbox is no more than the first step.

    Raises `LinkInvalid`, and `InvalidInput` for what can be no password; then the link still works.
    """
    found, account = await _find(deps, token)
    check_password(password, email=account.email, name=account.name)
    hashed = await deps.passwords.hash(password)
    async with deps.change(Actor(account.actor, client.request_id)) as ctx:
        account = await repository.get_for_change(ctx.session, account.id)
        await tokens.spend(ctx.session, found.id, now=ctx.now)
        account.password_hash, account.verified_at = hashed, account.verified_at or ctx.now
        await tokens.withdraw(ctx.session, account.id)
        await end_all_sessions(ctx, account.id)
        mail.post(ctx, mail.password_changed(ctx.settings, to=account.email, at=ctx.now))
        await audit.record(ctx, "account.password_reset", account.public_id)
        return await enter(ctx, account, client)


async def _find(deps: Deps, token: str) -> tuple[OneTimeToken, Account]:
    async with deps.database.unit_of_work(read_only=True) as uow:
        found = await tokens.find(uow.session, deps.vault, "reset", token, now=deps.clock.now())
        assert found.account_id is not None
        return found, await repository.get(uow.session, found.account_id)
