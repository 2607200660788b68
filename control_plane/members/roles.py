"""What each role may do. The table is the product's promise: change it together with its test."""

from typing import Final, Literal, get_args

from kernel.errors import InvalidInput

Role = Literal["owner", "admin", "developer", "billing", "viewer"]
Permission = Literal[
    "organization.update",
    "organization.own",
    "apps.read",
    "apps.create",
    "apps.update",
    "apps.delete",
    "keys.read",
    "keys.manage",
    "demo.use",
    "usage.read",
    "members.read",
    "members.manage",
    "audit.read",
    "billing.manage",
]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
"""From the most to the least."""

_ALL: Final[frozenset[Permission]] = frozenset(get_args(Permission))

PERMISSIONS: Final[dict[Role, frozenset[Permission]]] = {
    "owner": _ALL,
    # Owners are made, changed and removed by owners alone; that is decided in `members.service`.
    "admin": _ALL - {"organization.own"},
    "developer": frozenset(
        {
            "apps.read",
            "apps.create",
            "apps.update",
            "keys.read",
            "keys.manage",
            "demo.use",
            "usage.read",
            "members.read",
            "audit.read",
        }
    ),
    "billing": frozenset({"apps.read", "usage.read", "members.read", "billing.manage", "audit.read"}),
    "viewer": frozenset({"apps.read", "usage.read", "members.read"}),
}

DESCRIPTIONS: Final[dict[Role, str]] = {
    "owner": "Everything: may make, change and remove other owners, hand the organization over or close it.",
    "admin": "Everything, except what concerns owners.",
    "developer": "Apps, keys and the demo; sees usage, members and the audit log.",
    "billing": "Plan and billing; sees apps, usage, members and the audit log.",
    "viewer": "Sees apps, usage and members.",
}
"""One line each, for the page on which a role is chosen."""

DEEDS: Final[dict[Permission, str]] = {
    "organization.update": "change the organization",
    "organization.own": "hand over, close or export the organization",
    "apps.read": "see apps",
    "apps.create": "create apps",
    "apps.update": "change apps",
    "apps.delete": "promote or delete apps",
    "keys.read": "see keys",
    "keys.manage": "create or revoke keys",
    "demo.use": "use the demo",
    "usage.read": "see usage",
    "members.read": "see members",
    "members.manage": "invite, change or remove members",
    "audit.read": "see the audit log",
    "billing.manage": "change the plan or billing",
}
"""The permissions in words that follow "may not"."""


def check_role(text: str, *, field: str = "role") -> Role:
    """The role of that name. Raises `InvalidInput` that lists them."""
    for role in ROLES:
        if role == text:
            return role
    raise InvalidInput(f"`{field}` must be one of {', '.join(ROLES)}.", field=field)
