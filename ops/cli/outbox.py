"""`natter outbox`."""

import asyncio
import json

import click

from ops.cli.management import management


@click.command()
@click.option("--json", "as_json", is_flag=True)
def outbox(as_json: bool) -> None:
    """Print a link that opens the mail outbox: once, within 24 hours. Mails lie there until they are delivered."""

    async def run() -> str:
        from control_plane.accounts.local import create_outbox_link
        from control_plane.context import Actor

        async with management() as deps, deps.change(Actor("operator:cli")) as context:
            return await create_outbox_link(context)

    url = asyncio.run(run())
    click.echo(json.dumps({"outbox_url": url}) if as_json else url)
