"""Refusals about roles and types."""

from collections.abc import Iterable

from data_plane.grants.permissions import MEANINGS, Permission
from kernel.errors import Conflict, Forbidden, InvalidInput


class PermissionMissing(Forbidden):
    """The caller's roles in this channel do not grant it what `permission` names; see the channel's `capabilities`."""

    code = "permission_missing"
    title = "Your role does not allow this"

    @classmethod
    def of(cls, permission: Permission) -> "PermissionMissing":
        """The error that names what is missing."""
        return cls(f"This needs the permission `{permission}`: {MEANINGS[permission]}", permission=permission.value)


class RoleTooHigh(Forbidden):
    """The role that is given, taken or changed may do more than the caller: `permissions` lists what."""

    code = "role_too_high"
    title = "This role may do more than you"

    @classmethod
    def of(cls, role: str, more: Iterable[Permission]) -> "RoleTooHigh":
        """The error for a role, and what it may do that the caller may not."""
        names = sorted(more)
        return cls(f"The role `{role}` may do what you may not: {', '.join(names)}.", role=role, permissions=names)


class LastOwner(Conflict):
    """The channel has no other owner. Make somebody else one first."""

    code = "channel_needs_owner"
    title = "The channel would be without an owner"


class TypeInUse(Conflict):
    """There are channels of this type. Delete them first."""

    code = "type_in_use"
    title = "The channel type is in use"


class RoleInUse(Conflict):
    """Members or users have this role, or a type's creators get it."""

    code = "role_in_use"
    title = "The role is in use"


class TooManyDefined(Conflict):
    """The app has as many channel types, or roles, of its own as one can have."""

    code = "too_many_defined"
    title = "There are enough of them"


def unknown_role(role: str, *, field: str) -> InvalidInput:
    """A role is named that the app does not have, or that cannot be given there."""
    return InvalidInput(f"`{field}`: there is no role `{role}` that can be given here.", field=field)


def unknown_type(type: str, known: Iterable[str], *, field: str) -> InvalidInput:
    """A channel type is named that the app does not have."""
    names = ", ".join(f"`{name}`" for name in known)
    return InvalidInput(f"`{field}`: there is no channel type `{type}`; there are {names}.", field=field)
