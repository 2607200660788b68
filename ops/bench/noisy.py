"""A noisy neighbour: one app sends and reads as fast as it can, another goes on as usual. What does that one feel?

Three rounds are taken in turn on the same installation: the neighbour alone, beside the noise, and beside the same app
when it asks for no more than was granted to it in the noise. Noise over usual tells what a plan lets an app take from a
machine of this size, noise over granted what its going beyond the plan adds to that.
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
    """The neighbour's delivery p99 without and with the noise and beside what the plan grants, and how the noise fared.

    Latencies in ms. `ratio` is noise over usual, `ratio_to_granted` noise over granted.
    """
    usual, beside, granted, noise, polite = [], [], [], [], []
    async with lab() as here:
        other = await another_tenant(here, plan)
        quiet = Plan(await _peers(here, USERS, 1), seconds, "message.created", "connection.ready", 1_000, rate)
        loud = await _peers(other, sockets, in_flight)
        for _ in range(rounds):
            usual.append(await _measure(quiet, here))
            async with _traffic(loud, other, rest, seconds) as made:
                beside.append(await _measure(quiet, here))
            noise.append(taken := await made)
            rates = taken["sends_taken_per_s"], taken.get("reads_taken_per_s", 0)
            async with _traffic(loud, other, rest, seconds, rates) as made:
                granted.append(await _measure(quiet, here))
            polite.append(await made)
    p99 = [median(run["delivery_ms"]["p99"] for run in runs) for runs in (usual, beside, granted)]
    return {
        "benchmark": "noisy",
        "plan": plan,
        "usual": _middle(usual),
        "beside_noise": _middle(beside),
        "beside_granted": _middle(granted),
        "noise": noise[-1],
        "granted": polite[-1],
        "p99_usual_ms": p99[0],
        "p99_beside_noise_ms": p99[1],
        "p99_beside_granted_ms": p99[2],
        "ratio": round(p99[1] / p99[0], 2),
        "ratio_to_granted": round(p99[1] / p99[2], 2),
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
async def _traffic(
    peers: list[Peer], here: Lab, rest: int, seconds: float, rates: tuple[float, float] = (0, 0)
) -> AsyncIterator["asyncio.Task[dict[str, Any]]"]:
    """Sends over every socket and reads over REST, from before the block until after it; as many a second as `rates`
    say, or as many as go."""
    lasting = seconds + 2 * MARGIN
    plan = Plan(peers, lasting, "message.created", "connection.ready", observed=0, rate=rates[0])
    url, key = f"{here.urls[0]}/v1/channels/room0/messages?limit=50", here.tenant["secret_key"]
    reads = HttpPlan(url, key, rest, lasting, rate=rates[1]) if rest else None
    task = asyncio.create_task(_make(plan, here, reads))
    await asyncio.sleep(MARGIN)
    yield task
    await task


async def _make(plan: Plan, here: Lab, asking: HttpPlan | None) -> dict[str, Any]:
    sends, reads = await asyncio.gather(
        run_load(plan, here.node_pids), _read_on(asking) if asking else asyncio.sleep(0)
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
