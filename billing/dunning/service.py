"""Keep each app where the ladder says, from what its provider says and the clock.

Level-based: `observe` is told the truth of now, as often and in whatever order. One row an app holds where it stands;
a change of it, what its nodes hear, the audit entry and the outbox row are one transaction, so that a step happens and
is told once, whoever looks and whatever is killed when.
"""

import asyncio
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from billing.alerts.letters import system_context
from billing.dunning.ladder import HOLDS, Lengths, Standing, State, standing
from billing.plans import load_catalog
from billing.terms.facts import ENDED, Agreement, load
from control_plane import audit, configuration
from control_plane.apps.holds import set_hold
from control_plane.apps.models import App
from control_plane.context import Context, Deps
from control_plane.organizations.erasure import erase_app
from kernel.clock import rfc3339
from kernel.errors import NotFound
from kernel.ids import format_id
from kernel.logging import get_logger
from kernel.outbox import Outbox

TOPIC: Final = "billing.dunning"
"""The outbox's topic of a step: mail now, webhooks when there are some."""
PERIOD: Final = 15.0
_BATCH: Final = 100

_VERBS: Final[dict[State, str]] = {
    "active": "paid",
    "past_due": "past_due",
    "read_only": "made_read_only",
    "suspended": "suspended_unpaid",
    "export": "export_window_began",
    "erased": "erased_unpaid",
}
"""By state the audit action of entering it, after `app.`."""

_LOAD = text("select unpaid_since, state, entered_at from control.dunning where app_id = :app")
_WRITE = text(
    """
    insert into control.dunning (app_id, organization_id, unpaid_since, state, entered_at, moves_at)
    values (:app, :organization, :since, :state, :entered, :moves)
    on conflict (app_id) do update set unpaid_since = excluded.unpaid_since, state = excluded.state,
        entered_at = excluded.entered_at, moves_at = excluded.moves_at
    """
)
# What was deleted meanwhile has nothing left to lose.
_DUE = text(
    "select d.app_id from control.dunning d join control.apps a on a.id = d.app_id "
    "where d.moves_at <= :now and a.status <> 'deleted' order by d.moves_at limit :n"
)

_log = get_logger(__name__)


def lengths() -> Lengths:
    """The steps' lengths, as the plan file has them."""
    days = load_catalog().dunning
    return Lengths(
        timedelta(days=days.past_due),
        timedelta(days=days.read_only),
        timedelta(days=days.suspended),
        timedelta(days=days.export),
    )


async def observe(ctx: Context, app_id: UUID, unpaid_since: datetime | None) -> State:
    """Take what is true now: something of the app's bill is unpaid since a moment, or (`None`) nothing is.

    Returns where the app stands then, after the step was taken, told to its nodes and written down. Saying the same
    again does nothing and costs one read. An app that was deleted or erased stays so. Call it before the transaction
    writes rows that refer to the app: it may take the configuration's lock (`control_plane.configuration`). Raises
    `NotFound`.
    """
    held = await _load(ctx.session, app_id)
    said_before = held is not None and held.unpaid_since == unpaid_since
    if held is not None and said_before and _standing(held, unpaid_since, ctx.now).state == held.state:
        return held.state
    if held is None and unpaid_since is None:
        return "active"
    # From here on this is the only one; what another has written meanwhile is seen.
    await configuration.advance(ctx.session)
    return await _settle(ctx, app_id, unpaid_since)


class _Held(NamedTuple):
    """The row."""

    unpaid_since: datetime | None
    state: State
    entered_at: datetime


def _standing(held: _Held | None, unpaid_since: datetime | None, now: datetime) -> Standing:
    if held is not None and held.state == "erased":
        return Standing("erased", None)
    export_since = held.entered_at if held is not None and held.state == "export" else None
    return standing(unpaid_since, now, lengths(), export_since=export_since)


async def _load(session: AsyncSession, app_id: UUID) -> _Held | None:
    row = (await session.execute(_LOAD, {"app": app_id})).one_or_none()
    return None if row is None else _Held(*row)


async def _settle(ctx: Context, app_id: UUID, unpaid_since: datetime | None) -> State:
    app = await ctx.session.get(App, app_id, populate_existing=True)
    if app is None:
        raise NotFound("There is no such app.")
    held = await _load(ctx.session, app_id)
    before: State = held.state if held is not None else "active"
    if before == "erased" or app.status == "deleted":
        return "erased"
    found = _standing(held, unpaid_since, ctx.now)
    moved = found.state != before
    row = {
        "app": app_id,
        "organization": app.organization_id,
        "since": unpaid_since,
        "state": found.state,
        "entered": ctx.now if moved or held is None else held.entered_at,
        "moves": found.moves_at,
    }
    if moved:
        await _enter(ctx, app, before, found, unpaid_since)
    await ctx.session.execute(_WRITE, row)
    return found.state


async def _enter(ctx: Context, app: App, before: State, found: Standing, unpaid_since: datetime | None) -> None:
    if HOLDS[found.state] != HOLDS[before]:
        await set_hold(ctx, app.id, HOLDS[found.state])
    if found.state == "erased":
        if await load(ctx.session, app.id):
            await Agreement(ctx, app.organization_id, app.id).state("plan", {"because": "unpaid"}, subject=ENDED)
        await erase_app(ctx, app.id)
    said = {
        "before": before,
        "unpaid_since": rfc3339(unpaid_since) if unpaid_since else None,
        "moves_at": rfc3339(found.moves_at) if found.moves_at else None,
    }
    await audit.record(
        ctx,
        f"app.{_VERBS[found.state]}",
        app.public_id,
        organization_id=app.organization_id,
        app_id=app.id,
        **said,
    )
    payload = {
        "app_id": app.public_id,
        "app": app.name,
        "organization_id": format_id("org", app.organization_id),
        "state": found.state,
        "at": rfc3339(ctx.now),
        **said,
    }
    await Outbox("control").put(ctx.uow, TOPIC, payload, now=ctx.now)


class DunningKeeper:
    """The worker's job: takes apps on when their moment has come. Any number of processes may run one."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    async def step(self) -> int:
        """Move what is due, each app in a transaction of its own; returns how many were looked at."""
        now = self._deps.clock.now()
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            due = list((await uow.session.execute(_DUE, {"now": now, "n": _BATCH})).scalars())
        for app_id in due:
            try:
                async with self._deps.database.unit_of_work() as uow:
                    await _take_on(system_context(self._deps, uow), app_id)
            except Exception:
                # One app's trouble must not hold up the others; the next round tries again.
                _log.exception("dunning.step_failed", appId=format_id("app", app_id))
        return len(due)

    async def run(self) -> None:
        """Step every quarter of a minute, at once while there is much to do. Runs until it is cancelled."""
        while True:
            try:
                if await self.step() >= _BATCH:
                    continue
            except Exception:
                _log.exception("dunning.failed")
            await asyncio.sleep(PERIOD)


async def _take_on(ctx: Context, app_id: UUID) -> None:
    await configuration.advance(ctx.session)
    held = await _load(ctx.session, app_id)
    if held is not None:
        await _settle(ctx, app_id, held.unpaid_since)
