"""`natter control`, `natter node`, `natter worker`: one server each, configured by settings alone."""

from dataclasses import replace
from pathlib import Path

import click

from kernel.settings import load_settings


@click.command()
def control() -> None:
    """Run the control plane: management API, snapshots, the usage ledger."""
    from ops.entrypoints.control import main

    main(load_settings())


@click.command()
@click.option(
    "--workers", type=click.IntRange(1, 64), help="Processes that share the port. Default: NATTER_WORKERS, 1."
)
def node(workers: int | None) -> None:
    """Run a data-plane node: REST and Socket.IO of one shard, on one port."""
    from ops.entrypoints.node import main

    settings = load_settings()
    main(settings if workers is None else replace(settings, workers=workers))


@click.command()
@click.option("--ready-file", type=click.Path(path_type=Path), help="Write the process id there once it works.")
def worker(ready_file: Path | None) -> None:
    """Run the worker: ships usage, runs side effects, sweeps, for every shard."""
    from ops.entrypoints.worker import main

    main(load_settings(), ready_file=ready_file)
