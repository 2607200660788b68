"""Standings: from totals to entitlements, within 2 s of the ledger.

Whoever changes usage puts the app on the due list in the same transaction. Every control-plane process runs a
keeper; together they work the list off, and none is needed for the others' work to be found after a crash.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID

from sqlalchemy import text

from billing import alerts
from billing.usage.rollup import month_totals
from billing.usage.spend import spend
from control_plane import entitlements
from control_plane.context import Deps
from kernel.clock import month_of
from kernel.logging import get_logger

_IDLE: Final = 1.0
_PAUSE: Final = 0.1
_BATCH: Final = 200

_DUE = text("select distinct app_id from control.standings_due where due_at <= :now limit :n")

# All of an app's rows, also those of later: the standing is computed now, and asks for a later look by itself.
_CLAIM = text(
    "delete from control.standings_due where id in "
    "(select id from control.standings_due where app_id = :app_id for update skip locked) returning id"
)

_log = get_logger(__name__)


class QuotaKeeper:
    """Keeps standings in step with the ledger. Any number of processes may run one."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps
        self._woken = asyncio.Event()
        self._month: str | None = None

    def wake(self) -> None:
        """There is usage to look at; otherwise it is found within a second."""
        self._woken.set()

    async def step(self) -> int:
        """Work the due list off once, and the month's turn; returns how many apps were looked at."""
        now = self._deps.clock.now()
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            due = list((await uow.session.execute(_DUE, {"now": now, "n": _BATCH})).scalars())
        done = 0
        for app_id in due:
            done += await self._settle(app_id, claim=True)
        return done + await self._turn_month()

    async def _turn_month(self) -> int:
        now = self._deps.clock.now()
        if self._month == month_of(now):
            return 0
        async with self._deps.database.unit_of_work(read_only=True) as uow:
            stale = await entitlements.outdated(uow.session, now=now, limit=_BATCH)
        for app_id in stale:
            await self._settle(app_id, claim=False)
        if len(stale) < _BATCH:
            self._month = month_of(now)
        return len(stale)

    async def _settle(self, app_id: UUID, *, claim: bool) -> bool:
        """One app in one transaction; false when another process has taken it."""
        try:
            async with self._deps.database.unit_of_work() as uow:
                session, now = uow.session, self._deps.clock.now()
                if claim and (await session.execute(_CLAIM, {"app_id": app_id})).first() is None:
                    return False
                await entitlements.lock(session, app_id)
                # Statements of their own after the lock: they see whatever the previous holder saw, and more.
                found = await spend(session, app_id, now=now)
                if found is not None:
                    # What began or ended since the last look: a plan, a trial, an add-on; or a budget is spent.
                    grant = found.terms.grant(budget_spent=found.budget_spent)
                    await entitlements.apply(session, app_id, grant, now=now)
                used = found.used if found is not None else await month_totals(session, app_id, month_of(now))
                standing = await entitlements.write_standings(session, app_id, used, now=now)
                if found is not None:
                    # After the configuration's lock: a row that refers to the app keeps others from its version, and
                    # whoever has the lock may wait for just that.
                    await alerts.raise_alerts(uow, app_id, found, now=now)
                later = [fact.began_at for fact in found.facts if fact.began_at > now] if found is not None else []
                if standing.look_again_at is not None:
                    later.append(standing.look_again_at)
                if later:
                    await entitlements.mark_due(session, [app_id], at=min(later))
        except Exception:
            # The due rows are still there. One app's trouble must not stop the others' standings.
            _log.exception("quota.settle_failed", appId=str(app_id))
            return False
        return True

    async def run(self) -> None:
        """Step whenever woken, and every second. Runs until it is cancelled."""
        away = False
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_IDLE):
                    await self._woken.wait()
            self._woken.clear()
            try:
                while await self.step() >= _BATCH:
                    pass
                away = False
            except Exception:
                if not away:
                    _log.exception("quota.step_failed")
                away = True
            # Reports come in bursts: take a burst as one step.
            await asyncio.sleep(_PAUSE)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """`run` as a background task of this block."""
        task = asyncio.create_task(self.run(), name="quota-keeper")
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
