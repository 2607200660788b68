"""What users have chosen to show, and when they were last active: the durable part of presence."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID

import msgspec
from sqlalchemy import text

from kernel.db import Database, UnitOfWork

Status = Literal["online", "away", "invisible"]
User = tuple[UUID, str]

_COLUMNS: Final = "status, text, text_expires_at, version, last_active_at"
_LOAD: Final = """
    select x.app_id, x.user_id, p.*
    from unnest($1::uuid[], $2::text[]) x(app_id, user_id)
    cross join lateral (select status, text, text_expires_at, version, last_active_at from chat.presence p
                        where p.app_id = x.app_id and p.user_id = x.user_id offset 0) p
"""
_OF_USERS: Final = text(
    f"select u.id as user_id, {_COLUMNS} from chat.users u "  # noqa: S608 - constants
    "left join chat.presence p on p.app_id = cast(:app as uuid) and p.user_id = u.id "
    "where u.app_id = cast(:app as uuid) and u.id = any(cast(:ids as text[]))"
)
# In key order, so that no two writers wait for each other in a circle. An active user's time never goes back.
_ACTIVE: Final = """
    insert into chat.presence as held (app_id, user_id, last_active_at)
    select x.app_id, x.user_id, x.at from unnest($1::uuid[], $2::text[], $3::timestamptz[]) x(app_id, user_id, at)
    order by x.app_id, x.user_id
    on conflict (app_id, user_id) do update set last_active_at = excluded.last_active_at
    where held.last_active_at is null or held.last_active_at < excluded.last_active_at
"""
_CHOOSE: Final = text(
    "insert into chat.presence as held (app_id, user_id, status, text, text_expires_at, version) "  # noqa: S608
    "values (cast(:app as uuid), :user, coalesce(:status, 'online'), :text, :expires, :version) "
    "on conflict (app_id, user_id) do update set "
    "status = coalesce(:status, held.status), "
    "text = case when :new_text then :text else held.text end, "
    "text_expires_at = case when :new_text then :expires else held.text_expires_at end, "
    "version = greatest(held.version + 1, :version) "
    f"returning {_COLUMNS}"
)


class Choice(msgspec.Struct, frozen=True):
    """A row of `chat.presence`. `version`: milliseconds since 1970; the later one counts."""

    status: str = "online"
    text: str | None = None
    text_expires_at: datetime | None = None
    version: int = 0
    last_active_at: datetime | None = None


async def load_choices(database: Database, users: Sequence[User]) -> dict[User, Choice]:
    """Of those who have any, in one statement. `database` connects as `natter_engine`."""
    if not users:
        return {}
    pool = await database.pool()
    rows = await pool.fetch(_LOAD, [app_id for app_id, _ in users], [user_id for _, user_id in users])
    return {(row["app_id"], row["user_id"]): _choice(row) for row in rows}


async def save_activity(database: Database, active: Iterable[tuple[User, datetime]]) -> None:
    """Store when users were last active, in one statement. `database` connects as `natter_engine`."""
    rows = list(active)
    if rows:
        pool = await database.pool()
        await pool.execute(
            _ACTIVE, [user[0] for user, _ in rows], [user[1] for user, _ in rows], [at for _, at in rows]
        )


async def choices_of(uow: UnitOfWork, app_id: UUID, user_ids: Sequence[str]) -> dict[str, Choice]:
    """Of the users that exist, by id."""
    rows = await uow.session.execute(_OF_USERS, {"app": app_id, "ids": list(user_ids)})
    return {row["user_id"]: _choice(row) if row["version"] is not None else Choice() for row in rows.mappings()}


async def choose(
    uow: UnitOfWork,
    app_id: UUID,
    user_id: str,
    *,
    status: str | None,
    new_text: bool,
    text: str | None,
    text_expires_at: datetime | None,
    version: int,
) -> Choice:
    """Store what a user chooses and return all of it; a null status, and a text that is not new, stay as they are."""
    row = await uow.session.execute(
        _CHOOSE,
        {
            "app": app_id, "user": user_id, "status": status, "new_text": new_text, "text": text,
            "expires": text_expires_at, "version": version,
        },
    )  # fmt: skip
    return _choice(row.mappings().one())


def _choice(row: Any) -> Choice:
    return Choice(row["status"], row["text"], row["text_expires_at"], row["version"], row["last_active_at"])
