"""Roles and channel types: what the app says itself of them; what is built in and untouched is in no file."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from data_plane.grants.defaults import CHANNEL, CREATOR_ROLES, OWNER, ROLES, SCOPES, TYPES
from data_plane.grants.permissions import EVERYTHING
from data_plane.grants.schemas import NAME_PATTERN, Permissions, PutRole, PutType
from data_plane.grants.service import MAX_OWN
from ops.app_config.section import Items, Named, Path, Problems, Whole, check_room, convert
from ops.app_config.target import Target

_NAME: Final = re.compile(NAME_PATTERN)
_ROLES, _TYPES = "roles", "channel_types"


class RolesSection(Named):
    """`[roles.<name>]`: `scopes` and `grants`."""

    name = _ROLES

    async def read(self, target: Target) -> Items:
        """Those that the app made or changed."""
        return {
            (role.name,): {"grants": sorted(role.grants), "scopes": sorted(role.scopes)}
            for role in await target.server.roles.list()
            if role.created_at is not None
        }

    def check(self, table: Mapping[str, Any], problems: Problems) -> Items:
        """Shapes, names, permissions, and the scopes of built-in roles."""
        items: Items = {}
        for name, raw in table.items():
            path = f"{_ROLES}.{name}"
            _check_name(name, path, problems)
            role: PutRole | None = convert(raw, PutRole, path, problems)
            if role is None:
                continue
            _check_permissions(role.grants, f"{path}.grants", problems)
            scopes = sorted(set(role.scopes))
            if name in SCOPES and scopes != sorted(SCOPES[name]):
                problems.add(f"{path}.scopes", f"a built-in role keeps its own: {_names(SCOPES[name])}.")
            items[(name,)] = {"grants": sorted(set(role.grants)), "scopes": scopes}
        return items

    def judge(self, whole: Whole, live: Whole, target: Target, problems: Problems) -> None:
        """How many there are."""
        check_room(_ROLES, whole[_ROLES], live[_ROLES], MAX_OWN, problems)

    def late(self, before: Any, after: Any) -> bool:
        """A role leaves channels when no type gives it to creators any more."""
        return CHANNEL in before["scopes"] and CHANNEL not in after["scopes"]

    async def put(self, target: Target, path: Path, value: Any) -> None:
        """Define it."""
        await target.server.roles.put(path[0], scopes=value["scopes"], grants=value["grants"])

    async def remove(self, target: Target, path: Path) -> None:
        """Delete it; a built-in one is as it was made."""
        await target.server.roles.delete(path[0])


class TypesSection(Named):
    """`[channel_types.<name>]`: as `PUT /v1/channel-types/{name}` takes it. A role that it does not name has what it
    has by default, and one that is named with just that is left out, so that it follows its role."""

    name = _TYPES

    async def read(self, target: Target) -> Items:
        """Those that the app made or changed."""
        return {
            (kind.name,): {
                "creator_role": kind.creator_role,
                "grants": {role: sorted(granted) for role, granted in kind.grants.items()},
                "history": kind.history,
                "receipts": kind.receipts,
                "slow_mode": kind.slow_mode,
            }
            for kind in await target.server.channel_types.list()
            if kind.created_at is not None
        }

    def check(self, table: Mapping[str, Any], problems: Problems) -> Items:
        """Shapes, names and permissions."""
        items: Items = {}
        for name, raw in table.items():
            path = f"{_TYPES}.{name}"
            _check_name(name, path, problems)
            before = len(problems.found)
            if isinstance(raw, dict) and isinstance(raw.get("grants"), dict):
                # One after the other, so that a problem names the role.
                for role, granted in raw["grants"].items():
                    where = f"{path}.grants.{role}"
                    _check_permissions(convert(granted, Permissions, where, problems) or (), where, problems)
            if len(problems.found) > before:
                continue
            kind: PutType | None = convert(raw, PutType, path, problems)
            if kind is not None:
                items[(name,)] = {
                    **msgspec.to_builtins(kind),
                    "creator_role": kind.creator_role or CREATOR_ROLES.get(name, OWNER),
                    "grants": {role: sorted(set(granted)) for role, granted in kind.grants.items()},
                }
        return items

    def normal(self, items: Items, whole: Whole) -> Items:
        """Without the roles that have what they have by default."""
        return {
            (name,): {
                **kind,
                "grants": {
                    role: granted
                    for role, granted in sorted(kind["grants"].items())
                    if granted != _default(name, role, whole[_ROLES])
                },
            }
            for (name,), kind in items.items()
        }

    def judge(self, whole: Whole, live: Whole, target: Target, problems: Problems) -> None:
        """That the roles exist which types name, and how many types there are."""
        roles = {name: {"scopes": scopes} for name, scopes in SCOPES.items()}
        roles |= {name: role for (name,), role in whole[_ROLES].items()}
        for (name,), kind in sorted(whole[_TYPES].items()):
            path = f"{_TYPES}.{name}"
            for role in sorted(kind["grants"].keys() - roles.keys()):
                problems.add(f"{path}.grants.{role}", f"there is no role `{role}`; there are {_names(roles)}.")
            creator = kind["creator_role"]
            if creator not in roles or CHANNEL not in roles[creator]["scopes"]:
                problems.add(f"{path}.creator_role", f"there is no role `{creator}` that members of channels may have.")
        check_room(_TYPES, whole[_TYPES], live[_TYPES], MAX_OWN, problems)

    async def put(self, target: Target, path: Path, value: Any) -> None:
        """Define it."""
        await target.server.channel_types.put(path[0], **value)

    async def remove(self, target: Target, path: Path) -> None:
        """Delete it; a built-in one is as it was made."""
        await target.server.channel_types.delete(path[0])


def _default(type: str, role: str, roles: Items) -> list[str] | None:
    """What a role has in a type that does not name it; `None` for a role that does not exist."""
    built_in = TYPES.get(type, {}).get(role)
    if built_in is not None:
        return sorted(built_in)
    own = roles.get((role,))
    if own is not None:
        return list(own["grants"])
    return sorted(ROLES[role]) if role in ROLES else None


def _check_name(name: str, path: str, problems: Problems) -> None:
    if not _NAME.fullmatch(name):
        problems.add(path, "a name is 1 to 32 of a-z 0-9 _ -.")


def _check_permissions(names: Iterable[str], path: str, problems: Problems) -> None:
    for place, name in enumerate(names):
        if name not in EVERYTHING:
            problems.add(f"{path}[{place}]", f"there is no permission `{name}`.")


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))
