"""`natter bench`."""

import json

import click
import uvloop


@click.group()
def bench() -> None:
    """Measure on this machine, over loopback. Compare numbers of one run only: machines are noisy."""


@bench.command()
@click.option("--users", default=200, show_default=True, type=click.IntRange(2, 2_000))
@click.option("--room", default=10, show_default=True, type=click.IntRange(2, 1_000), help="Members of each channel.")
@click.option("--in-flight", default=4, show_default=True, type=click.IntRange(1, 50), help="Unanswered sends a user.")
@click.option("--seconds", default=10.0, show_default=True, type=click.FloatRange(1, 300))
@click.option("--nodes", default=1, show_default=True, type=click.IntRange(1, 8))
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
def send(users: int, room: int, in_flight: int, seconds: float, nodes: int, as_json: bool) -> None:
    """Durable sends a second, acknowledged after the commit and delivered live."""
    from ops.bench.send import bench_send

    result = uvloop.run(bench_send(users=users, room=room, in_flight=in_flight, seconds=seconds, nodes=nodes))
    click.echo(json.dumps(result) if as_json else "\n".join(f"{key}: {value}" for key, value in result.items()))
