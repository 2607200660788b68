"""The SQL of types and roles: one app's few rows, all of them at once."""

from typing import Any
from uuid import UUID

from sqlalchemy import delete, exists, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from data_plane.channels.models import Channel
from data_plane.grants.models import RoleRow, TypeRow
from data_plane.grants.store import role_from, type_from
from data_plane.grants.table import ChannelType, GrantTable, Role
from data_plane.members.models import Member
from data_plane.users.models import User


class GrantRepository:
    """Bound to one app and one transaction. Plain rows, never cached."""

    def __init__(self, session: AsyncSession, app_id: UUID) -> None:
        self._session = session
        self._app_id = app_id

    async def table(self, seq: int) -> GrantTable:
        """Everything that the app says, as of now."""
        types = await self._session.execute(select(*TypeRow.__table__.c).where(TypeRow.app_id == self._app_id))
        roles = await self._session.execute(select(*RoleRow.__table__.c).where(RoleRow.app_id == self._app_id))
        return GrantTable(map(type_from, types.mappings()), map(role_from, roles.mappings()), seq=seq)

    async def write_type(self, kind: ChannelType) -> None:
        """Store a type under its name."""
        grants = {role: sorted(granted) for role, granted in kind.grants.items()}
        times = {"created_at": kind.created_at, "updated_at": kind.updated_at}
        begins = {"creator_role": kind.creator_role, "history": kind.history, "slow_mode": kind.slow_mode}
        await self._write(TypeRow, name=kind.name, grants=grants, receipts=kind.receipts, **begins, **times)

    async def write_role(self, role: Role) -> None:
        """Store a role under its name."""
        times = {"created_at": role.created_at, "updated_at": role.updated_at}
        await self._write(RoleRow, name=role.name, scopes=list(role.scopes), grants=sorted(role.grants), **times)

    async def drop_type(self, name: str) -> None:
        """Take a type's row away. Waits for transactions that hold it, so a look at `type_used` after it is true."""
        await self._session.execute(delete(TypeRow).where(TypeRow.app_id == self._app_id, TypeRow.name == name))

    async def drop_role(self, name: str) -> None:
        """Take a role's row away, as `drop_type` does."""
        await self._session.execute(delete(RoleRow).where(RoleRow.app_id == self._app_id, RoleRow.name == name))

    async def hold_type(self, name: str) -> bool:
        """Keep a type of the app's own from being deleted until this transaction ends; false when it is gone."""
        query = select(literal(1)).where(TypeRow.app_id == self._app_id, TypeRow.name == name)
        return await self._session.scalar(query.with_for_update(key_share=True, read=True)) is not None

    async def hold_role(self, name: str) -> bool:
        """The same for a role."""
        query = select(literal(1)).where(RoleRow.app_id == self._app_id, RoleRow.name == name)
        return await self._session.scalar(query.with_for_update(key_share=True, read=True)) is not None

    async def type_used(self, name: str) -> bool:
        """Whether there is a channel of a type that is not built in."""
        channels = select(Channel.id).where(
            Channel.app_id == self._app_id,
            Channel.type == name,
            # As the index `channels_by_type` has it, so that it can be used.
            Channel.type > "",
            Channel.deleted_at.is_(None),
        )
        return bool(await self._session.scalar(select(exists(channels))))

    async def role_used(self, name: str) -> bool:
        """Whether a member or a user has a role that is not built in."""
        members = select(Member.user_id).where(
            Member.app_id == self._app_id, Member.role == name, Member.role != "member"
        )
        users = select(User.id).where(User.app_id == self._app_id, User.role == name, User.role != "user")
        return bool(await self._session.scalar(select(exists(members) | exists(users))))

    async def _write(self, model: type[TypeRow | RoleRow], **values: Any) -> None:
        statement: Any = insert(model).values(app_id=self._app_id, **values)
        changed = {name: value for name, value in values.items() if name not in ("name", "created_at")}
        await self._session.execute(statement.on_conflict_do_update(index_elements=["app_id", "name"], set_=changed))
