"""`natter audit verify`."""

import asyncio
import dataclasses
import json
import re
import sys
from typing import TYPE_CHECKING
from uuid import UUID

import click

from ops.cli.management import management

if TYPE_CHECKING:
    from control_plane.audit.chain import ChainReport


@click.group()
def audit() -> None:
    """The audit log: who changed what."""


@audit.command()
@click.option("--organization", help="`org_…`, or `installation` for what concerns none. Default: all.")
@click.option("--expect", help="`NUMBER:HASH` of an entry that was noted before; it must still stand there.")
@click.option("--json", "as_json", is_flag=True)
def verify(organization: str | None, expect: str | None, as_json: bool) -> None:
    """Follow every chain of hashes from its first entry, and name the first entry that does not fit."""
    kept = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", expect) if expect is not None else None
    if expect is not None and (kept is None or organization is None):
        raise click.UsageError("--expect wants NUMBER:HASH, and --organization beside it.")
    reports = asyncio.run(_verify(organization, (int(kept[1]), kept[2]) if kept else None))
    for report in reports:
        click.echo(json.dumps(_as_json(report)) if as_json else _words(report))
    if any(report.broken for report in reports):
        sys.exit(1)


async def _verify(organization: str | None, kept: tuple[int, str] | None) -> "list[ChainReport]":
    from control_plane.audit import chain
    from kernel.ids import parse_id

    wanted: UUID | None = None
    if organization is not None:
        installation = organization == "installation"
        wanted = chain.INSTALLATION if installation else parse_id("org", organization, field="organization")
    async with management() as deps, deps.database.unit_of_work(snapshot=True) as uow:
        if kept is not None and wanted is not None:
            await chain.expect(uow.session, wanted, chain.Head(*kept))
        return [report async for report in chain.verify(uow.session, wanted)]


def _words(report: "ChainReport") -> str:
    who = f"{report.public_id}  {report.name}" if report.name else report.public_id
    if report.broken is None:
        return f"ok      {who}: {report.entries} entries" + (f", the newest {report.head.hash}" if report.head else "")
    return f"BROKEN  {who}: {report.entries} entries fit; number {report.broken.seq} ({report.broken.entry}) " + (
        report.broken.what
    )


def _as_json(report: "ChainReport") -> dict[str, object]:
    return {
        "organization": report.public_id,
        "entries": report.entries,
        "head": dataclasses.asdict(report.head) if report.head else None,
        "broken": dataclasses.asdict(report.broken) if report.broken else None,
    }
