"""The audit log as a page reads it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.accounts.models import Account
from control_plane.apps.models import App
from control_plane.audit.models import AuditEntry
from control_plane.members.scope import Member
from control_plane.paging import Page
from kernel.errors import InvalidInput
from kernel.ids import format_id, parse_id

_RECENT: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """An entry. `actor_name` is the name of a member; `None` for who is none any more, and for who is no person."""

    id: UUID
    at: datetime
    actor: str
    actor_name: str | None
    action: str
    target: str
    app_id: UUID | None
    app_name: str | None
    request_id: str | None
    data: dict[str, Any]

    @property
    def public_id(self) -> str:
        """`aud_…`"""
        return format_id("aud", self.id)


@dataclass(frozen=True, slots=True)
class Choices:
    """What the entries can be filtered by: actors with their names as in `AuditView`, and actions."""

    actors: list[tuple[str, str | None]]
    actions: list[str]


async def list_entries(
    session: AsyncSession,
    member: Member,
    *,
    cursor: str | None = None,
    limit: int = 50,
    actor: str | None = None,
    action: str | None = None,
    app_id: UUID | None = None,
) -> Page[AuditView]:
    """The organization's entries, the newest first. Raises `Forbidden`, and `InvalidInput` for what is no cursor."""
    member.require("audit.read")
    query = select(AuditEntry).where(AuditEntry.organization_id == member.organization_id)
    if cursor is not None:
        query = query.where(AuditEntry.id < parse_id("aud", cursor, field="cursor"))
    if actor is not None:
        query = query.where(AuditEntry.actor == actor)
    if action is not None:
        query = query.where(AuditEntry.action == action)
    if app_id is not None:
        query = query.where(AuditEntry.app_id == app_id)
    rows = list((await session.execute(query.order_by(AuditEntry.id.desc()).limit(limit + 1))).scalars())
    entries = rows[:limit]
    names = await _names(session, {entry.actor for entry in entries})
    apps = await _apps(session, {entry.app_id for entry in entries if entry.app_id is not None})
    views = [_view(entry, names, apps) for entry in entries]
    return Page(views, views[-1].public_id if len(rows) > limit else None)


async def choices(session: AsyncSession, member: Member) -> Choices:
    """The actors and actions of the newest 2,000 entries. Raises `Forbidden`."""
    member.require("audit.read")
    recent = (
        select(AuditEntry.actor, AuditEntry.action)
        .where(AuditEntry.organization_id == member.organization_id)
        .order_by(AuditEntry.id.desc())
        .limit(_RECENT)
    )
    rows = (await session.execute(recent)).all()
    names = await _names(session, {actor for actor, _ in rows})
    actors = sorted(((actor, names.get(actor)) for actor in {actor for actor, _ in rows}), key=_by_name)
    return Choices(actors, sorted({action for _, action in rows}))


def _by_name(choice: tuple[str, str | None]) -> tuple[bool, str]:
    actor, name = choice
    return name is None, (name or actor).casefold()


def _view(entry: AuditEntry, names: dict[str, str], apps: dict[UUID, str]) -> AuditView:
    return AuditView(
        id=entry.id,
        at=entry.at,
        actor=entry.actor,
        actor_name=names.get(entry.actor),
        action=entry.action,
        target=entry.target,
        app_id=entry.app_id,
        app_name=apps.get(entry.app_id) if entry.app_id else None,
        request_id=entry.request_id,
        data=entry.data,
    )


async def _names(session: AsyncSession, actors: set[str]) -> dict[str, str]:
    """The names of those who are members now, by actor."""
    accounts: dict[UUID, str] = {}
    for actor in actors:
        kind, _, public_id = actor.partition(":")
        if kind == "account":
            try:
                accounts[parse_id("acc", public_id)] = actor
            except InvalidInput:
                continue
    if not accounts:
        return {}
    rows = await session.execute(select(Account.id, Account.name).where(Account.id.in_(accounts)))
    return {accounts[account_id]: name for account_id, name in rows}


async def _apps(session: AsyncSession, ids: set[UUID]) -> dict[UUID, str]:
    if not ids:
        return {}
    rows = await session.execute(select(App.id, App.name).where(App.id.in_(ids)))
    return {app_id: name for app_id, name in rows}
