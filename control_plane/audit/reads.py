"""The audit log as a page reads it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVarTuple
from uuid import UUID

from sqlalchemy import Select, Text, cast, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.accounts.models import Account
from control_plane.apps.models import App
from control_plane.audit.chain import export_line
from control_plane.audit.models import AuditEntry, AuditLink
from control_plane.context import Deps
from control_plane.members.scope import Member
from control_plane.paging import Page
from kernel.errors import InvalidInput
from kernel.ids import format_id, parse_id

_RECENT: Final = 2_000
_EXPORTED: Final = 1_000
Ts = TypeVarTuple("Ts")


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
    seq: int | None
    """Its place in the chain of the organization."""
    hash: str | None

    @property
    def public_id(self) -> str:
        """`aud_…`"""
        return format_id("aud", self.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which entries: of whom, about what, where, and from `since` on to before `until`. Nothing set: all."""

    actor: str | None = None
    action: str | None = None
    app_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    def narrow(self, query: Select[*Ts]) -> Select[*Ts]:
        """The query, for these entries."""
        for column, value in (
            (AuditEntry.actor, self.actor),
            (AuditEntry.action, self.action),
            (AuditEntry.app_id, self.app_id),
        ):
            if value is not None:
                query = query.where(column == value)
        if self.since is not None:
            query = query.where(AuditEntry.at >= self.since)
        if self.until is not None:
            query = query.where(AuditEntry.at < self.until)
        return query


ALL: Final = Filters()


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
    filters: Filters = ALL,
) -> Page[AuditView]:
    """The organization's entries, the newest first. Raises `Forbidden`, and `InvalidInput` for what is no cursor."""
    member.require("audit.read")
    query = filters.narrow(_entries(member))
    if cursor is not None:
        query = query.where(AuditEntry.id < parse_id("aud", cursor, field="cursor"))
    rows = (await session.execute(query.order_by(AuditEntry.id.desc()).limit(limit + 1))).all()
    entries = [entry for entry, _ in rows[:limit]]
    names = await _names(session, {entry.actor for entry in entries})
    apps = await _apps(session, {entry.app_id for entry in entries if entry.app_id is not None})
    views = [_view(entry, link, names, apps) for entry, link in rows[:limit]]
    return Page(views, views[-1].public_id if len(rows) > limit else None)


async def export(deps: Deps, member: Member, filters: Filters = ALL) -> AsyncIterator[bytes]:
    """The organization's entries as JSON lines in the chain's order, each with number and hash (`chain.export_line`).

    A transaction for each thousand, as whoever reads may be slow: what is written meanwhile is still found.
    """
    member.require("audit.read")
    after = 0
    while True:
        query = (
            select(
                AuditLink.seq,
                AuditLink.previous,
                AuditLink.hash,
                AuditEntry.id,
                AuditEntry.at,
                AuditEntry.actor,
                AuditEntry.action,
                AuditEntry.target,
                AuditEntry.organization_id,
                AuditEntry.app_id,
                AuditEntry.request_id,
                cast(AuditEntry.data, Text).label("data"),
            )
            .join(AuditEntry, AuditEntry.id == AuditLink.entry_id)
            .where(AuditLink.organization_id == member.organization_id, AuditLink.seq > after)
            .order_by(AuditLink.seq)
            .limit(_EXPORTED)
        )
        async with deps.read(member) as uow:
            rows = (await uow.session.execute(filters.narrow(query))).all()
        if rows:
            yield b"".join(export_line(row) for row in rows)
            after = rows[-1].seq
        if len(rows) < _EXPORTED:
            return


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


def _entries(member: Member) -> Select[AuditEntry, AuditLink | None]:
    return (
        select(AuditEntry, AuditLink)
        .outerjoin(AuditLink, AuditLink.entry_id == AuditEntry.id)
        .where(AuditEntry.organization_id == member.organization_id)
    )


def _view(entry: AuditEntry, link: AuditLink | None, names: dict[str, str], apps: dict[UUID, str]) -> AuditView:
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
        seq=link.seq if link else None,
        hash=link.hash if link else None,
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
