"""`natter up`."""

import asyncio
import sys
from dataclasses import replace

import click

from kernel.settings import load_settings
from ops.progress import Progress
from ops.up import AlreadyRunning, Installation, Interrupted, Options, with_port_base


@click.command()
@click.option(
    "--nodes", default=1, type=click.IntRange(1, 16), help="Data-plane nodes of each shard.", show_default=True
)
@click.option("--workers", type=click.IntRange(1, 64), help="Processes of each node. Default: NATTER_WORKERS, 1.")
@click.option("--shards", type=click.IntRange(1, 16), help="Shards, each with its own database and Valkey.")
@click.option("--port-base", type=click.IntRange(1, 65_000), help="Control plane here, nodes from 100 above.")
@click.option("--no-worker", is_flag=True, help="Without the worker: usage and side effects wait.")
@click.option("--stripe-sim", is_flag=True, help="With a Stripe simulator, 300 above the control plane's port.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON once all is ready; the rest goes to stderr.")
def up(
    nodes: int,
    workers: int | None,
    shards: int | None,
    port_base: int | None,
    no_worker: bool,
    stripe_sim: bool,
    as_json: bool,
) -> None:
    """Run everything on this machine, in the foreground.

    A private PostgreSQL and Valkey are started unless NATTER_DATABASE_URL or NATTER_REDIS_URL name others.
    Data, secrets and logs are kept in .natter; Ctrl-C stops everything and keeps them.
    """
    settings = load_settings()
    if workers is not None:
        settings = replace(settings, workers=workers)
    if port_base is not None:
        settings = with_port_base(settings, port_base)
    progress = Progress(sys.stderr if as_json else sys.stdout)
    options = Options(nodes=nodes, shards=shards, worker=not no_worker, stripe_sim=stripe_sim, as_json=as_json)
    installation = Installation(settings, options, progress)
    try:
        asyncio.run(installation.run())
    except Interrupted:
        sys.exit(130)
    except AlreadyRunning as error:
        who = error.runtime.supervisor
        click.echo(f"Natter is running here already{f' (process {who.pid})' if who else ''}.", err=True)
        if error.runtime.ready:
            for url in (error.runtime.control_url, *(node.url for node in error.runtime.nodes)):
                click.echo(f"  {url}", err=True)
            click.echo("Stop it there with Ctrl-C" + (f", or: kill {who.pid}" if who else "."), err=True)
        else:
            click.echo("It is still starting or stopping.", err=True)
        sys.exit(1)
