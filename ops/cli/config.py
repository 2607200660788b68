"""`natter config check`."""

import json
import sys
from typing import NoReturn

import click

from kernel.settings import SettingsError, load_settings
from ops.configuration import describe, problems
from ops.errors import CannotStart
from ops.installation import installed_settings
from ops.progress import explain


@click.group()
def config() -> None:
    """Look at the configuration."""


@config.command()
@click.option("--json", "as_json", is_flag=True)
def check(as_json: bool) -> None:
    """Print and explain every setting, with where it comes from; say what is wrong. Secrets are masked."""
    try:
        configured = load_settings()
        effective = installed_settings()
    except SettingsError as error:
        _fail([error.message], as_json)
    except CannotStart as error:
        _fail([explain(error)], as_json)
    lines, found = describe(configured, effective), list(problems(effective))
    if as_json:
        settings = {line.variable: {"value": line.value, "source": line.source, "doc": line.doc} for line in lines}
        click.echo(json.dumps({"settings": settings, "problems": found}))
    else:
        for line in lines:
            click.echo(f"{click.style(line.variable, bold=True)} = {line.value}   [{line.source}]")
            click.echo(click.wrap_text(line.doc, width=100, initial_indent="    ", subsequent_indent="    "))
    if found:
        if as_json:
            sys.exit(1)
        _fail(found, as_json)
    if not as_json:
        click.echo("\nThe configuration is valid. natter doctor checks what it points to.")


def _fail(found: list[str], as_json: bool) -> NoReturn:
    if as_json:
        click.echo(json.dumps({"problems": found}))
    else:
        click.echo("\nThe configuration is not valid:", err=True)
        for problem in found:
            click.echo(f"  {problem}", err=True)
    sys.exit(1)
