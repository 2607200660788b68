"""`natter app pull|diff|push|promote`: the configuration of an app as a file."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

import click

from ops.cli.management import management

if TYPE_CHECKING:
    from ops.app_config import Change, Document, Outcome, Target

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Result = TypeVar("Result")
DIFFERENT = 1
FAILED = 2


def _with(command: Decorated) -> Decorated:
    """The option for sections that belong to one environment."""
    return click.option(
        "--with",
        "asked_for",
        multiple=True,
        metavar="SECTION",
        help="Also a section of one environment: origins, spend.",
    )(command)


def _key(command: Decorated) -> Decorated:
    command = click.option("--url", help="Where a node is reached. Default: what the control plane knows.")(command)
    return click.option(
        "--secret-key",
        envvar="APP_SECRET_KEY",
        show_envvar=True,
        help="sk_… of the app, for grants and indexes. Default: one made for this command and revoked after it.",
    )(command)


def _writing(command: Decorated) -> Decorated:
    command = click.option("--dry-run", is_flag=True, help="Check everything, show the difference, write nothing.")(
        command
    )
    command = click.option("--yes", is_flag=True, help="Do not ask.")(command)
    return click.option("--confirm", metavar="NAME", help="The app's name: what production asks for, with --yes too.")(
        command
    )


@click.group()
def app() -> None:
    """The configuration of an app as a file, between development and production."""


@app.command()
@click.argument("app_id", metavar="APP")
@_with
@_key
def pull(app_id: str, asked_for: tuple[str, ...], secret_key: str | None, url: str | None) -> None:
    """Print the app's configuration as TOML: the same bytes for the same configuration."""

    async def run() -> str:
        from ops.app_config import pull, write_document

        async with _reach(app_id, secret_key, url) as target:
            return write_document(await pull(target, asked_for=_known(asked_for)))

    click.echo(_finish(run), nl=False)


@app.command()
@click.argument("app_id", metavar="APP")
@click.argument("file", type=click.File(encoding="utf-8"))
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@_key
def diff(app_id: str, file: TextIO, as_json: bool, secret_key: str | None, url: str | None) -> None:
    """Show what a push of FILE would change in APP. Ends with 1 where there is something, with 2 on an error."""

    async def run() -> "list[Change]":
        from ops.app_config import changes_of

        document = _read(file)
        async with _reach(app_id, secret_key, url) as target:
            return await changes_of(target, document)

    changes = _finish(run)
    if as_json:
        click.echo(json.dumps({"app_id": app_id, "changes": [change.as_dict() for change in changes]}))
    else:
        _show(changes)
    if changes:
        sys.exit(DIFFERENT)


@app.command()
@click.argument("app_id", metavar="APP")
@click.argument("file", type=click.File(encoding="utf-8"))
@_writing
@_key
def push(
    app_id: str, file: TextIO, confirm: str | None, yes: bool, dry_run: bool, secret_key: str | None, url: str | None
) -> None:
    """Let APP be as FILE says. Sections that the file does not have are left alone.

    What it could not do, it says, and ends with 2; the same command again goes on from there.
    """

    async def run() -> bool:
        document = _read(file)
        async with _reach(app_id, secret_key, url) as target:
            return await _push(target, document, confirm=confirm, yes=yes, dry_run=dry_run)

    if not _finish(run):
        sys.exit(FAILED)


@app.command()
@click.argument("source_id", metavar="DEV_APP")
@click.argument("target_id", metavar="PROD_APP")
@_with
@_writing
@click.option("--secret-key", envvar="APP_SECRET_KEY", show_envvar=True, help="As for pull, of DEV_APP.")
@click.option("--production-secret-key", envvar="PRODUCTION_SECRET_KEY", show_envvar=True, help="The same of PROD_APP.")
def promote(
    source_id: str,
    target_id: str,
    asked_for: tuple[str, ...],
    confirm: str | None,
    yes: bool,
    dry_run: bool,
    secret_key: str | None,
    production_secret_key: str | None,
) -> None:
    """Let an app in production have the configuration of one in development: pull, diff and push in one."""

    async def run() -> bool:
        from ops.app_config import check_promotion, pull, reach

        async with management() as deps:
            await check_promotion(deps, source_id, target_id)
            async with reach(deps, source_id, secret_key=secret_key) as source:
                document = await pull(source, asked_for=_known(asked_for))
            async with reach(deps, target_id, secret_key=production_secret_key) as target:
                return await _push(target, document, confirm=confirm, yes=yes, dry_run=dry_run)

    if not _finish(run):
        sys.exit(FAILED)


async def _push(target: "Target", document: "Document", *, confirm: str | None, yes: bool, dry_run: bool) -> bool:
    """Show, ask, write; whether all is as the document says, or would be."""
    from ops.app_config import changes_of, push

    shown = await changes_of(target, document)
    _show(shown)
    if dry_run or not shown:
        return True
    named = (await target.app()).name
    if confirm is None and not yes and (await target.app()).environment == "production":
        confirm = await asyncio.to_thread(click.prompt, f"{named} is in production. Type its name to go on")
    elif not yes:
        await asyncio.to_thread(click.confirm, f"Write {_count(shown)} to {named}?", abort=True)
    done: list[str] = []

    def tell(line: str) -> None:
        done.append(line)
        click.echo(f"done  {line}")

    try:
        outcome = await push(target.confirmed(confirm), document, shown, tell=tell)
    except BaseException:
        if done:
            click.echo("This was cut short after what is named above; the same command goes on from there.", err=True)
        raise
    _tell(outcome)
    return outcome.reason is None


def _tell(outcome: "Outcome") -> None:
    if outcome.reason is None:
        click.echo("All is as the file says.")
        return
    click.echo(f"FAILED  {outcome.failed}: {outcome.reason}", err=True)
    click.echo("Not done, and to be done by the same command once that is out of the way:", err=True)
    _show(outcome.left, err=True)


def _show(changes: "list[Change]", *, err: bool = False) -> None:
    section = None
    for change in changes:
        if change.section != section:
            section = change.section
            click.echo(section, err=err)
        click.echo(f"  {change.line()}", err=err)
    if not changes:
        click.echo("Nothing is different.", err=err)


def _count(changes: "list[Change]") -> str:
    return "1 change" if len(changes) == 1 else f"{len(changes)} changes"


def _read(file: TextIO) -> "Document":
    from kernel.errors import InvalidInput
    from ops.app_config import read_document

    try:
        return read_document(file.read())
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file.name} is not UTF-8.") from error


def _known(asked_for: tuple[str, ...]) -> tuple[str, ...]:
    from ops.app_config.registry import ASKED_FOR

    for name in asked_for:
        if name not in ASKED_FOR:
            raise click.BadParameter(f"{name!r} is none of {', '.join(ASKED_FOR)}.", param_hint="--with")
    return asked_for


@asynccontextmanager
async def _reach(app_id: str, secret_key: str | None, url: str | None) -> "AsyncIterator[Target]":
    from ops.app_config import reach

    async with management() as deps, reach(deps, app_id, secret_key=secret_key, url=url) as target:
        yield target


def _finish(run: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run it; an expected failure ends with 2, because 1 says that something is different."""
    from kernel.errors import NatterError

    try:
        return asyncio.run(run())
    except NatterError as error:
        click.echo(f"natter: {error.message}", err=True)
        sys.exit(FAILED)
