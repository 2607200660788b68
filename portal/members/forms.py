"""The forms of members and invitations."""

from typing import Annotated

from control_plane.members.roles import DESCRIPTIONS, ROLES
from control_plane.members.scope import Member
from portal.http.forms import Field, Form


class InviteForm(Form, frozen=True, kw_only=True):
    email: Annotated[str, Field("E-mail", blank="Enter the address of the person.")] = ""
    role: Annotated[str, Field("Role", blank="Choose a role.")] = ""
    new_id: str = ""


class RoleForm(Form, frozen=True, kw_only=True):
    role: Annotated[str, Field("Role", blank="Choose a role.")] = ""


class RemoveForm(Form, frozen=True, kw_only=True):
    email: Annotated[str, Field("E-mail", blank="Type the e-mail address.")] = ""


class LeaveForm(Form, frozen=True, kw_only=True):
    organization: Annotated[str, Field("Name", blank="Type the organization's name.")] = ""


def role_choices(member: Member) -> list[tuple[str, str, str]]:
    """The roles that the member may give: owners are made by owners alone."""
    return [
        (role, role.capitalize(), DESCRIPTIONS[role]) for role in ROLES if role != "owner" or member.role == "owner"
    ]
