"""Block, unblock, list. Each change is an entry of the blocker's own log, so that all of its devices agree."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from data_plane.blocks.errors import TooManyBlocks
from data_plane.blocks.models import Block
from data_plane.blocks.views import block_view
from data_plane.log import user_log
from data_plane.log.writer import NewEntry
from data_plane.members.errors import UnknownUsers
from data_plane.members.repository import MemberRepository
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import InvalidInput

MAX_BLOCKS: Final = 1_000
"""Others that one user may block: the list is part of its state, which a client holds whole."""


class BlockService:
    """Use cases on one user's blocks. Writers must come before the transaction's first write."""

    def __init__(self, shard: Shard, app_id: UUID, user_id: str) -> None:
        self._shard = shard
        self._app_id = app_id
        self._user_id = user_id

    async def add(self, uow: UnitOfWork, other: str) -> tuple[Block, bool]:
        """Block a user; false when it was blocked before. Raises `UnknownUsers`, `TooManyBlocks`, `InvalidInput`."""
        if other == self._user_id:
            raise InvalidInput("A user cannot block itself.", field="user_id")
        await self._shard.logs.lock(uow, self._app_id, [user_log(self._user_id)])
        found = await self._find(uow, other)
        if found is not None and found.removed_at is None:
            return found, False
        if await MemberRepository(uow.session, self._app_id).unknown_users([other]):
            raise UnknownUsers.of([other], field="user_id")
        if await self._count(uow) >= MAX_BLOCKS:
            raise TooManyBlocks(f"A user blocks at most {MAX_BLOCKS:,} others.")
        now = truncate_ms(self._shard.clock.now())
        row = {"created_at": now, "changed_at": now, "removed_at": None}
        statement = insert(Block).values(app_id=self._app_id, user_id=self._user_id, blocked_id=other, **row)
        await uow.session.execute(
            statement.on_conflict_do_update(index_elements=["app_id", "user_id", "blocked_id"], set_=row)
        )
        block = Block(app_id=self._app_id, user_id=self._user_id, blocked_id=other, **row)
        await self._tell(uow, "block.added", {"block": block_view(block)})
        return block, True

    async def remove(self, uow: UnitOfWork, other: str) -> bool:
        """Take a block back; false when there is none."""
        await self._shard.logs.lock(uow, self._app_id, [user_log(self._user_id)])
        found = await self._find(uow, other)
        if found is None or found.removed_at is not None:
            return False
        now = truncate_ms(self._shard.clock.now())
        await uow.session.execute(
            update(Block)
            .where(Block.app_id == self._app_id, Block.user_id == self._user_id, Block.blocked_id == other)
            .values(changed_at=now, removed_at=now)
            .execution_options(synchronize_session=False)
        )
        await self._tell(uow, "block.removed", {"user_id": other})
        return True

    async def all(self, uow: UnitOfWork) -> Sequence[Block]:
        """Whom the user has blocked, by id."""
        query = select(Block).where(
            Block.app_id == self._app_id, Block.user_id == self._user_id, Block.removed_at.is_(None)
        )
        return (await uow.session.scalars(query.order_by(Block.blocked_id))).all()

    async def _find(self, uow: UnitOfWork, other: str) -> Block | None:
        query = select(Block).where(
            Block.app_id == self._app_id, Block.user_id == self._user_id, Block.blocked_id == other
        )
        return (await uow.session.scalars(query.execution_options(populate_existing=True))).one_or_none()

    async def _count(self, uow: UnitOfWork) -> int:
        query = select(func.count()).where(
            Block.app_id == self._app_id, Block.user_id == self._user_id, Block.removed_at.is_(None)
        )
        return await uow.session.scalar(query) or 0

    async def _tell(self, uow: UnitOfWork, type: str, data: object) -> None:
        entry = NewEntry(log=user_log(self._user_id), type=type, data=data, actor=self._user_id)
        await self._shard.logs.append(uow, self._app_id, [entry], at=truncate_ms(self._shard.clock.now()))
