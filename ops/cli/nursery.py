"""`natter nursery`, which only `natter up` calls."""

import click


@click.command(hidden=True)
@click.argument("descriptor", type=int)
def nursery(descriptor: int) -> None:
    """Load the servers' code once and fork servers on request. See `ops.nursery`."""
    from ops.nursery.process import main

    main(descriptor)
