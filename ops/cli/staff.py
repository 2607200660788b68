"""`natter staff create`."""

import asyncio
import json
from typing import TYPE_CHECKING

import click

from ops.cli.management import management

if TYPE_CHECKING:
    from control_plane.accounts.staff import NewStaff


@click.group()
def staff() -> None:
    """People who operate this installation."""


@staff.command()
@click.option("--email", required=True)
@click.option("--name", help="Default: the part of the address before the @.")
@click.option("--json", "as_json", is_flag=True)
def create(email: str, name: str | None, as_json: bool) -> None:
    """Make an account staff, and the account too if there is none. Prints a link that sets its password, once."""

    async def run() -> "NewStaff":
        from control_plane.accounts.staff import create_staff
        from control_plane.context import Actor

        async with management() as deps, deps.change(Actor("operator:cli")) as context:
            return await create_staff(context, email=email, name=name)

    made = asyncio.run(run())
    if as_json:
        click.echo(json.dumps({"account_id": made.account_id, "url": made.url, "created": made.created}))
        return
    click.echo(f"account  {made.account_id}   {'new' if made.created else 'was there; it is staff now'}")
    click.echo(f"link     {made.url}   sets its password, once, within 24 hours")
