"""Sessions: a browser that is signed in. It holds a random token, the database its HMAC."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import audit
from control_plane.accounts.client import Client
from control_plane.accounts.models import Account, Session
from control_plane.accounts.person import Person
from control_plane.context import Context, Deps
from kernel.errors import NotFound
from kernel.ids import format_id
from kernel.security import keys
from kernel.security.vault import Vault

LIFETIME: Final = timedelta(days=14)
IDLE: Final = timedelta(days=3)
OWNER_LIFETIME: Final = timedelta(hours=12)
_SEEN_EVERY: Final = timedelta(minutes=1)

Kind = Literal["account", "owner"]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Whose request it is. `person` is `None` for the machine's owner, who may open the outbox and nothing else."""

    session_id: UUID
    kind: Kind
    person: Person | None
    confirmed_at: datetime | None = None
    """When its holder last proved who he is, see `accounts.step_up`."""


@dataclass(frozen=True, slots=True)
class NewSession:
    """What goes into the browser's cookie: the only moment at which the token is known."""

    token: str
    session_id: UUID
    expires_at: datetime
    person: Person | None


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session for its owner's list."""

    id: UUID
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    ip: str
    user_agent: str

    @property
    def public_id(self) -> str:
        """`ses_…`"""
        return format_id("ses", self.id)


async def begin_session(ctx: Context, person: Person | None, client: Client) -> NewSession:
    """A new session with a new token, whatever the browser held before; for nobody: the machine owner's.

    It counts as confirmed: a session begins with a proof of who one is.
    """
    token, now = secrets.token_urlsafe(32), ctx.now
    row = Session(
        id=ctx.ids.uuid7(),
        kind="owner" if person is None else "account",
        account_id=person.account_id if person else None,
        digest=token_digest(ctx.vault, token),
        created_at=now,
        last_seen_at=now,
        confirmed_at=now,
        expires_at=now + (OWNER_LIFETIME if person is None else LIFETIME),
        ip=_storable(client.ip, 100),
        user_agent=_storable(client.user_agent, 500),
    )
    ctx.session.add(row)
    await audit.record(ctx, "session.started", format_id("ses", row.id), kind=row.kind)
    return NewSession(token, row.id, row.expires_at, person)


async def resolve(deps: Deps, token: str) -> SignedIn | None:
    """Whose token it is, if its session is neither over, idle for too long nor ended. Notes that it was seen."""
    now = deps.clock.now()
    query = (
        select(Session, Account)
        .join(Account, Account.id == Session.account_id, isouter=True)
        .where(
            Session.digest == token_digest(deps.vault, token),
            Session.expires_at > now,
            Session.last_seen_at > now - IDLE,
        )
    )
    async with deps.database.unit_of_work(read_only=True) as uow:
        row = (await uow.session.execute(query)).one_or_none()
    if row is None:
        return None
    session, account = row
    if session.last_seen_at < now - _SEEN_EVERY:
        async with deps.database.unit_of_work() as uow:
            seen = update(Session).where(Session.id == session.id, Session.last_seen_at < now).values(last_seen_at=now)
            await uow.session.execute(seen.execution_options(synchronize_session=False))
    if session.kind == "owner":
        return SignedIn(session.id, "owner", None)
    return SignedIn(session.id, "account", Person.of(account), session.confirmed_at)


async def list_sessions(session: AsyncSession, account_id: UUID, *, now: datetime) -> list[SessionView]:
    """The account's live sessions, the one seen last first."""
    query = (
        select(Session)
        .where(Session.account_id == account_id, Session.expires_at > now, Session.last_seen_at > now - IDLE)
        .order_by(Session.last_seen_at.desc(), Session.id.desc())
    )
    rows = (await session.execute(query)).scalars()
    return [
        SessionView(row.id, row.created_at, row.last_seen_at, row.expires_at, row.ip, row.user_agent) for row in rows
    ]


async def end_session(ctx: Context, account_id: UUID, session_id: UUID) -> None:
    """End one of the account's sessions. Raises `NotFound` for another's."""
    statement = delete(Session).where(Session.id == session_id, Session.account_id == account_id).returning(Session.id)
    if (await ctx.session.execute(statement)).one_or_none() is None:
        raise NotFound("There is no such session.")
    await _audit_end(ctx, session_id)


async def end_other_sessions(ctx: Context, account_id: UUID, *, keep: UUID) -> int:
    """End all of the account's sessions but one; returns how many there were."""
    return await _end_all(ctx, account_id, keep)


async def end_all_sessions(ctx: Context, account_id: UUID) -> int:
    """End all of the account's sessions: its password has changed hands, or may have."""
    return await _end_all(ctx, account_id, None)


async def sign_out(ctx: Context, signed_in: SignedIn) -> None:
    """End this browser's session. Doing it twice is no error."""
    await ctx.session.execute(delete(Session).where(Session.id == signed_in.session_id))
    await _audit_end(ctx, signed_in.session_id)


async def _end_all(ctx: Context, account_id: UUID, keep: UUID | None) -> int:
    statement = delete(Session).where(Session.account_id == account_id)
    if keep is not None:
        statement = statement.where(Session.id != keep)
    ended = (await ctx.session.execute(statement.returning(Session.id))).all()
    await audit.record(ctx, "session.all_ended", format_id("acc", account_id), count=len(ended))
    return len(ended)


async def _audit_end(ctx: Context, session_id: UUID) -> None:
    await audit.record(ctx, "session.ended", format_id("ses", session_id))


def token_digest(vault: Vault, token: str) -> str:
    """What is stored instead of a session's token."""
    return keys.digest(vault.key("sessions"), token if token.isascii() else "")


def _storable(text: str, most: int) -> str:
    """What a browser says of itself, as PostgreSQL can keep it."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()[:most]
