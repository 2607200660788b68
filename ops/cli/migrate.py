"""`natter migrate`."""

import asyncio

import click

from ops.databases import migrate_all
from ops.installation import installed_settings


@click.command()
def migrate() -> None:
    """Bring the control database and every shard's to the newest schema. Safe beside running servers."""
    for name, applied in asyncio.run(migrate_all(installed_settings())).items():
        click.echo(f"{name:<12} {'applied ' + ', '.join(applied) if applied else 'up to date'}")
