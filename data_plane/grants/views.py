"""Types, roles and permissions as your server sees them, and the table that clients follow."""

from typing import TypedDict

from data_plane.grants.table import ChannelType, GrantTable, Role, views
from data_plane.views import Timestamp
from kernel.clock import rfc3339


class ChannelTypeView(TypedDict):
    """A channel type."""

    name: str
    built_in: bool
    creator_role: str
    """The role of whoever creates a channel of this type."""
    grants: dict[str, list[str]]
    """What every role may do in channels of this type, where the channel says nothing else."""
    history: str
    """What new channels of this type begin with, as `slow_mode`."""
    slow_mode: int
    receipts: bool
    """Members see how far others have read."""
    created_at: Timestamp | None
    """Null, like `updated_at`, for a built-in type as it was made."""
    updated_at: Timestamp | None


class ChannelTypes(TypedDict):
    """Every type of the app, by name."""

    channel_types: list[ChannelTypeView]


class RoleView(TypedDict):
    """A role."""

    name: str
    built_in: bool
    scopes: list[str]
    """Where it may be given: to a user of the app (`app`), to a member of a channel (`channel`)."""
    grants: list[str]
    """What it may do in every type that says nothing else of it."""
    created_at: Timestamp | None
    """Null, like `updated_at`, for a built-in role as it was made."""
    updated_at: Timestamp | None


class Roles(TypedDict):
    """Every role of the app, by name."""

    roles: list[RoleView]


GrantRows = dict[str, dict[str, list[str]]]
"""`{type: {role: [permission]}}`"""


def type_view(table: GrantTable, kind: ChannelType) -> ChannelTypeView:
    """The type with what every role may do."""
    return {
        "name": kind.name,
        "built_in": kind.built_in,
        "creator_role": kind.creator_role,
        "grants": views(table.rows[kind.name]),
        "history": kind.history,
        "receipts": kind.receipts,
        "slow_mode": kind.slow_mode,
        "created_at": rfc3339(kind.created_at) if kind.created_at is not None else None,
        "updated_at": rfc3339(kind.updated_at) if kind.updated_at is not None else None,
    }


def role_view(role: Role) -> RoleView:
    """The role."""
    return {
        "name": role.name,
        "built_in": role.built_in,
        "scopes": sorted(role.scopes),
        "grants": sorted(role.grants),
        "created_at": rfc3339(role.created_at) if role.created_at is not None else None,
        "updated_at": rfc3339(role.updated_at) if role.updated_at is not None else None,
    }


def rows_view(table: GrantTable) -> GrantRows:
    """The whole table, for clients that work out capabilities themselves."""
    return {name: views(row) for name, row in sorted(table.rows.items())}


def difference(before: GrantTable, after: GrantTable) -> dict[str, dict[str, list[str]] | None]:
    """The rows that changed, whole; null for a type that is no more."""
    changed: dict[str, dict[str, list[str]] | None] = {
        name: views(row) for name, row in sorted(after.rows.items()) if before.rows.get(name) != row
    }
    return changed | {name: None for name in before.rows if name not in after.rows}
