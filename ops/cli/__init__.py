"""The command `natter`. Each command imports what it needs when it runs, so that `natter --help` is quick."""

import importlib
import sys
from typing import Any

import click

_COMMANDS = {
    "up": "Run everything on this machine: engines, control plane, nodes, worker.",
    "control": "Run the control plane.",
    "node": "Run a data-plane node.",
    "worker": "Run the worker of all shards.",
    "migrate": "Bring every database to the newest schema.",
    "config": "Look at the configuration.",
    "doctor": "Check this machine and the engines; say what to do about each problem.",
    "credential": "Credentials of nodes and relays.",
    "tenant": "Customers of this installation.",
    "app": "The configuration of an app as a file: pull, diff, push, promote.",
    "usage": "Count what apps used, by every count there is.",
    "billing": "Plans, credits, overrides and invoices, for operators.",
    "account": "People with an account.",
    "staff": "People who operate this installation.",
    "audit": "Verify the audit log's chains of hashes.",
    "outbox": "Print a link that opens the mail outbox once.",
    "stripe-sim": "Run the Stripe simulator: billing without money, for tests and development.",
    "seed": "Fill an app with people, channels and months of messages.",
    "bench": "Measure on this machine; prints JSON.",
    "chaos": "Break an installation of its own and check that no message is lost, doubled or disordered.",
}
_HIDDEN = ("nursery",)
_MODULES = {"control": "servers", "node": "servers", "worker": "servers"}


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS and name not in _HIDDEN:
            return None
        plain = name.replace("-", "_")
        command = getattr(importlib.import_module(f"ops.cli.{_MODULES.get(name, plain)}"), plain)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The summaries from here, so that help imports no command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="natter", message="natter %(version)s")
def cli() -> None:
    """Natter: a chat platform that other products build on.

    Settings are NATTER_… variables or natter.toml; `natter config check` explains each.
    """


def main(arguments: list[str] | None = None) -> Any:
    """The entry point. Expected failures are told in words, without a traceback, and end with a code that is not 0."""
    from kernel.errors import NatterError
    from ops.errors import CannotStart
    from ops.progress import explain

    try:
        return cli.main(args=arguments, prog_name="natter")
    except CannotStart as error:
        click.echo(f"natter: {explain(error)}", err=True)
    except NatterError as error:
        click.echo(f"natter: {error.message}", err=True)
    sys.exit(1)
