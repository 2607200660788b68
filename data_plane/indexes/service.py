"""Declare, list and drop indexes of custom fields."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from data_plane.indexes.errors import IndexExists, TooManyIndexes
from data_plane.indexes.jobs import DROP, FILL
from data_plane.query.fields import CUSTOM_PATH
from data_plane.query.models import FieldIndex, IndexedResource, IndexType
from data_plane.query.parse import CUSTOM
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import InvalidInput, NotFound

MAX_INDEXES: Final = 20
"""Declared fields of one resource of an app, where its plan says nothing: each costs a row at every write."""


class IndexService:
    """Use cases on declarations of one app."""

    def __init__(self, shard: Shard, app_id: UUID) -> None:
        self._shard = shard
        self._app_id = app_id

    async def declare(
        self, uow: UnitOfWork, resource: IndexedResource, field: str, type: IndexType, *, most: int = MAX_INDEXES
    ) -> tuple[FieldIndex, bool]:
        """Declare a field and have its values gathered; false when it was declared so before. `most`: what the plan
        allows of a resource.

        Raises `IndexExists`, `TooManyIndexes`, `InvalidInput`.
        """
        path = _path(field)
        # One declaration of an app at a time, so that the limit is one.
        await uow.session.execute(
            text("select pg_advisory_xact_lock(hashtextextended(:name, 2))"), {"name": f"indexes {self._app_id}"}
        )
        found = await self._find(uow, resource, path)
        if found is not None:
            if found.type != type:
                raise IndexExists(f"`{field}` is declared as {found.type}.", field="type")
            return found, False
        count = await uow.session.scalar(
            select(func.count()).where(FieldIndex.app_id == self._app_id, FieldIndex.resource == resource)
        )
        if (count or 0) >= most:
            raise TooManyIndexes(f"An app on this plan declares at most {most} fields of its {resource}.")
        now = truncate_ms(self._shard.clock.now())
        statement = insert(FieldIndex).values(
            app_id=self._app_id, resource=resource, field=path, type=type, state="building", created_at=now
        )
        index_id: int = (await uow.session.execute(statement.returning(FieldIndex.id))).scalar_one()
        job = {"app_id": str(self._app_id), "index_id": index_id, "after": "", "horizon": None}
        await self._shard.outbox.put(uow, FILL, job, now=now)
        made = await self._find(uow, resource, path)
        assert made is not None
        return made, True

    async def all(self, uow: UnitOfWork) -> Sequence[FieldIndex]:
        """Every declaration, by resource and field."""
        query = select(FieldIndex).where(FieldIndex.app_id == self._app_id)
        return (await uow.session.scalars(query.order_by(FieldIndex.resource, FieldIndex.field))).all()

    async def drop(self, uow: UnitOfWork, resource: IndexedResource, field: str) -> None:
        """Let a field be declared no more. What is not declared is no error."""
        statement = delete(FieldIndex).where(
            FieldIndex.app_id == self._app_id, FieldIndex.resource == resource, FieldIndex.field == _path(field)
        )
        index_id = (await uow.session.execute(statement.returning(FieldIndex.id))).scalar_one_or_none()
        if index_id is not None:
            job = {"app_id": str(self._app_id), "index_id": index_id, "horizon": None}
            await self._shard.outbox.put(uow, DROP, job, now=truncate_ms(self._shard.clock.now()))

    async def get(self, uow: UnitOfWork, resource: IndexedResource, field: str) -> FieldIndex:
        """One declaration. Raises `NotFound`."""
        found = await self._find(uow, resource, _path(field))
        if found is None:
            raise NotFound("There is no such index.")
        return found

    async def _find(self, uow: UnitOfWork, resource: str, path: str) -> FieldIndex | None:
        query = select(FieldIndex).where(
            FieldIndex.app_id == self._app_id, FieldIndex.resource == resource, FieldIndex.field == path
        )
        return (await uow.session.scalars(query.execution_options(populate_existing=True))).one_or_none()


def _path(field: str) -> str:
    path = field.removeprefix(CUSTOM)
    if path == field or not CUSTOM_PATH.fullmatch(path):
        raise InvalidInput(
            "`field` must be `custom.` and a path of 1 to 8 names of A-Z a-z 0-9 _ -, parted by points.", field="field"
        )
    return path
