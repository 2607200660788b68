"""What a caller may do in a channel: what its channel role, if it is a member, and its app role are granted."""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol
from uuid import UUID

import msgspec
from sqlalchemy import text

from data_plane.grants.errors import PermissionMissing, RoleTooHigh
from data_plane.grants.permissions import EVERYTHING, Grants, Permission
from data_plane.grants.table import GrantTable, Override, of_channel
from data_plane.identity.caller import Caller
from data_plane.log.entries import APP_LOG
from data_plane.shard import Shard
from kernel.db import UnitOfWork

_READ = text(
    "select (select last_seq from chat.log_heads where app_id = cast(:app as uuid) and log = :log) as seq, "
    "(select role from chat.users where app_id = cast(:app as uuid) and id = :user) as role"
)
_UNSEEN: Final[Grants] = frozenset({Permission.CHANNEL_JOIN})
"""What may be done with a channel that one does not see."""


class Governed(Protocol):
    """The part of a channel that its grants depend on."""

    @property
    def type(self) -> str: ...
    @property
    def grants(self) -> Override:
        """Its own `{role: [permission]}`."""
        ...


class Standing(msgspec.Struct, frozen=True):
    """One user's app role, or null for the customer's server, and the table as of this transaction or newer."""

    table: GrantTable
    app_role: str | None

    def granted(self, channel: Governed, role: str | None) -> Grants:
        """What the user may do in a channel where it has this role, null for none. A server may do everything.

        Who is no member and may not watch a channel sees nothing of it, and may at most join.
        """
        if self.app_role is None:
            return EVERYTHING
        by_app_role = self.table.granted(channel.type, self.app_role, channel.grants)
        if role is None:
            return by_app_role if Permission.CHANNEL_WATCH in by_app_role else by_app_role & _UNSEEN
        return by_app_role | self.table.granted(channel.type, role, channel.grants)

    def capabilities(self, channel: Governed, role: str | None) -> list[str] | None:
        """The same as the user sees it, sorted; null for a server."""
        return None if self.app_role is None else sorted(of_channel(self.granted(channel, role)))

    def of_type(self, type: str) -> Grants:
        """What the app role may do in a type as such."""
        return EVERYTHING if self.app_role is None else self.table.granted(type, self.app_role)


class Sight(msgspec.Struct, frozen=True):
    """A caller before a channel: what it may do there."""

    standing: Standing
    channel: Governed
    role: str | None
    """The caller's channel role."""
    allowed: Grants

    def require(self, permission: Permission) -> None:
        """Raise `PermissionMissing`, which names the permission, when the caller lacks it."""
        if permission not in self.allowed:
            raise PermissionMissing.of(permission)

    def require_no_more(self, role: str, grants: Iterable[Permission] | None = None) -> None:
        """Raise `RoleTooHigh` when the role may do in the channel, or would with `grants`, what the caller may not.

        Nobody gives more than it has, and nobody takes from, or removes, somebody who has more.
        """
        if grants is None:
            grants = self.standing.table.granted(self.channel.type, role, self.channel.grants)
        more = of_channel(frozenset(grants)) - self.allowed
        if more:
            raise RoleTooHigh.of(role, more)


def sight(standing: Standing, channel: Governed, role: str | None) -> Sight:
    """What is allowed to whom has this standing, and this channel role or none."""
    return Sight(standing, channel, role, standing.granted(channel, role))


async def standing_of(shard: Shard, uow: UnitOfWork, caller: Caller) -> Standing:
    """The caller's standing; one statement, within whatever the transaction sees."""
    return await standing_of_user(shard, uow, caller, caller.user_id)


async def standing_of_user(shard: Shard, uow: UnitOfWork, caller: Caller, user_id: str | None) -> Standing:
    """The standing of a user of the caller's app, for views that are made for it. Null: the server's."""
    return await standing_in(shard, uow, caller.app_id, user_id)


async def standing_in(shard: Shard, uow: UnitOfWork, app_id: UUID, user_id: str | None) -> Standing:
    """The same in any app."""
    row = (await uow.session.execute(_READ, {"app": app_id, "log": APP_LOG, "user": user_id})).one()
    table = await shard.grants.at_least(app_id, row.seq or 0)
    return Standing(table, table.app_role(row.role or "") if user_id is not None else None)


def standings(table: GrantTable, app_roles: Mapping[str, str]) -> dict[str, Standing]:
    """By user, from the words that users have as `role`."""
    return {user_id: Standing(table, table.app_role(word)) for user_id, word in app_roles.items()}
