"""`natter account let-in`."""

import asyncio

import click

from ops.cli.management import management


@click.group()
def account() -> None:
    """People with an account."""


@account.command()
@click.option("--email", required=True)
def let_in(email: str) -> None:
    """Turn two-step sign-in off for who has lost the authenticator and every recovery code. First make sure who asks.

    Every session of the account ends, and a mail says so. The password stays.
    """

    async def run() -> None:
        from control_plane.accounts.authenticators import let_in
        from control_plane.context import Actor

        async with management() as deps, deps.change(Actor("operator:cli")) as context:
            await let_in(context, email)

    asyncio.run(run())
    click.echo(f"{email} signs in with the password alone now.")
