"""`natter doctor`."""

import asyncio
import dataclasses
import json
import sys

import click

from ops.doctor import Finding, examine

_MARKS = {"good": ("ok", "green"), "warning": ("look", "yellow"), "bad": ("FAIL", "red")}


@click.command()
@click.option("--json", "as_json", is_flag=True)
def doctor(as_json: bool) -> None:
    """Check this machine and the engines; say what to do about each problem. Ends with 1 when something is bad."""

    async def run() -> list[Finding]:
        findings = []
        async for finding in examine():
            findings.append(finding)
            if not as_json:
                _show(finding)
        return findings

    findings = asyncio.run(run())
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(finding) for finding in findings]))
    failed = sum(finding.status == "bad" for finding in findings)
    if not as_json:
        click.echo(f"\n{failed} of {len(findings)} checks failed." if failed else "\nAll is well.")
    sys.exit(1 if failed else 0)


def _show(finding: Finding) -> None:
    text, colour = _MARKS[finding.status]
    click.echo(f"{click.style(f'{text:<5}', fg=colour)} {finding.what}: {finding.detail}")
    if finding.way_out:
        click.echo(f"      {finding.way_out}")
