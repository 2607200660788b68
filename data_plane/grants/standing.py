"""What a caller may do in a channel: what its channel role, if it is a member, and its app role are granted."""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol
from uuid import UUID

import msgspec
from sqlalchemy import text

from data_plane.grants.defaults import ANONYMOUS
from data_plane.grants.errors import PermissionMissing, RoleTooHigh
from data_plane.grants.permissions import EVERYTHING, Grants, Permission
from data_plane.grants.table import GrantTable, Override, of_channel
from data_plane.identity.caller import AnonymousCaller, Reader, ServerCaller, UserCaller
from data_plane.log.entries import APP_LOG
from data_plane.shard import Shard
from kernel.db import UnitOfWork

_READ = text(
    "select (select last_seq from chat.log_heads where app_id = cast(:app as uuid) and log = :log) as seq, "
    "(select role from chat.users where app_id = cast(:app as uuid) and id = :user) as role"
)
_UNSEEN: Final[Grants] = frozenset({Permission.CHANNEL_JOIN})
"""What may be done with a channel that one does not see."""
_OF_NOBODY: Final[Grants] = frozenset({Permission.CHANNEL_WATCH})
"""What can be done by who is nobody, whatever its role is granted: everything else has an author."""


class Governed(Protocol):
    """The part of a channel that its grants depend on."""

    @property
    def type(self) -> str: ...
    @property
    def grants(self) -> Override:
        """Its own `{role: [permission]}`."""
        ...


class Standing(msgspec.Struct, frozen=True):
    """Who somebody is in its app, and the table as of this transaction or newer. Nothing is the least: who may more
    than look was said to be a user, or to be the customer's server."""

    table: GrantTable
    app_role: str | None = None
    """Null for the customer's server."""
    most: Grants = _OF_NOBODY
    """What no grant goes beyond."""
    is_server: bool = False

    @classmethod
    def of_server(cls, table: GrantTable) -> "Standing":
        """The customer's server's."""
        return cls(table, None, EVERYTHING, is_server=True)

    @classmethod
    def of_user(cls, table: GrantTable, word: str) -> "Standing":
        """That of a user with this word as its `role`."""
        return cls(table, table.app_role(word), EVERYTHING)

    @classmethod
    def of_nobody(cls, table: GrantTable) -> "Standing":
        """An anonymous visitor's."""
        return cls(table, ANONYMOUS, _OF_NOBODY)

    def granted(self, channel: Governed, role: str | None) -> Grants:
        """What the user may do in a channel where it has this role, null for none. A server may do everything.

        Who is no member and may not watch a channel sees nothing of it, and may at most join.
        """
        if self.is_server:
            return EVERYTHING
        by_app_role = self.table.granted(channel.type, self.app_role, channel.grants) & self.most
        if role is None:
            return by_app_role if Permission.CHANNEL_WATCH in by_app_role else by_app_role & _UNSEEN
        return by_app_role | (self.table.granted(channel.type, role, channel.grants) & self.most)

    def capabilities(self, channel: Governed, role: str | None) -> list[str] | None:
        """The same as the user sees it, sorted; null for a server."""
        return None if self.is_server else sorted(of_channel(self.granted(channel, role)))

    def of_type(self, type: str) -> Grants:
        """What the app role may do in a type as such."""
        return EVERYTHING if self.is_server else self.table.granted(type, self.app_role) & self.most


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


async def standing_of(shard: Shard, uow: UnitOfWork, reader: Reader) -> Standing:
    """The reader's standing; one statement, within whatever the transaction sees."""
    match reader:
        case ServerCaller():
            return await standing_of_server(shard, uow, reader.app_id)
        case UserCaller():
            return await standing_of_user(shard, uow, reader.app_id, reader.user_id)
        case AnonymousCaller():
            return Standing.of_nobody((await _read(shard, uow, reader.app_id, None))[0])


async def standing_of_user(shard: Shard, uow: UnitOfWork, app_id: UUID, user_id: str) -> Standing:
    """The standing of a user of an app, for views that are made for it."""
    return Standing.of_user(*await _read(shard, uow, app_id, user_id))


async def standing_of_server(shard: Shard, uow: UnitOfWork, app_id: UUID) -> Standing:
    """The standing of an app's own server."""
    return Standing.of_server((await _read(shard, uow, app_id, None))[0])


async def _read(shard: Shard, uow: UnitOfWork, app_id: UUID, user_id: str | None) -> tuple[GrantTable, str]:
    """The app's table, and the word that the user has as its role."""
    row = (await uow.session.execute(_READ, {"app": app_id, "log": APP_LOG, "user": user_id})).one()
    return await shard.grants.at_least(app_id, row.seq or 0), row.role or ""


def standings(table: GrantTable, app_roles: Mapping[str, str]) -> dict[str, Standing]:
    """By user, from the words that users have as `role`."""
    return {user_id: Standing.of_user(table, word) for user_id, word in app_roles.items()}
