"""`natter stripe-sim`: a server that speaks Stripe's protocol, for tests and development."""

import asyncio
import secrets
import signal
from pathlib import Path

import click

from kernel.logging import configure_logging


@click.command(name="stripe-sim")
@click.option("--port", default=8300, type=click.IntRange(0, 65_535), show_default=True, help="0 takes a free one.")
@click.option("--state", type=click.Path(path_type=Path), help="Keep the state in this file. Default: in memory.")
@click.option("--webhook", default="", metavar="URL", help="Deliver every event there.")
@click.option(
    "--key", envvar="NATTER_STRIPE_SECRET_KEY", help="The secret key that callers must have. Default: a new one."
)
@click.option(
    "--signing-secret", envvar="NATTER_STRIPE_WEBHOOK_SECRETS", help="Signs what goes to --webhook. Default: a new one."
)
@click.option("--seed", help="Makes the ids the same in each run.")
def stripe_sim(
    port: int, state: Path | None, webhook: str, key: str | None, signing_secret: str | None, seed: str | None
) -> None:
    """Run the Stripe simulator, on this machine only.

    It has a Checkout page, a customer portal, webhooks, and a clock and faults that `/_sim` controls: see
    docs/stripe-sim.md. No money moves.
    """
    from ops.stripe_sim.server import Options, Simulator

    configure_logging("stripe-sim", level="info", format="console")
    options = Options(
        key=key or f"sk_test_{secrets.token_hex(12)}",
        port=port,
        state=state,
        webhook=webhook,
        signing_secret=signing_secret or f"whsec_{secrets.token_hex(16)}",
        seed=seed,
    )

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with Simulator(options) as simulator:
            click.echo(f"Stripe simulator    {simulator.url}")
            if key is None:
                click.echo(f"Secret key          {options.key}")
            if webhook and signing_secret is None:
                click.echo(f"Signing secret      {options.signing_secret}")
            await stop.wait()

    try:
        asyncio.run(run())
    except OSError as error:
        raise click.ClickException(f"Port {port} cannot be used: {error.strerror}.") from error
