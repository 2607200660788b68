"""What the control plane holds of an organization, as JSON lines: one object a line, `kind` says what it is.

Secrets are not in it, because they are not held: of a secret key its last four characters, of links nothing.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.accounts.models import Account
from control_plane.apps.models import App
from control_plane.audit.models import AuditEntry
from control_plane.entitlements.models import Entitlement
from control_plane.keys.models import ApiKey, AppSigningKey
from control_plane.members.models import Invitation, Membership
from control_plane.members.scope import Member
from control_plane.organizations.details import BillingDetails
from control_plane.organizations.models import Organization
from kernel.clock import rfc3339
from kernel.ids import format_id

_AT_ONCE: Final = 500

Section = tuple[str, Callable[[Member], Any]]
"""A kind, and the query for its rows; a column's label is its name in the line."""


def _apps(member: Member) -> Any:
    return select(App.id).where(App.organization_id == member.organization_id)


SECTIONS: Final[tuple[Section, ...]] = (
    (
        "organization",
        lambda m: select(
            Organization.id,
            Organization.name,
            Organization.owner_email,
            Organization.created_at,
            Organization.closed_at,
        ).where(Organization.id == m.organization_id),
    ),
    (
        "billing_details",
        lambda m: select(
            BillingDetails.company, BillingDetails.address, BillingDetails.tax_number, BillingDetails.updated_at
        ).where(BillingDetails.organization_id == m.organization_id),
    ),
    (
        "member",
        lambda m: select(Account.id, Account.email, Account.name, Membership.role, Membership.created_at)
        .join(Membership, Membership.account_id == Account.id)
        .where(Membership.organization_id == m.organization_id)
        .order_by(Account.id),
    ),
    (
        "invitation",
        lambda m: select(
            Invitation.id,
            Invitation.email,
            Invitation.role,
            Invitation.created_at,
            Invitation.expires_at,
            Invitation.accepted_at,
            Invitation.revoked_at,
        )
        .where(Invitation.organization_id == m.organization_id)
        .order_by(Invitation.id),
    ),
    (
        "app",
        lambda m: select(
            App.id,
            App.name,
            App.environment,
            App.status,
            App.plan,
            App.plan_version,
            App.allowed_origins,
            App.settings,
            App.created_at,
        )
        .where(App.organization_id == m.organization_id)
        .order_by(App.id),
    ),
    (
        "api_key",
        lambda m: select(
            ApiKey.id,
            ApiKey.app_id,
            ApiKey.kind.label("key_kind"),
            ApiKey.value,
            ApiKey.last_four,
            ApiKey.scopes,
            ApiKey.created_at,
            ApiKey.expires_at,
            ApiKey.revoked_at,
        )
        .where(ApiKey.app_id.in_(_apps(m)))
        .order_by(ApiKey.id),
    ),
    (
        "signing_key",
        lambda m: select(
            AppSigningKey.id,
            AppSigningKey.app_id,
            AppSigningKey.kid,
            AppSigningKey.algorithm,
            AppSigningKey.public_key,
            AppSigningKey.created_at,
            AppSigningKey.revoked_at,
        )
        .where(AppSigningKey.app_id.in_(_apps(m)))
        .order_by(AppSigningKey.id),
    ),
    (
        "entitlement",
        lambda m: select(
            Entitlement.app_id, Entitlement.meter, Entitlement.included, Entitlement.over, Entitlement.period,
            Entitlement.used,
        )
        .where(Entitlement.app_id.in_(_apps(m)))
        .order_by(Entitlement.app_id, Entitlement.meter),
    ),
    (
        "audit_entry",
        lambda m: select(
            AuditEntry.id,
            AuditEntry.at,
            AuditEntry.actor,
            AuditEntry.action,
            AuditEntry.target,
            AuditEntry.app_id,
            AuditEntry.request_id,
            AuditEntry.data,
        )
        .where(AuditEntry.organization_id == m.organization_id)
        .order_by(AuditEntry.id),
    ),
)  # fmt: skip
PREFIXES: Final = {
    "organization": "org",
    "member": "acc",
    "invitation": "inv",
    "app": "app",
    "api_key": "key",
    "audit_entry": "aud",
}


async def export_lines(
    session: AsyncSession,
    member: Member,
    *,
    sections: tuple[Section, ...] = SECTIONS,
    prefixes: Mapping[str, str] = PREFIXES,
) -> AsyncIterator[bytes]:
    """The lines, each with its line end, read from the database as they are asked for. Raises `Forbidden`.

    The session sees the member's organization alone. Layers above may add sections of their own, and by kind the
    prefixes of their ids.
    """
    member.require("organization.own")
    for kind, query in sections:
        rows = await session.stream(query(member).execution_options(yield_per=_AT_ONCE))
        async for row in rows:
            yield msgspec.json.encode({"kind": kind, **_plain(kind, row._mapping, prefixes)}) + b"\n"


def _plain(kind: str, row: Any, prefixes: Mapping[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in row.items():
        of = kind if name == "id" else name.removesuffix("_id")
        if name.endswith("id") and of in prefixes and value is not None:
            value = format_id(prefixes[of], value)
        elif name.endswith(("_at", "at")) and hasattr(value, "tzinfo"):
            value = rfc3339(value)
        found[name] = value
    return found
