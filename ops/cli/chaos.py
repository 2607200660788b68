"""`natter chaos`."""

import json
import sys
from pathlib import Path

import click
import uvloop

from ops.chaos.planted import BUGS


@click.command()
@click.option("--minutes", default=5.0, show_default=True, type=click.FloatRange(0.1, 600), help="Of breaking things.")
@click.option("--seed", default=1, show_default=True, help="The same seed breaks the same things in the same order.")
@click.option("--rate", default=100.0, show_default=True, type=click.FloatRange(1, 1000), help="Things done a second.")
@click.option("--plant", type=click.Choice(BUGS), help="Run one process with this bug; the check must then fail.")
@click.option(
    "--keep", type=click.Path(path_type=Path, dir_okay=False), help="Where a failed run's history goes, as JSON lines."
)
@click.option("--json", "as_json", is_flag=True, help="The verdict as one line of JSON, and nothing else.")
def chaos(minutes: float, seed: int, rate: float, plant: str | None, keep: Path | None, as_json: bool) -> None:
    """Break an installation of its own, and check what its clients heard against the delivery contract.

    Two nodes, a worker, the control plane, PostgreSQL and Valkey run as processes. Two tenants' users send, edit,
    delete, read, type, leave, rejoin, disconnect and resume. Meanwhile parts are killed, stopped and restarted, ways
    between nodes and servers cut, silenced and slowed, bus messages lost, doubled and reordered, Redis is emptied, and
    one consumer takes a byte a second. Ends with code 1 when anything was lost, doubled, disordered or shown to the
    wrong people.
    """
    from ops.chaos.report import report
    from ops.chaos.run import run_chaos
    from ops.progress import Progress

    progress = Progress(sys.stderr if as_json else sys.stdout)
    outcome = uvloop.run(
        run_chaos(
            minutes=minutes,
            seed=seed,
            rate=rate,
            plant=plant,
            keep=keep or Path(f"chaos-{seed}.jsonl"),
            say=(lambda what: None) if as_json else progress.event,
        )
    )
    if as_json:
        click.echo(json.dumps(outcome.summary()))
    else:
        progress.say(report(outcome.history, outcome.violations, events=False))
        if outcome.kept is not None:
            progress.say(f"history: {outcome.kept}")
        progress.say("clean" if not outcome.violations else "NOT CLEAN")
    sys.exit(1 if outcome.violations else 0)
