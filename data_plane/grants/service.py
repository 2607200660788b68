"""Define, change and delete channel types and roles. For the customer's server."""

from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import msgspec

from data_plane.grants.defaults import CREATOR_ROLES, OWNER, SCOPES, TYPES
from data_plane.grants.errors import RoleInUse, TooManyDefined, TypeInUse, unknown_role
from data_plane.grants.repository import GrantRepository
from data_plane.grants.schemas import PutRole, PutType, permissions
from data_plane.grants.table import ChannelType, GrantTable, Role
from data_plane.grants.views import ChannelTypeView, RoleView, difference, role_view, type_view
from data_plane.identity.caller import Caller
from data_plane.log.entries import APP_LOG
from data_plane.log.writer import NewEntry
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import NotFound

MAX_OWN: Final = 25
"""Types of an app's own, changed built-in ones included; and as many roles. What a node holds of an app stays small."""

Announce = Callable[[UUID, int], None]
"""Tells the other nodes of the shard that an app's table is at this seq now."""


class GrantService:
    """Use cases on types and roles. Writers must come before the transaction's first write.

    All writers of an app take its own log's lock, and tell there which rows of the table changed.
    """

    def __init__(self, shard: Shard, announce: Announce) -> None:
        self._shard = shard
        self._announce = announce

    async def table(self, uow: UnitOfWork, caller: Caller) -> GrantTable:
        """What the app says, as of now."""
        return await GrantRepository(uow.session, caller.app_id).table(0)

    async def put_type(self, uow: UnitOfWork, caller: Caller, name: str, wish: PutType) -> tuple[ChannelTypeView, bool]:
        """Let the type be so; returns its view and whether it is new. What is so already changes nothing.

        Raises `InvalidInput` for roles and permissions that do not exist, `TooManyDefined`.
        """
        before = await self._locked(uow, caller)
        creator_role = wish.creator_role or CREATOR_ROLES.get(name, OWNER)
        if not before.for_members(creator_role):
            raise unknown_role(creator_role, field="creator_role")
        for role in wish.grants:
            if role not in before.roles:
                raise unknown_role(role, field="grants")
        grants = {role: permissions(names, field=f"grants.{role}") for role, names in wish.grants.items()}
        held = before.types[name] if name in before.own_types else None
        now = truncate_ms(self._shard.clock.now())
        created = held.created_at if held is not None else now
        kind = ChannelType(
            name=name,
            creator_role=creator_role,
            grants=grants,
            history=wish.history,
            receipts=wish.receipts,
            slow_mode=wish.slow_mode,
            created_at=created,
            updated_at=now,
        )
        if held is not None and _says(held) == _says(_completed(kind)):
            return type_view(before, held), False
        if held is None and len(before.own_types) >= MAX_OWN:
            raise TooManyDefined(f"An app can have {MAX_OWN} channel types of its own.")
        after = await self._change(uow, caller, before, lambda rows: rows.write_type(kind))
        return type_view(after, after.types[name]), name not in before.types

    async def delete_type(self, uow: UnitOfWork, caller: Caller, name: str) -> None:
        """Let the type be no more, or a built-in one be as it was made. Raises `NotFound`, `TypeInUse`."""
        before = await self._locked(uow, caller)
        if name not in before.types:
            raise no_type()
        if name not in before.own_types:
            return

        async def drop(rows: GrantRepository) -> None:
            await rows.drop_type(name)
            if name not in TYPES and await rows.type_used(name):
                raise TypeInUse(f"There are channels of the type `{name}`.")

        await self._change(uow, caller, before, drop)

    async def put_role(self, uow: UnitOfWork, caller: Caller, name: str, wish: PutRole) -> tuple[RoleView, bool]:
        """Let the role be so; returns its view and whether it is new. What is so already changes nothing.

        A built-in role keeps its scopes. A role that has been given stays where it was given, whatever its scopes
        become. Raises `InvalidInput`, `RoleInUse` when creators of a type get it and it is taken from channels,
        `TooManyDefined`.
        """
        before = await self._locked(uow, caller)
        scopes = tuple(sorted(set(wish.scopes)))
        if name in SCOPES and scopes != tuple(sorted(SCOPES[name])):
            raise RoleInUse(f"The built-in role `{name}` keeps its scopes: {', '.join(SCOPES[name])}.")
        if "channel" not in scopes and _given_to_creators(before, name):
            raise RoleInUse(f"Creators of channels get the role `{name}`.")
        granted = permissions(wish.grants, field="grants")
        held = before.roles[name] if name in before.own_roles else None
        now = truncate_ms(self._shard.clock.now())
        created = held.created_at if held is not None else now
        role = Role(name=name, scopes=scopes, grants=granted, created_at=created, updated_at=now)
        if held is not None and (held.scopes, held.grants) == (scopes, granted):
            return role_view(held), False
        if held is None and len(before.own_roles) >= MAX_OWN:
            raise TooManyDefined(f"An app can have {MAX_OWN} roles of its own.")
        await self._change(uow, caller, before, lambda rows: rows.write_role(role))
        return role_view(role), name not in before.roles

    async def delete_role(self, uow: UnitOfWork, caller: Caller, name: str) -> None:
        """Let the role be no more, or a built-in one be as it was made. Raises `NotFound`, `RoleInUse`."""
        before = await self._locked(uow, caller)
        if name not in before.roles:
            raise no_role()
        if name not in before.own_roles:
            return
        if name not in SCOPES and _given_to_creators(before, name):
            raise RoleInUse(f"Creators of channels get the role `{name}`.")

        async def drop(rows: GrantRepository) -> None:
            await rows.drop_role(name)
            if name not in SCOPES and await rows.role_used(name):
                raise RoleInUse(f"Members or users have the role `{name}`.")

        await self._change(uow, caller, before, drop)

    async def _locked(self, uow: UnitOfWork, caller: Caller) -> GrantTable:
        logs = self._shard.logs
        await logs.lock(uow, caller.app_id, [APP_LOG])
        last_seq, _ = (await logs.heads(uow, caller.app_id, [APP_LOG]))[APP_LOG]
        return await GrantRepository(uow.session, caller.app_id).table(last_seq)

    async def _change(
        self, uow: UnitOfWork, caller: Caller, before: GrantTable, write: Callable[[GrantRepository], Awaitable[None]]
    ) -> GrantTable:
        """Write, tell the app's log, and once it is durable this node and the others."""
        rows = GrantRepository(uow.session, caller.app_id)
        await write(rows)
        after = await rows.table(before.seq + 1)
        entry = NewEntry(log=APP_LOG, type="grants.updated", data={"types": difference(before, after)})
        await self._shard.logs.append(uow, caller.app_id, [entry], at=truncate_ms(self._shard.clock.now()))

        def tell() -> None:
            self._shard.grants.put(caller.app_id, after)
            self._announce(caller.app_id, after.seq)

        uow.after_commit(tell)
        return after


def no_type() -> NotFound:
    """There is none of this name in the app."""
    return NotFound("There is no such channel type.")


def no_role() -> NotFound:
    """There is none of this name in the app."""
    return NotFound("There is no such role.")


def _completed(kind: ChannelType) -> ChannelType:
    return GrantTable([kind]).types[kind.name]


def _says(kind: ChannelType) -> tuple[str, str, bool, int, object]:
    return (
        kind.creator_role,
        kind.history,
        kind.receipts,
        kind.slow_mode,
        msgspec.to_builtins({role: sorted(granted) for role, granted in kind.grants.items()}),
    )


def _given_to_creators(table: GrantTable, role: str) -> bool:
    return any(kind.creator_role == role for kind in table.types.values())
