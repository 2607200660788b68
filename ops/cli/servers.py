"""`natter control`, `natter node`, `natter worker`: one server each, configured by settings alone."""

from pathlib import Path

import click

from kernel.settings import load_settings


@click.command()
def control() -> None:
    """Run the control plane: management API, snapshots, the usage ledger."""
    from ops.entrypoints.control import main

    main(load_settings())


@click.command()
def node() -> None:
    """Run a data-plane node: REST and Socket.IO of one shard, on one port."""
    from ops.entrypoints.node import main

    main(load_settings())


@click.command()
@click.option("--ready-file", type=click.Path(path_type=Path), help="Write the process id there once it works.")
def worker(ready_file: Path | None) -> None:
    """Run the worker: ships usage, runs side effects, sweeps, for every shard."""
    from ops.entrypoints.worker import main

    main(load_settings(), ready_file=ready_file)
