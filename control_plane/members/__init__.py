"""Members: who belongs to an organization, as what, and what each role may do."""

from control_plane.members.roles import PERMISSIONS, ROLES, Permission, Role
from control_plane.members.scope import Member

__all__ = ["PERMISSIONS", "ROLES", "Member", "Permission", "Role"]
