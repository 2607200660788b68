"""Take a user out of service, and back. Its profile, messages and memberships stay."""

from datetime import datetime
from uuid import UUID

from data_plane.identity.tokens.revoke import revoke_user
from data_plane.log import user_log
from data_plane.log.writer import NewEntry
from data_plane.shard import Shard
from data_plane.users.models import User
from data_plane.users.repository import UserRepository
from data_plane.users.views import user_view
from data_plane.users.write import tell_watchers
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork
from kernel.errors import NotFound


async def deactivate(shard: Shard, uow: UnitOfWork, app_id: UUID, user_id: str) -> tuple[User, datetime | None]:
    """Deactivate a user: no tokens, no connections, no sends, until it is reactivated.

    Returns the user and, when it was active, when tokens would be valid again: its tokens are revoked, which is to be
    announced after the commit. Raises `NotFound`. A deactivated user stays as it is.
    """
    user = await _locked(shard, uow, app_id, user_id)
    if user.deactivated_at is not None:
        return user, None
    user = await _write(shard, uow, app_id, user_id, deactivated_at=truncate_ms(shard.clock.now()))
    return user, await revoke_user(shard, uow, app_id, user_id)


async def reactivate(shard: Shard, uow: UnitOfWork, app_id: UUID, user_id: str) -> User:
    """Let a user be served again, with new tokens. Raises `NotFound`. An active user stays as it is."""
    user = await _locked(shard, uow, app_id, user_id)
    if user.deactivated_at is None:
        return user
    return await _write(shard, uow, app_id, user_id, deactivated_at=None)


async def _locked(shard: Shard, uow: UnitOfWork, app_id: UUID, user_id: str) -> User:
    await shard.logs.lock(uow, app_id, [user_log(user_id)])
    user = await UserRepository(uow.session, app_id).get(user_id)
    if user is None:
        raise NotFound("There is no such user.")
    return user


async def _write(shard: Shard, uow: UnitOfWork, app_id: UUID, user_id: str, *, deactivated_at: datetime | None) -> User:
    at = truncate_ms(shard.clock.now())
    users = UserRepository(uow.session, app_id)
    await users.set_deactivated(user_id, deactivated_at, at=at)
    user = await users.get(user_id)
    assert user is not None
    entry = NewEntry(log=user_log(user_id), type="user.updated", data={"user": user_view(user)})
    await shard.logs.append(uow, app_id, [entry], at=at)
    await tell_watchers(shard, uow, app_id, [user], actor=None, at=at)
    return user
