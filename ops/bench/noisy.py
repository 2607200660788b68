"""A noisy neighbour: one app sends and reads as fast as it can, another goes on as usual. What does that one feel?

The neighbour's usual round and the one beside the noise are taken in turn, on the same installation.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from statistics import median
from typing import Any, Final

import msgspec

from ops.bench.fanout import summary
from ops.bench.http_load import HttpPlan, HttpReport
from ops.bench.lab import Lab, another_tenant, lab, make_room, make_users, run_load, tokens_for
from ops.bench.load import Peer, Plan
from ops.bench.send import TEXT

ROOM: Final = 10
USERS: Final = 50
"""Of the neighbour."""
MARGIN: Final = 3.0
"""Seconds that the noise lasts before and after the neighbour is measured, at least."""


async def bench_noisy(
    *, rate: float, plan: str, sockets: int, in_flight: int, rest: int, seconds: float, rounds: int
) -> dict[str, Any]:
    """The neighbour's delivery p99 with and without the noise, and how the noise fared. Latencies in ms."""
    usual, beside, noise = [], [], []
    async with lab() as here:
        other = await another_tenant(here, plan)
        quiet = Plan(await _peers(here, USERS, 1), seconds, "message.created", "connection.ready", 1_000, rate)
        loud = await _peers(other, sockets, in_flight)
        for _ in range(rounds):
            usual.append(await _measure(quiet, here))
            async with _flood(loud, other, rest, seconds) as made:
                beside.append(await _measure(quiet, here))
            noise.append(await made)
    p99 = [median(run["delivery_ms"]["p99"] for run in runs) for runs in (usual, beside)]
    return {
        "benchmark": "noisy",
        "plan": plan,
        "usual": _middle(usual),
        "beside_noise": _middle(beside),
        "noise": noise[-1],
        "p99_usual_ms": p99[0],
        "p99_beside_noise_ms": p99[1],
        "ratio": round(p99[1] / p99[0], 2),
    }


async def _peers(here: Lab, users: int, in_flight: int) -> list[Peer]:
    names = [f"user{i}" for i in range(users)]
    async with here.api() as api:
        for at in range(0, users, ROOM):
            await make_users(api, names[at : at + ROOM])
            await make_room(api, f"room{at // ROOM}", names[at : at + ROOM])
        tokens = await tokens_for(api, names)
    return [
        Peer(
            here.urls[0],
            {"token": token},
            "message.send",
            {"channel_id": f"room{i // ROOM}", "text": TEXT},
            in_flight,
        )
        for i, token in enumerate(tokens)
    ]


async def _measure(plan: Plan, here: Lab) -> dict[str, Any]:
    report, cost = await run_load(plan, here.node_pids)
    return {**summary(report, cost), "missing": report.sent * ROOM - report.settled}


@asynccontextmanager
async def _flood(
    peers: list[Peer], here: Lab, rest: int, seconds: float
) -> AsyncIterator["asyncio.Task[dict[str, Any]]"]:
    """Sends over every socket and reads over REST, from before the block until after it."""
    lasting = seconds + 2 * MARGIN
    plan = Plan(peers, lasting, "message.created", "connection.ready", observed=0)
    task = asyncio.create_task(_make_noise(plan, here, rest, lasting))
    await asyncio.sleep(MARGIN)
    yield task
    await task


async def _make_noise(plan: Plan, here: Lab, rest: int, seconds: float) -> dict[str, Any]:
    url, key = f"{here.urls[0]}/v1/channels/room0/messages?limit=50", here.tenant["secret_key"]
    sends, reads = await asyncio.gather(
        run_load(plan, here.node_pids), _read_on(HttpPlan(url, key, rest, seconds)) if rest else asyncio.sleep(0)
    )
    report = sends[0]
    result = {
        "sends_taken_per_s": round(report.acked / report.seconds),
        "sends_refused_per_s": round(report.failed / report.seconds),
        "load_cores": report.cores,
    }
    if reads is not None:
        result["reads_taken_per_s"] = round(reads.answers / reads.seconds)
        result["reads_refused_per_s"] = round(reads.refused / reads.seconds)
    return result


async def _read_on(plan: HttpPlan) -> HttpReport:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ops.bench.http_load", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate(msgspec.json.encode(plan))
    return msgspec.json.decode(output, type=HttpReport)


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return sorted(runs, key=lambda run: run["delivery_ms"]["p99"])[len(runs) // 2]
