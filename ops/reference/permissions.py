"""`permissions.md`: every permission, the built-in roles, and what each may do in the built-in types."""

from data_plane.grants.defaults import SCOPES
from data_plane.grants.permissions import MEANINGS, Permission
from data_plane.grants.service import MAX_OWN
from data_plane.grants.table import DEFAULTS
from ops.reference.text import fill, table


def permissions_page() -> str:
    """The page."""
    rows = [[f"`{each}`", MEANINGS[each]] for each in sorted(Permission)]
    roles = [[f"`{name}`", " and ".join(scopes)] for name, scopes in SCOPES.items()]
    return fill(
        "permissions.md",
        permissions=table(["permission", "what it allows"], rows),
        roles=table(["role", "given to somebody in"], roles),
        types="\n\n".join(_type(name) for name in DEFAULTS.types),
        most=MAX_OWN,
    )


def _type(name: str) -> str:
    row = DEFAULTS.rows[name]
    lines = [
        [f"`{permission}`", *("yes" if permission in row[role] else "" for role in row)]
        for permission in sorted(Permission)
        if any(permission in granted for granted in row.values())
    ]
    head = f"### {name}\n\nWho creates one becomes `{DEFAULTS.types[name].creator_role}`."
    return f"{head}\n\n{table(['', *row], lines)}"
