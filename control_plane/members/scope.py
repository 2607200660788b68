"""The scope of a page: an account inside one organization. The only key to a tenant's rows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Result, Row, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.accounts.models import Account
from control_plane.apps.models import App
from control_plane.members.models import Membership
from control_plane.members.roles import DEEDS, PERMISSIONS, ROLES, Permission, Role, check_role
from control_plane.organizations.models import Organization
from kernel.errors import Forbidden, NotFound
from kernel.ids import format_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Who reads or writes, where, and as what. `Deps.read` and `Deps.change_as` open transactions with it.

    It is made by `member_of` and its neighbours, once a request, and says what was true then.
    """

    account_id: UUID
    email: str
    name: str
    organization_id: UUID
    organization_name: str
    role: Role
    closed_at: datetime | None = None
    """Since when the organization is closed, for who may still see it."""
    two_step_required: bool = False
    """The organization is for who signs in with two steps."""

    @property
    def actor(self) -> str:
        """How the audit log names this person."""
        return f"account:{format_id('acc', self.account_id)}"

    @property
    def public_organization_id(self) -> str:
        """`org_…`"""
        return format_id("org", self.organization_id)

    def may(self, permission: Permission) -> bool:
        """Whether the role grants it, for what a page shows."""
        return permission in PERMISSIONS[self.role]

    def require(self, permission: Permission) -> None:
        """Raises `Forbidden` that says what the role lacks and who can change that."""
        if not self.may(permission):
            granted_to = [role for role in ROLES if permission in PERMISSIONS[role]]
            givers = "An owner" if granted_to == ["owner"] else "An owner or admin"
            raise Forbidden(
                f"Your role in {self.organization_name} is {self.role}, which may not {DEEDS[permission]}. "
                f"{givers} of {self.organization_name} can give you a role that may.",
                permission=permission,
                role=self.role,
                granted_to=granted_to,
            )


async def member_of(session: AsyncSession, account_id: UUID, organization_id: UUID) -> Member:
    """The account in that organization. Raises the same `NotFound` whether the organization is another's or nobody's.

    Like its neighbours it runs under the system's role (`Deps.database`), before a scope is known.
    """
    query = _members(account_id).where(Organization.id == organization_id)
    return _one(await session.execute(query))


async def member_of_app(session: AsyncSession, account_id: UUID, app_id: UUID) -> Member:
    """The account in the organization that owns the app. Raises the same `NotFound` for another's app and for none."""
    query = _members(account_id).join(App, App.organization_id == Organization.id)
    return _one(await session.execute(query.where(App.id == app_id, App.status != "deleted")))


async def scopes_of(session: AsyncSession, account_id: UUID) -> list[Member]:
    """Every organization of the account, by name."""
    rows = await session.execute(_members(account_id).order_by(Organization.name, Organization.id))
    return [_member(row) for row in rows]


def _members(account_id: UUID) -> Select[*tuple[Any, ...]]:
    return (
        select(
            Account.id,
            Account.email,
            Account.name,
            Organization.id,
            Organization.name,
            Membership.role,
            Organization.closed_at,
            Organization.two_step_required,
        )
        .join(Membership, Membership.account_id == Account.id)
        .join(Organization, Organization.id == Membership.organization_id)
        .where(Account.id == account_id, Account.verified_at.is_not(None))
    )


def _one(rows: Result[*tuple[Any, ...]]) -> Member:
    row = rows.one_or_none()
    if row is None:
        raise NotFound()
    return _member(row)


def _member(row: Row[*tuple[Any, ...]]) -> Member:
    account_id, email, name, organization_id, organization_name, role, closed_at, two_step_required = row
    return Member(
        account_id=account_id,
        email=email,
        name=name,
        organization_id=organization_id,
        organization_name=organization_name,
        role=check_role(role),
        closed_at=closed_at,
        two_step_required=two_step_required,
    )
