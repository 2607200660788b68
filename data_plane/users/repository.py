"""The SQL of users. One app's rows, under its tenant scope."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import literal_column, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from data_plane.users.models import User

# One look at the index by user for each, whatever the statistics say.
_CHANNELS: Final = text(
    "select u.id, m.channel_id from unnest(cast(:users as text[])) u(id) cross join lateral (select channel_id "
    "from chat.members where app_id = :app and user_id = u.id order by user_id, channel_id limit :most) m"
)


class UserRepository:
    """Bound to one app and one transaction."""

    def __init__(self, session: AsyncSession, app_id: UUID) -> None:
        self._session = session
        self._app_id = app_id

    async def get(self, user_id: str) -> User | None:
        """One user as it is now; null when there is none."""
        return (await self.get_many([user_id])).get(user_id)

    async def get_many(self, user_ids: Iterable[str]) -> dict[str, User]:
        """Users by id; those that do not exist are left out."""
        query = select(User).where(User.app_id == self._app_id, User.id.in_(list(user_ids)))
        found = await self._session.execute(query.execution_options(populate_existing=True))
        return {user.id: user for user in found.scalars()}

    async def write(self, user: User) -> bool:
        """Store a user's profile under its id; `created_at` only for a new one. Returns whether it was new."""
        statement = insert(User).values(
            app_id=self._app_id,
            id=user.id,
            name=user.name,
            image=user.image,
            role=user.role,
            custom=user.custom,
            created_at=user.created_at,
            updated_at=user.updated_at,
        )
        written: Any = statement.on_conflict_do_update(
            index_elements=["app_id", "id"],
            set_={name: statement.excluded[name] for name in ("name", "image", "role", "custom", "updated_at")},
        ).returning(literal_column("xmax = 0"))
        return bool((await self._session.execute(written)).scalar_one())

    async def set_deactivated(self, user_id: str, deactivated_at: datetime | None, *, at: datetime) -> None:
        """Say since when a user is deactivated; null: it is not."""
        await self._session.execute(
            update(User)
            .where(User.app_id == self._app_id, User.id == user_id)
            .values(deactivated_at=deactivated_at, updated_at=at)
            .execution_options(synchronize_session=False)
        )

    async def channels_of(self, user_ids: Sequence[str], *, most: int) -> dict[str, list[str]]:
        """Channels that these users are members of, up to `most` of each."""
        rows = await self._session.execute(_CHANNELS, {"app": self._app_id, "users": list(user_ids), "most": most})
        found: dict[str, list[str]] = {}
        for user_id, channel_id in rows:
            found.setdefault(user_id, []).append(channel_id)
        return found
