"""`natter tenant create`."""

import asyncio
import json
from typing import TYPE_CHECKING

import click

from ops.cli.management import management

if TYPE_CHECKING:
    from control_plane.tenants import NewTenant


@click.group()
def tenant() -> None:
    """Customers of this installation."""


@tenant.command()
@click.option("--email", required=True, help="The owner.")
@click.option("--organization", required=True, help="Made when the owner has none of this name.")
@click.option("--app", required=True, help="The name of the new app.")
@click.option("--environment", type=click.Choice(["development", "production"]), default="development")
@click.option("--shard", help="Default: the one with the fewest apps.")
@click.option("--plan", default="free", show_default=True, help="The plan whose limits the app begins with.")
@click.option("--json", "as_json", is_flag=True)
def create(
    email: str, organization: str, app: str, environment: str, shard: str | None, plan: str, as_json: bool
) -> None:
    """Open an app and print its address and keys. The secret key is shown once."""
    made, url = asyncio.run(
        _create(email=email, organization=organization, app=app, environment=environment, shard=shard, plan=plan)
    )
    if as_json:
        answer = {
            "app_id": made.app_id,
            "url": url,
            "publishable_key": made.publishable_key,
            "secret_key": made.secret_key,
        }
        click.echo(json.dumps(answer))
        return
    click.echo(f"app              {made.app_id}")
    click.echo(f"url              {url or '(no node of the shard is running)'}")
    click.echo(f"publishable key  {made.publishable_key}   for apps and web pages")
    click.echo(f"secret key       {made.secret_key}   for your server; shown only now")


async def _create(*, shard: str | None, **wish: str) -> "tuple[NewTenant, str | None]":
    from billing.tenants import open_tenant
    from control_plane.context import Actor
    from control_plane.locate.service import shard_url

    async with management() as deps:
        async with deps.change(Actor("operator:cli")) as context:
            made = await open_tenant(context, shard=shard, **wish)
        async with deps.database.unit_of_work(read_only=True) as uow:
            return made, await shard_url(uow.session, deps.settings, made.shard, now=deps.clock.now())
