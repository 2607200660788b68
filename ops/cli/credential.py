"""`natter credential create`."""

import asyncio
import json

import click

from ops.cli.management import management


@click.group()
def credential() -> None:
    """What lets a node or a shard's relay speak with the control plane."""


@credential.command()
@click.option("--kind", type=click.Choice(["node", "relay"]), required=True)
@click.option("--name", required=True, help="The node's name; for a relay the shard's id will do.")
@click.option("--shard", required=True, help="The one shard that it is good for.")
@click.option("--replace", is_flag=True, help="Revoke a live one of the same kind and name.")
@click.option("--json", "as_json", is_flag=True)
def create(kind: str, name: str, shard: str, replace: bool, as_json: bool) -> None:
    """Make a credential. It is shown once."""

    async def run() -> str:
        from control_plane.context import Actor
        from control_plane.credentials.service import create_credential

        async with management() as deps, deps.change(Actor("operator:cli")) as context:
            return await create_credential(
                context, kind="node" if kind == "node" else "relay", name=name, shard=shard, replace=replace
            )

    value = asyncio.run(run())
    click.echo(json.dumps({"credential": value}) if as_json else value)
