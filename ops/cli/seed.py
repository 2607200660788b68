"""`natter seed`."""

import asyncio
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from ops.cli.management import management

if TYPE_CHECKING:
    from control_plane.context import Deps
    from kernel.contracts import AppSnapshot


@click.command()
@click.option("--app", "app_id", help="The app to fill: `app_…`. Default: a new one.")
@click.option("--email", default="demo@example.com", show_default=True, help="The owner of a new app.")
@click.option("--organization", default="Demo", show_default=True, help="Of a new app; made when it is not there.")
@click.option("--name", default="Seeded", show_default=True, help="Of a new app.")
@click.option("--plan", default="enterprise", show_default=True, help="Of a new app. The messages count in it.")
@click.option("--users", default=1_000, show_default=True, type=click.IntRange(2, 100_000))
@click.option("--channels", default=200, show_default=True, type=click.IntRange(1, 20_000))
@click.option("--messages", default=1_000_000, show_default=True, type=click.IntRange(0, 100_000_000))
@click.option(
    "--months", default=6, show_default=True, type=click.IntRange(1, 12), help="Over how long, up to --until."
)
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="The last day, UTC. Default: up to now.")
@click.option(
    "--seed", default=1, show_default=True, type=click.IntRange(0), help="The same seed makes the same tenant."
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON on standard output.")
def seed(
    app_id: str | None,
    email: str,
    organization: str,
    name: str,
    plan: str,
    until: datetime | None,
    as_json: bool,
    **amounts: int,
) -> None:
    """Fill an app with people, channels and months of messages, as if they had been sent.

    Usage is counted, too, so that the ledger agrees with the messages: an app on a plan with a limit may be over it
    afterwards. Two of the users are those that the portal's live demo acts as.
    """
    end = until.replace(tzinfo=UTC) if until is not None else datetime.now(UTC)
    new = {"email": email, "organization": organization, "app": name, "plan": plan}
    made = asyncio.run(_seed(app_id, new, end, amounts, tell=lambda words: click.echo(f"  {words}", err=True)))
    if as_json:
        click.echo(json.dumps(made))
        return
    for key, value in made.items():
        click.echo(f"{key.replace('_', ' '):<16} {value:,}" if isinstance(value, int) else f"{key:<16} {value}")


async def _seed(
    app_id: str | None, new: dict[str, str], until: datetime, amounts: dict[str, int], *, tell: Any
) -> dict[str, Any]:
    from ops.seed.tenant import Seeding, Wish, shard_of_the_past

    began = time.monotonic()
    async with management() as deps:
        app, keys = await _app(deps, app_id, new)
        database_url = deps.settings.shard_settings(app.shard).database_url
        async with shard_of_the_past(database_url, app.shard, until) as shard:
            filled = await Seeding(shard, app, Wish(until=until, **amounts), tell).run()
    return {"app_id": app.app_id, **keys, **filled.as_dict(), "seconds": round(time.monotonic() - began, 1)}


async def _app(deps: "Deps", app_id: str | None, new: dict[str, str]) -> "tuple[AppSnapshot, dict[str, str]]":
    """The app as use cases want it, and the keys of a new one."""
    from billing.tenants import open_tenant
    from control_plane.apps.models import App
    from control_plane.context import Actor
    from kernel.contracts import AppSnapshot
    from kernel.errors import NotFound
    from kernel.ids import format_id, parse_id

    keys: dict[str, str] = {}
    if app_id is None:
        async with deps.change(Actor("operator:cli")) as context:
            made = await open_tenant(context, **new)
        app_id = made.app_id
        keys = {"publishable_key": made.publishable_key, "secret_key": made.secret_key}
    async with deps.database.unit_of_work(read_only=True) as uow:
        found = await uow.session.get(App, parse_id("app", app_id, field="app"))
    if found is None:
        raise NotFound(f"There is no app {app_id}.")
    snapshot = AppSnapshot(
        app_id=found.public_id,
        organization_id=format_id("org", found.organization_id),
        version=found.version,
        shard=found.shard,
        environment="production" if found.environment == "production" else "development",
        status="active",
    )
    return snapshot, keys
