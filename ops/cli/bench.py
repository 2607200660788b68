"""`natter bench`."""

import asyncio
import json
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import click
import uvloop


@click.group()
def bench() -> None:
    """Measure on this machine, over loopback. Compare numbers of one run only: machines are noisy.

    With `--peer node` the same load runs against a plain Node.js server in turn, and `ratio` compares the two.
    """


def _run(work: Coroutine[Any, Any, dict[str, Any]], as_json: bool) -> None:
    result = _finish(work)
    click.echo(json.dumps(result) if as_json else json.dumps(result, indent=2))


def _finish(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    try:
        return uvloop.run(_until_told(work))
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)


async def _until_told(work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
    """A benchmark that is ended ends what it has started, as one that fails does."""
    mine = asyncio.current_task()
    assert mine is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, mine.cancel)
    return await work


_seconds = click.option("--seconds", default=8.0, show_default=True, type=click.FloatRange(1, 300), help="Of each run.")
_rounds = click.option(
    "--rounds", default=3, show_default=True, type=click.IntRange(1, 20), help="Runs; the middle one counts."
)
_peer = click.option("--peer", type=click.Choice(["node"]), help="Compare with a plain Node.js server.")
_json = click.option("--json", "as_json", is_flag=True, help="One line of JSON.")


@bench.command()
@click.option("--room", default=100, show_default=True, type=click.IntRange(2, 20_000), help="Connected members.")
@click.option("--in-flight", default=8, show_default=True, type=click.IntRange(1, 100), help="Sends of each sender.")
@_seconds
@_rounds
@_peer
@_json
@click.option("--polling", is_flag=True, help="Clients begin by long-polling and upgrade, as they do by default.")
def fanout(
    room: int, in_flight: int, seconds: float, rounds: int, peer: str | None, polling: bool, as_json: bool
) -> None:
    """Deliveries of stored messages in one channel, per second of the server's CPU."""
    from ops.bench.fanout import bench_fanout

    work = bench_fanout(
        room=room, in_flight=in_flight, seconds=seconds, rounds=rounds, polling=polling, with_peer=peer is not None
    )
    _run(work, as_json)


@bench.command()
@click.option("--sockets", default=100, show_default=True, type=click.IntRange(2, 20_000))
@click.option("--in-flight", default=1, show_default=True, type=click.IntRange(1, 100), help="Events of each socket.")
@_seconds
@_rounds
@_peer
@_json
def acks(sockets: int, in_flight: int, seconds: float, rounds: int, peer: str | None, as_json: bool) -> None:
    """Acknowledged events that touch no database, per second of the server's CPU."""
    from ops.bench.acks import bench_acks

    work = bench_acks(sockets=sockets, in_flight=in_flight, seconds=seconds, rounds=rounds, with_peer=peer is not None)
    _run(work, as_json)


@bench.command()
@click.option("--users", default=200, show_default=True, type=click.IntRange(2, 5_000))
@click.option("--room", default=10, show_default=True, type=click.IntRange(2, 1_000), help="Members of each channel.")
@click.option("--in-flight", default=4, show_default=True, type=click.IntRange(1, 100), help="Sends of each user.")
@click.option("--rate", default=0.0, help="Sends a second of all together; 0 for as many as are answered.")
@click.option("--nodes", default=1, show_default=True, type=click.IntRange(1, 8))
@click.option("--latency", is_flag=True, help="Then at half of the rate that was found: how long delivery takes.")
@_seconds
@_rounds
@_peer
@_json
def send(
    users: int,
    room: int,
    in_flight: int,
    rate: float,
    nodes: int,
    latency: bool,
    seconds: float,
    rounds: int,
    peer: str | None,
    as_json: bool,
) -> None:
    """Durable sends a second, acknowledged after the commit and delivered live."""
    from ops.bench.send import bench_send

    work = bench_send(
        users=users, room=room, in_flight=in_flight, seconds=seconds, rounds=rounds, nodes=nodes, rate=rate,
        latency=latency, with_peer=peer is not None,
    )  # fmt: skip
    _run(work, as_json)


@bench.command()
@click.option("--sockets", default=5_000, show_default=True, type=click.IntRange(10, 20_000))
@click.option("--room", default=10, show_default=True, type=click.IntRange(2, 1_000), help="Members of each channel.")
@_peer
@_json
def idle(sockets: int, room: int, peer: str | None, as_json: bool) -> None:
    """Memory of each connection that says nothing."""
    from ops.bench.idle import bench_idle

    _run(bench_idle(sockets=sockets, room=room, with_peer=peer is not None), as_json)


@bench.command()
@click.option("--messages", default=500, show_default=True, type=click.IntRange(50, 100_000))
@click.option("--connections", default=20, show_default=True, type=click.IntRange(1, 200))
@_seconds
@_rounds
@_peer
@_json
def history(messages: int, connections: int, seconds: float, rounds: int, peer: str | None, as_json: bool) -> None:
    """REST pages of 50 messages, per second of the server's CPU."""
    from ops.bench.history import bench_history

    work = bench_history(
        messages=messages, connections=connections, seconds=seconds, rounds=rounds, with_peer=peer is not None
    )
    _run(work, as_json)


@bench.command()
@click.option(
    "--entries", default=10_000_000, show_default=True, type=click.IntRange(1_000, 100_000_000), help="Of the log."
)
@click.option("--channels", default=5_000, show_default=True, type=click.IntRange(10, 20_000), help="Of the user.")
@click.option("--changed", default=100, show_default=True, type=click.IntRange(1, 1_000), help="Channels with news.")
@click.option("--calls", default=40, show_default=True, type=click.IntRange(1, 1_000))
@_json
def sync(entries: int, channels: int, changed: int, calls: int, as_json: bool) -> None:
    """Time of catching up, in a log of this size and in one of a hundredth of it."""
    from ops.bench.sync import bench_sync

    _run(bench_sync(entries=entries, channels=channels, changed=changed, calls=calls), as_json)


@bench.command()
@click.option(
    "--members", default=100_000, show_default=True, type=click.IntRange(101, 1_000_000), help="Of the large channel."
)
@click.option("--few", default=99, show_default=True, type=click.IntRange(10, 10_000), help="Of the other one.")
@click.option("--watching", default=90, show_default=True, type=click.IntRange(5, 5_000), help="Connected to either.")
@click.option("--calls", default=40, show_default=True, type=click.IntRange(2, 1_000), help="Of each kind.")
@_json
def crowd(members: int, few: int, watching: int, calls: int, as_json: bool) -> None:
    """Time of everything that is done in a channel of very many members, and over the same in a channel of few."""
    from ops.bench.crowd import bench_crowd

    _run(bench_crowd(members=members, few=few, watching=watching, calls=calls), as_json)


@bench.command()
@click.option("--sockets", default=5_000, show_default=True, type=click.IntRange(10, 20_000))
@click.option("--room", default=10, show_default=True, type=click.IntRange(2, 1_000), help="Members of each channel.")
@click.option("--herd", is_flag=True, help="All at once, each with its cursor, while others chat.")
@click.option("--rate", default=300.0, show_default=True, help="Sends a second of the others, with --herd.")
@_rounds
@_peer
@_json
def connect(sockets: int, room: int, herd: bool, rate: float, rounds: int, peer: str | None, as_json: bool) -> None:
    """Connections a second, or with --herd the others' p99 while all come back, over its usual."""
    from ops.bench.connect import bench_connect, bench_herd

    if herd:
        _run(bench_herd(sockets=sockets, room=room, rate=rate, rounds=rounds), as_json)
    else:
        _run(bench_connect(sockets=sockets, room=room, rounds=rounds, with_peer=peer is not None), as_json)


@bench.command()
@click.option("--plan", default="enterprise", show_default=True, help="The app's plan, and so its limits.")
@click.option("--users", default=100, show_default=True, type=click.IntRange(10, 2_000), help="In rooms of ten.")
@click.option("--rate", default=200.0, show_default=True, help="Sends a second of the neighbours together.")
@click.option("--in-flight", default=8, show_default=True, type=click.IntRange(1, 100), help="Sends of each loud user.")
@_seconds
@_rounds
@_json
def neighbours(plan: str, users: int, rate: float, in_flight: int, seconds: float, rounds: int, as_json: bool) -> None:
    """Neighbours' p99 while one channel is written at full speed from two nodes, over its usual."""
    from ops.bench.neighbours import bench_neighbours

    work = bench_neighbours(plan=plan, users=users, rate=rate, in_flight=in_flight, seconds=seconds, rounds=rounds)
    _run(work, as_json)


@bench.command()
@click.option(
    "--messages", default=10_000_000, show_default=True, type=click.IntRange(20_000, 100_000_000), help="Of the table."
)
@_seconds
@_rounds
@_json
def depth(messages: int, seconds: float, rounds: int, as_json: bool) -> None:
    """Time of a page of history anywhere in a large table, over that in one of ten thousand messages."""
    from ops.bench.depth import bench_depth

    _run(bench_depth(messages=messages, seconds=seconds, rounds=rounds), as_json)


@bench.command()
@click.option("--rate", default=100.0, show_default=True, help="Sends a second of the neighbour.")
@click.option("--plan", default="growth", show_default=True, help="The noisy app's plan, and so its limits.")
@click.option("--sockets", default=100, show_default=True, type=click.IntRange(1, 5_000), help="Of the noisy app.")
@click.option("--in-flight", default=20, show_default=True, type=click.IntRange(1, 100), help="Sends of each of them.")
@click.option("--rest", default=20, show_default=True, type=click.IntRange(0, 200), help="Its REST connections.")
@_seconds
@_rounds
@_json
def noisy(
    rate: float, plan: str, sockets: int, in_flight: int, rest: int, seconds: float, rounds: int, as_json: bool
) -> None:
    """What an app feels of a neighbour that sends and asks as fast as it can: its p99 from send to delivery."""
    from ops.bench.noisy import bench_noisy

    work = bench_noisy(
        rate=rate, plan=plan, sockets=sockets, in_flight=in_flight, rest=rest, seconds=seconds, rounds=rounds
    )
    _run(work, as_json)


@bench.command()
@click.option("--only", default="", help="The rows whose command holds this.")
@click.option(
    "--folder",
    default="docs",
    show_default=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where performance.json, performance.md and performance.svg are.",
)
def table(only: str, folder: Path) -> None:
    """Run every row of the table of promises and write its page. Takes about half an hour on a quiet machine."""
    from ops.bench.table import ROWS, measure
    from ops.bench.table import table as drawn

    rows = [row for row in ROWS if only in row.command]
    if not rows:
        raise click.BadParameter(f"no row's command holds {only!r}", param_hint="--only")
    click.echo(drawn(_finish(measure(rows, folder))))
