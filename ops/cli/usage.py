"""`natter usage …`: usage by every count there is."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Any

import click

from ops.cli.management import management


@click.group()
def usage() -> None:
    """What apps used."""


@usage.command()
@click.option("--app", "app_id", required=True, help="app_…")
@click.option("--month", help="Such as 2026-01, UTC. Default: this month.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def recompute(app_id: str, month: str | None, as_json: bool) -> None:
    """Count a month again: from the chat database, the raw ledger and the rollup. Fails when they differ.

    What the chat database counted and the ledger has not yet received is `waiting`, and no difference. Stored bytes are
    counted in the chat for this month alone; peaks are samples, which only the ledger keeps.
    """
    chosen = month or datetime.now(UTC).strftime("%Y-%m")
    rows = asyncio.run(_recompute(app_id, chosen))
    agrees = all(row.agrees for row in rows)
    if as_json:
        counts = {
            row.meter: {"chat": row.chat, "waiting": row.waiting, "ledger": row.ledger, "rollup": row.rollup}
            for row in rows
        }
        click.echo(json.dumps({"app_id": app_id, "month": chosen, "agrees": agrees, "meters": counts}))
    else:
        click.echo(f"{app_id}, {chosen}")
        click.echo(f"{'meter':<18}{'chat':>18}{'waiting':>12}{'ledger':>18}{'rollup':>18}")
        for row in rows:
            chat = "–" if row.chat is None else f"{row.chat:,}"
            mark = "" if row.agrees else "   differs"
            click.echo(f"{row.meter:<18}{chat:>18}{row.waiting:>12,}{row.ledger:>18,}{row.rollup:>18,}{mark}")
        click.echo("All counts agree." if agrees else "The counts differ.")
    if not agrees:
        sys.exit(1)


async def _recompute(app_id: str, month: str) -> list[Any]:
    from ops.recount import recount

    async with management() as deps:
        # A message that is sent between two counts is in one of them: look again before saying so.
        for _ in range(3):
            rows = await recount(deps, app_id, month)
            if all(row.agrees for row in rows):
                break
            await asyncio.sleep(0.5)
        return rows
