"""What is remembered between rounds: small facts by name."""

from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.context import Deps
from kernel.clock import rfc3339
from kernel.logging import get_logger

AWAY: Final = "away"

_READ = text("select value from control.stripe_state where name = :name")
_WRITE = text(
    "insert into control.stripe_state (name, value, at) values (:name, cast(:value as jsonb), :now) "
    "on conflict (name) do update set value = excluded.value, at = excluded.at"
)

_log = get_logger(__name__)


async def recall(session: AsyncSession, name: str) -> Any:
    """What was remembered last; `None`: nothing."""
    return await session.scalar(_READ, {"name": name})


async def remember(session: AsyncSession, name: str, value: Any, *, now: datetime) -> None:
    """Instead of what was remembered before."""
    values = {"name": name, "value": msgspec.json.encode(value).decode(), "now": now}
    await session.execute(_WRITE, values)


async def note_away(deps: Deps, *, away: bool) -> None:
    """That Stripe does not answer, if nobody has said so before; or that it does again."""
    async with deps.database.unit_of_work() as uow:
        now = deps.clock.now()
        before = await recall(uow.session, AWAY)
        if away and before is None:
            await remember(uow.session, AWAY, rfc3339(now), now=now)
            _log.error("stripe.away")
        elif not away and before is not None:
            await remember(uow.session, AWAY, None, now=now)
            _log.info("stripe.back", since=before)


async def away_since(session: AsyncSession) -> datetime | None:
    """Since when Stripe does not answer; `None`: it does, as far as is known."""
    found = await recall(session, AWAY)
    return datetime.fromisoformat(found) if found else None
