"""What every role may do in every type of one app: compiled from what is built in and what the app says instead."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

import msgspec

from data_plane.grants.defaults import APP, CHANNEL, CREATOR_ROLES, OWNER, ROLES, SCOPES, TYPES, USER
from data_plane.grants.permissions import OF_THE_TYPE, Grants, Permission

_NOTHING: Final[Grants] = frozenset()
Override = Mapping[str, Any]
"""A channel's own `{role: [permission]}`."""


class ChannelType(msgspec.Struct, frozen=True, kw_only=True):
    """A type. `grants` holds what it says of roles; `history` and `slow_mode` are what its new channels begin with;
    `receipts`: whether members see how far others have read. Times are null for a built-in one that nobody changed."""

    name: str
    creator_role: str
    grants: Mapping[str, Grants]
    history: str = "all"
    receipts: bool = True
    slow_mode: int = 0
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def built_in(self) -> bool:
        """Whether every app has it."""
        return self.name in TYPES


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """A role. `scopes` is where it may be given, `grants` what it may do where a type says nothing of it."""

    name: str
    scopes: tuple[str, ...]
    grants: Grants
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def built_in(self) -> bool:
        """Whether every app has it."""
        return self.name in SCOPES


class GrantTable:
    """One app's types and roles as of `seq` of its own log, with every question about them answered beforehand.

    Never changes: a change of the app makes another table.
    """

    def __init__(self, types: Iterable[ChannelType] = (), roles: Iterable[Role] = (), *, seq: int = 0) -> None:
        self.seq = seq
        own_types, own_roles = list(types), list(roles)
        self.types = MappingProxyType(_BUILT_IN_TYPES | {each.name: _whole(each) for each in own_types})
        self.roles = MappingProxyType(_BUILT_IN_ROLES | {each.name: each for each in own_roles})
        self.own_types = frozenset(each.name for each in own_types)
        self.own_roles = frozenset(each.name for each in own_roles)
        self.rows: Mapping[str, Mapping[str, Grants]] = MappingProxyType(
            {
                kind.name: {role.name: kind.grants.get(role.name, role.grants) for role in self.roles.values()}
                for kind in self.types.values()
            }
        )
        self.rules = _rules(self)

    def granted(self, type: str, role: str | None, override: Override = MappingProxyType({})) -> Grants:
        """What a role may do in a channel of a type. A role that is no more may do nothing."""
        if role is None:
            return _NOTHING
        if role in override:
            return frozenset(override[role])
        return self.rows.get(type, {}).get(role, _NOTHING)

    def app_role(self, word: str) -> str:
        """The app role that a user's `role` stands for: itself when it is one, else `user`."""
        role = self.roles.get(word)
        return word if role is not None and APP in role.scopes else USER

    def for_members(self, role: str) -> bool:
        """Whether members of channels may have this role."""
        known = self.roles.get(role)
        return known is not None and CHANNEL in known.scopes


def views(grants: Mapping[str, Grants]) -> dict[str, list[str]]:
    """Grants as everybody sees them: sorted names by role."""
    return {role: sorted(granted) for role, granted in sorted(grants.items())}


def of_channel(granted: Grants) -> Grants:
    """The part that is about a channel which exists."""
    return granted - OF_THE_TYPE


def _whole(kind: ChannelType) -> ChannelType:
    """A built-in type that an app has changed keeps what it says of roles that the app does not name."""
    if kind.built_in:
        return msgspec.structs.replace(kind, grants={**TYPES[kind.name], **kind.grants})
    return kind


def _rules(table: GrantTable) -> str:
    """What the flush asks of the table, as `chat.append_messages` reads it."""
    marks = (
        ("s", Permission.MESSAGE_SEND),
        ("w", Permission.CHANNEL_WATCH),
        ("f", Permission.MESSAGE_SEND_FROZEN),
        ("m", Permission.MESSAGE_MENTION_MANY),
        ("y", Permission.MESSAGE_SYSTEM),
    )
    lines = [
        f"{mark}:{type}.{role}"
        for mark, permission in marks
        for type, row in table.rows.items()
        for role, granted in row.items()
        if permission in granted
    ]
    lines += [f"r:{role.name}" for role in table.roles.values() if APP in role.scopes]
    return "|" + "|".join(lines) + "|"


_BUILT_IN_TYPES: Final = {
    name: ChannelType(name=name, creator_role=CREATOR_ROLES.get(name, OWNER), grants=grants)
    for name, grants in TYPES.items()
}
_BUILT_IN_ROLES: Final = {name: Role(name=name, scopes=SCOPES[name], grants=ROLES[name]) for name in SCOPES}
DEFAULTS: Final = GrantTable()
"""The table of an app that has said nothing."""
