"""The SQL of refresh tokens and of the user as far as tokens are concerned. One app's rows, under its tenant scope."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

_ENSURE_USER = text(
    "insert into chat.users (app_id, id, created_at, updated_at) values (:app, :user, :at, :at) on conflict do nothing"
)
_HOLD_USER = text(
    "select deactivated_at, tokens_valid_after from chat.users where app_id = :app and id = :user for share"
)
_REVOKE_USER = text(
    "insert into chat.users (app_id, id, created_at, updated_at, tokens_valid_after) "
    "values (:app, :user, :at, :at, :valid_after) "
    "on conflict (app_id, id) do update "
    "set tokens_valid_after = greatest(users.tokens_valid_after, excluded.tokens_valid_after) "
    "returning tokens_valid_after"
)
_FIND = (
    "select digest, family, user_id, expires_at, used_at from chat.refresh_tokens where app_id = :app and digest = :d"
)
_PEEK = text(_FIND)
_HOLD = text(_FIND + " for update")
_ADD = text(
    "insert into chat.refresh_tokens (app_id, digest, family, user_id, created_at, expires_at) "
    "values (:app, :d, :family, :user, :at, :expires) on conflict do nothing"
)
_USE = text("update chat.refresh_tokens set used_at = :at where app_id = :app and digest = :d")
_DROP_FAMILY = text("delete from chat.refresh_tokens where app_id = :app and family = :family")
_DROP_USER = text("delete from chat.refresh_tokens where app_id = :app and user_id = :user")


class UserStanding(NamedTuple):
    """What decides whether a user gets tokens."""

    deactivated_at: datetime | None
    tokens_valid_after: datetime | None


class StoredRefresh(NamedTuple):
    """A row of `chat.refresh_tokens`."""

    digest: str
    family: UUID
    user_id: str
    expires_at: datetime
    used_at: datetime | None


class TokenRepository:
    """Bound to one app and one transaction."""

    def __init__(self, session: AsyncSession, app_id: UUID) -> None:
        self._session = session
        self._app_id = app_id

    async def ensure_user(self, user_id: str, at: datetime) -> None:
        """Make the user unless there is one."""
        await self._session.execute(_ENSURE_USER, {"app": self._app_id, "user": user_id, "at": at})

    async def hold_user(self, user_id: str) -> UserStanding | None:
        """The user's standing, which cannot change until the transaction ends; null when there is no such user."""
        row = (await self._session.execute(_HOLD_USER, {"app": self._app_id, "user": user_id})).one_or_none()
        return None if row is None else UserStanding(*row)

    async def revoke_user(self, user_id: str, *, at: datetime, valid_after: datetime) -> datetime:
        """Refuse the user's tokens issued before `valid_after`, and make the user if need be. Never moves back."""
        values = {"app": self._app_id, "user": user_id, "at": at, "valid_after": valid_after}
        stored: datetime = (await self._session.execute(_REVOKE_USER, values)).scalar_one()
        return stored

    async def find(self, digest: str, *, hold: bool = False) -> StoredRefresh | None:
        """A refresh token by digest; with `hold`, locked until the transaction ends."""
        row = (await self._session.execute(_HOLD if hold else _PEEK, {"app": self._app_id, "d": digest})).one_or_none()
        return None if row is None else StoredRefresh(*row)

    async def add(self, digest: str, *, family: UUID, user_id: str, at: datetime, expires_at: datetime) -> None:
        """Store a token; the same digest again changes nothing."""
        values = {"app": self._app_id, "d": digest, "family": family, "user": user_id, "at": at, "expires": expires_at}
        await self._session.execute(_ADD, values)

    async def use(self, digest: str, *, at: datetime) -> None:
        """Mark a token as replaced."""
        await self._session.execute(_USE, {"app": self._app_id, "d": digest, "at": at})

    async def drop_family(self, family: UUID) -> None:
        """Revoke every token that descends from one sign-in."""
        await self._session.execute(_DROP_FAMILY, {"app": self._app_id, "family": family})

    async def drop_user(self, user_id: str) -> None:
        """Revoke every refresh token of a user."""
        await self._session.execute(_DROP_USER, {"app": self._app_id, "user": user_id})
