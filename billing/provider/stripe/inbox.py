"""Stripe's events: stored once, answered at once, worked off later.

An event is a reason to look, nothing more: of what it says only its kind and the object's id are kept, and the object
is fetched. One that fails comes back with longer and longer waits, and is a dead letter in the end, which staff can
replay.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.provider.port import ProviderAway
from billing.provider.stripe.signature import genuine, live_secrets
from control_plane import audit
from control_plane.context import Context, Deps
from control_plane.paging import Page
from kernel.errors import InvalidInput, NotFound
from kernel.logging import get_logger

MAX_ATTEMPTS: Final = 10
"""With the back-off below, about six hours of trying."""
_LEASE: Final = timedelta(minutes=2)
_BATCH: Final = 50

_PUT = text(
    """
    insert into control.stripe_events (event_id, type, object_id, created_at, received_at, state, due_at)
    values (:id, :type, :object, :created, :now, 'pending', :now) on conflict (event_id) do nothing returning event_id
    """
)
_TAKE = text(
    """
    update control.stripe_events set attempts = attempts + 1, due_at = :lease where event_id in (
        select event_id from control.stripe_events where state = 'pending' and due_at <= :now
        order by due_at, event_id limit :n for update skip locked)
    returning event_id, type, object_id, attempts
    """
)
_DONE = text("update control.stripe_events set state = 'done', done_at = :now, last_error = null where event_id = :id")
_FAILED = text(
    "update control.stripe_events set state = :state, due_at = :due, last_error = :error where event_id = :id"
)
_COLUMNS: Final = "event_id, type, object_id, created_at, received_at, attempts, last_error"
_DEAD = text(
    f"select {_COLUMNS} from control.stripe_events where state = 'dead' "  # noqa: S608 - constant text
    "and (received_at, event_id) < (:at, :id) order by received_at desc, event_id desc limit :n"
)
_COUNTS = text("select state, count(*) as n from control.stripe_events where state <> 'done' group by state")
_REPLAY = text(
    "update control.stripe_events set state = 'pending', attempts = 0, due_at = :now "
    "where event_id = :id and state = 'dead' returning type, object_id"
)

_log = get_logger(__name__)


class BadSignature(InvalidInput):
    """Nobody who has a secret signed it, or not lately."""

    code = "bad_signature"
    title = "The signature does not fit"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that could not be worked off."""

    event_id: str
    type: str
    object_id: str
    created_at: datetime
    received_at: datetime
    attempts: int
    error: str | None

    @property
    def cursor(self) -> str:
        """Where the next page begins."""
        return f"{self.received_at.timestamp()!r}~{self.event_id}"


class _Payload(msgspec.Struct, frozen=True):
    id: str
    type: str
    object: str = "event"
    created: Any = 0
    data: dict[str, Any] = {}
    related_object: dict[str, Any] | None = None


async def receive(deps: Deps, body: bytes, signature: str) -> bool:
    """Store an event that has called; false when it was here before. Raises `BadSignature`, `InvalidInput`."""
    now = deps.clock.now()
    if not genuine(body, signature, live_secrets(deps.settings.stripe_webhook_secrets), now=now):
        raise BadSignature("The signature is not one of this endpoint's secrets, or it is too old.")
    try:
        event = msgspec.json.decode(body, type=_Payload)
    except msgspec.DecodeError as error:
        raise InvalidInput(f"The body is no event: {error}") from error
    async with deps.database.unit_of_work() as uow:
        return await _put(uow.session, event, now)


async def note(session: AsyncSession, event: dict[str, Any], *, now: datetime) -> bool:
    """Store an event that was listed; false when it was here before."""
    return await _put(session, msgspec.convert(event, _Payload), now)


async def _put(session: AsyncSession, event: _Payload, now: datetime) -> bool:
    about = event.data.get("object") or event.related_object or {}
    created = datetime.fromtimestamp(event.created, UTC) if isinstance(event.created, int) else now
    values = {
        "id": event.id[:255],
        "type": event.type[:255],
        "object": str(about.get("id") or "")[:255],
        "created": created,
        "now": now,
    }
    return (await session.execute(_PUT, values)).one_or_none() is not None


class Inbox:
    """Works events off with `handle(type, object_id)`. Any number of processes may."""

    def __init__(self, deps: Deps, handle: Callable[[str, str], Awaitable[None]]) -> None:
        self._deps = deps
        self._handle = handle

    async def step(self) -> int:
        """What is due, once; returns how many events were done. Raises `ProviderAway`, after which they come back."""
        now = self._deps.clock.now()
        async with self._deps.database.unit_of_work() as uow:
            rows = (await uow.session.execute(_TAKE, {"now": now, "lease": now + _LEASE, "n": _BATCH})).all()
        done, away = 0, None
        for row in rows:
            if away is not None:
                # It has not been tried: an outage is nobody's fault and makes no dead letters.
                await self._later(row, away, counted=False)
                continue
            try:
                await self._handle(row.type, row.object_id)
            except ProviderAway as error:
                away = error
                await self._later(row, error, counted=False)
            except Exception as error:
                _log.exception("stripe.event_failed", eventId=row.event_id, type=row.type, attempts=row.attempts)
                await self._later(row, error, counted=True)
            else:
                async with self._deps.database.unit_of_work() as uow:
                    await uow.session.execute(_DONE, {"id": row.event_id, "now": self._deps.clock.now()})
                done += 1
        if away is not None:
            raise away
        return done

    async def _later(self, row: Any, error: Exception, *, counted: bool) -> None:
        now = self._deps.clock.now()
        wait = timedelta(seconds=min(2 ** min(row.attempts, 12) * 5, 7200) if counted else 30)
        values = {
            "id": row.event_id,
            "state": "dead" if counted and row.attempts >= MAX_ATTEMPTS else "pending",
            "due": now + wait,
            "error": (str(error) or repr(error))[:2000],
        }
        async with self._deps.database.unit_of_work() as uow:
            if not counted:
                await uow.session.execute(
                    text("update control.stripe_events set attempts = greatest(attempts - 1, 0) where event_id = :id"),
                    {"id": row.event_id},
                )
            await uow.session.execute(_FAILED, values)


async def reads(session: AsyncSession, *, cursor: str | None = None, limit: int = 50) -> Page[DeadLetter]:
    """Dead letters, the newest first. For staff. Raises `InvalidInput` for what is no cursor."""
    at, event_id = _place(cursor)
    rows = await session.execute(_DEAD, {"at": at, "id": event_id, "n": limit + 1})
    found = [DeadLetter(*row) for row in rows]
    return Page(found[:limit], found[limit - 1].cursor if len(found) > limit else None)


async def backlog(session: AsyncSession) -> dict[str, int]:
    """How many events are pending and dead."""
    rows = await session.execute(_COUNTS)
    return {"pending": 0, "dead": 0} | {row.state: row.n for row in rows}


async def replay(ctx: Context, event_id: str) -> None:
    """Let the worker try a dead letter again, from the beginning. For staff. Raises `NotFound`."""
    row = (await ctx.session.execute(_REPLAY, {"id": event_id, "now": ctx.now})).one_or_none()
    if row is None:
        raise NotFound("There is no dead letter with that id.")
    await audit.record(ctx, "stripe.event_replayed", event_id, type=row.type, object=row.object_id)


def _place(cursor: str | None) -> tuple[datetime, str]:
    if cursor is None:
        return datetime(9999, 1, 1, tzinfo=UTC), ""
    at, _, event_id = cursor.partition("~")
    try:
        return datetime.fromtimestamp(float(at), UTC), event_id
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidInput("`cursor` is not one of this list.", field="cursor") from error
