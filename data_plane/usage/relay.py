"""Ships counted usage from a shard's outbox to the control plane's ledger, at least once.

A row is deleted only after the ledger has it, so no crash and no outage loses one. Sending a row twice, because a
receipt got lost or two workers run, changes no total: `(source, boot, seq)` names it for ever.
"""

import asyncio
from typing import Any, Final
from uuid import UUID

import httpx
import msgspec

from data_plane.backoff import Backoff
from data_plane.usage.minutes import close_minutes
from kernel.clock import Clock
from kernel.contracts import UsageReceipt, UsageReport, UsageRow
from kernel.db import Database
from kernel.ids import format_id
from kernel.logging import get_logger

PATH: Final = "/internal/v1/usage"
BATCH: Final = 1000
PERIOD: Final = 0.25
"""Seconds between looks while there is little to ship. It is most of the time for which nodes go on after a limit is
passed; one second of it is promised."""
MINUTES: Final = 1.0
"""Seconds between looks for minutes of connections that are over."""
SET_ASIDE: Final = 60.0
"""Seconds for which an app that the control plane refuses does not hold up the others."""

# `epoch` comes from the same snapshot as the rows: a restore changes both.
_READ: Final = """
    select o.seq, o.app_id, o.meter, o.quantity, o.at, o.subject, s.epoch
    from chat.usage_outbox o cross join chat.shard s
    where o.app_id <> all($1::uuid[]) order by o.seq limit $2
"""
_DELETE: Final = "delete from chat.usage_outbox where seq = any($1::bigint[])"
_log = get_logger(__name__)


class UsageRelay:
    """The relay of one shard. `database` connects as `natter_engine`; `credential` is the one made for the relay."""

    def __init__(
        self,
        *,
        shard_id: str,
        database: Database,
        control_url: str,
        credential: str,
        clock: Clock,
        transport: httpx.AsyncBaseTransport | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self.source = f"relay:{shard_id}"
        self._database = database
        self._clock = clock
        self._backoff = backoff or Backoff(most=5.0)
        self._aside: dict[UUID, float] = {}
        self._http = httpx.AsyncClient(
            base_url=control_url,
            headers={"authorization": f"Bearer {credential}", "content-type": "application/json"},
            timeout=httpx.Timeout(5.0, read=30.0),
            transport=transport,
            # A proxy of the environment is for the outside; the control plane is inside.
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections to the control plane."""
        await self._http.aclose()

    async def run(self) -> None:
        """Ship for ever: four times a second, at once while behind, with jittered back-off while the control plane is
        away.

        Minutes of connections are closed here too, so that their rows exist before they are looked for.
        """
        closed = -MINUTES
        while True:
            try:
                if self._clock.monotonic() >= closed + MINUTES:
                    await close_minutes(self._database, self._clock)
                    closed = self._clock.monotonic()
                shipped = await self.ship()
            except Exception as error:
                wait = self._backoff.next()
                _log.warning("usage.relay_failed", source=self.source, error=repr(error), retryIn=round(wait, 1))
                await asyncio.sleep(wait)
                continue
            self._backoff.reset()
            if shipped < BATCH:
                await asyncio.sleep(PERIOD)

    async def ship(self) -> int:
        """Ship the oldest rows, 1,000 at most; returns how many the ledger took.

        Raises the HTTP client's error when the control plane is away or fails; the rows stay then.
        """
        now = self._clock.monotonic()
        self._aside = {app_id: until for app_id, until in self._aside.items() if until > now}
        pool = await self._database.pool()
        rows = await pool.fetch(_READ, list(self._aside), BATCH)
        if not rows:
            return 0
        if await self._post(rows):
            return await self._done(rows)
        # Something in the report is refused. App by app, the rest goes through.
        shipped = 0
        by_app: dict[UUID, list[Any]] = {}
        for row in rows:
            by_app.setdefault(row["app_id"], []).append(row)
        for app_id, own in by_app.items():
            if len(by_app) > 1 and await self._post(own):
                shipped += await self._done(own)
            else:
                self._aside[app_id] = now + SET_ASIDE
                _log.error("usage.app_refused", source=self.source, appId=format_id("app", app_id), rows=len(own))
        return shipped

    async def _post(self, rows: list[Any]) -> bool:
        """False when the control plane understood the report and refuses it."""
        report = UsageReport(
            source=self.source,
            boot=rows[0]["epoch"],
            rows=tuple(
                UsageRow(
                    seq=row["seq"],
                    app_id=format_id("app", row["app_id"]),
                    meter=row["meter"],
                    quantity=row["quantity"],
                    at=row["at"],
                    subject=row["subject"],
                )
                for row in rows
            ),
        )
        response = await self._http.post(PATH, content=msgspec.json.encode(report))
        if _is_refusal(response):
            _log.error(
                "usage.report_refused", source=self.source, status=response.status_code, body=response.text[:500]
            )
            return False
        response.raise_for_status()
        # Nothing but a receipt of ours counts: a stray page with status 200 must not delete a row.
        msgspec.json.decode(response.content, type=UsageReceipt)
        return True

    async def _done(self, rows: list[Any]) -> int:
        pool = await self._database.pool()
        await pool.execute(_DELETE, [row["seq"] for row in rows])
        return len(rows)


def _is_refusal(response: httpx.Response) -> bool:
    """Whether the report's rows are to blame, and not the credential or the moment."""
    if response.status_code == 422:
        return True
    try:
        return response.status_code == 403 and response.json().get("code") == "foreign_apps"
    except (ValueError, AttributeError):
        return False
