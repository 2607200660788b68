"""`natter control`, `natter node`, `natter worker`: one server each, configured by settings alone."""

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
@click.option("--ready-fd", type=int, hidden=True, help="Write a line to this descriptor once it works.")
def worker(ready_fd: int | None) -> None:
    """Run the worker: ships usage, runs side effects, sweeps, for every shard."""
    from ops.entrypoints.worker import main

    main(load_settings(), ready_fd=ready_fd)
