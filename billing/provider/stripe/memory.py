"""What is remembered between rounds: small facts by name."""

from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

AWAY: Final = "away"

_READ = text("select value from control.stripe_state where name = :name")
_WRITE = text(
    "insert into control.stripe_state (name, value, at) values (:name, cast(:value as jsonb), :now) "
    "on conflict (name) do update set value = excluded.value, at = excluded.at"
)


async def recall(session: AsyncSession, name: str) -> Any:
    """What was remembered last; `None`: nothing."""
    return await session.scalar(_READ, {"name": name})


async def remember(session: AsyncSession, name: str, value: Any, *, now: datetime) -> None:
    """Instead of what was remembered before."""
    values = {"name": name, "value": msgspec.json.encode(value).decode(), "now": now}
    await session.execute(_WRITE, values)


async def away_since(session: AsyncSession) -> datetime | None:
    """Since when Stripe does not answer; `None`: it does, as far as is known."""
    found = await recall(session, AWAY)
    return datetime.fromisoformat(found) if found else None
