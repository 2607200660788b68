"""Step-up: whoever holds a session proves again who he is, before what cannot be taken back.

A session is confirmed for ten minutes from the moment it began or was confirmed. Confirming gives it a new token: a
copy of the old one, which waited for that, is worth nothing from then on.
"""

import secrets
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import update

from control_plane import audit
from control_plane.accounts import repository, throttles
from control_plane.accounts.authenticators import person_of, spend_code, tell_of_code
from control_plane.accounts.client import Client
from control_plane.accounts.errors import WrongCode, WrongCredentials
from control_plane.accounts.models import Session
from control_plane.accounts.sessions import NewSession, SignedIn, token_digest
from control_plane.context import Actor, Deps
from kernel.errors import InvalidInput, NotFound
from kernel.ids import format_id

GOOD_FOR: Final = timedelta(minutes=10)


def is_confirmed(signed_in: SignedIn, now: datetime) -> bool:
    """Whether the session was confirmed in the last ten minutes."""
    return signed_in.confirmed_at is not None and now - signed_in.confirmed_at < GOOD_FOR


async def confirm_session(
    deps: Deps, signed_in: SignedIn, *, password: str = "", code: str = "", client: Client
) -> NewSession:
    """Confirm the session by the account's password, or by a code of its authenticator; it has a new token then.

    Raises `InvalidInput` when nothing was typed, `WrongCredentials` with `field` `confirm_password`, `WrongCode` with
    `confirm_code`, `RateLimited`, and `NotFound` when the session has ended meanwhile.
    """
    person = person_of(signed_in)
    if not password and not code.strip():
        raise InvalidInput("Enter your password.", field="confirm_password")
    by_code = (throttles.SECOND_STEP, str(person.account_id))
    counted = (throttles.SIGN_IN_BY_EMAIL, person.email) if password else by_code
    await throttles.take(deps, counted, (throttles.SIGN_IN_BY_IP, client.network))
    if password:
        async with deps.database.unit_of_work(read_only=True) as uow:
            stored = (await repository.get(uow.session, person.account_id)).password_hash
        if not await deps.passwords.verify(stored, password):
            raise WrongCredentials("This is not your password.", field="confirm_password")
    token = secrets.token_urlsafe(32)
    async with deps.change(Actor(person.actor, client.request_id)) as ctx:
        account = await repository.get_for_change(ctx.session, person.account_id)
        if password:
            if account.password_hash != stored:  # Changed since it was verified above.
                raise WrongCredentials("This is not your password.", field="confirm_password")
        else:
            way = await spend_code(ctx.session, ctx.vault, account.id, code, now=ctx.now)
            if way is None or account.two_step_at is None:
                raise WrongCode("confirm_code")
            await tell_of_code(ctx, account, way)
        statement = (
            update(Session)
            .where(Session.id == signed_in.session_id, Session.expires_at > ctx.now)
            .values(confirmed_at=ctx.now, digest=token_digest(ctx.vault, token))
            .returning(Session.expires_at)
            .execution_options(synchronize_session=False)
        )
        expires_at = (await ctx.session.execute(statement)).scalar_one_or_none()
        if expires_at is None:
            raise NotFound("This session has ended.")
        await audit.record(ctx, "session.confirmed", format_id("ses", signed_in.session_id))
    await throttles.forgive(deps, *counted)
    return NewSession(token, signed_in.session_id, expires_at, person)
