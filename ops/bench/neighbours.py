"""Neighbours: what one channel that is written at full speed from two nodes does to everybody else's delivery."""

import asyncio
from typing import Any, Final

from ops.bench.connect import others_by_usual
from ops.bench.lab import lab, load_process, make_room, make_users, tokens_for
from ops.bench.load import Peer, Plan

TEXT: Final = "a message of about sixty characters, as people type them all day"
HOT_USERS: Final = 20
USUAL_SECONDS: Final = 6.0


async def bench_neighbours(
    *, plan: str, users: int, rate: float, in_flight: int, seconds: float, rounds: int
) -> dict[str, Any]:
    """The p99 of the neighbours' deliveries while the channel is hot, over their usual one in the same run. `plan`: the
    app's, and so how fast one channel may be written; an enterprise's may be written as fast as the machine can."""
    names, hot = [f"user{i}" for i in range(users)], [f"hot{i}" for i in range(HOT_USERS)]
    async with lab(nodes=2, plan=plan) as here:
        async with here.api() as api:
            await make_users(api, [*names, *hot])
            for at in range(0, users, 10):
                await make_room(api, f"room{at // 10}", names[at : at + 10])
            await make_room(api, "hot", hot)
            tokens = await tokens_for(api, [*names, *hot])
        urls = [here.urls[i % 2] for i in range(users + HOT_USERS)]
        calm = [
            Peer(url, {"token": token}, "message.send", {"channel_id": f"room{i // 10}", "text": TEXT}, 20)
            for i, (url, token) in enumerate(zip(urls, tokens[:users], strict=False))
        ]
        loud = [
            Peer(url, {"token": token}, "message.send", {"channel_id": "hot", "text": TEXT}, in_flight)
            for url, token in zip(urls[users:], tokens[users:], strict=True)
        ]
        runs = [await _run(here.node_pids, calm, loud, rate, seconds) for _ in range(rounds)]
    middle = sorted(runs, key=lambda run: run["others_by_usual"])[len(runs) // 2]
    return {
        "benchmark": "neighbours",
        "plan": plan,
        "users": users,
        "rate": rate,
        **middle,
        "ratio": middle["others_by_usual"],
    }


async def _run(servers: list[int], calm: list[Peer], loud: list[Peer], rate: float, seconds: float) -> dict[str, Any]:
    usual = Plan(
        calm, USUAL_SECONDS + seconds + 1, "message.created", "connection.ready", observed=len(calm), rate=rate
    )
    hot = Plan(loud, seconds, "message.created", "connection.ready", observed=2)
    async with load_process(usual, servers) as going, load_process(hot, servers) as coming:
        await asyncio.gather(going.connected(), coming.connected())
        await asyncio.sleep(1)
        await going.go()
        await asyncio.sleep(USUAL_SECONDS)
        await coming.go()
        (told, cost), (seen, _) = await asyncio.gather(coming.report(), going.report())
    return {
        "hot_acks_per_s": round(told.acked / told.seconds),
        "hot_failed": told.failed,
        "hot_delivery_ms": told.delivery_ms,
        "server_cores": round(cost["cpu_seconds"] / told.seconds, 2),
        "load_cores": round(told.cores + seen.cores, 2),
        **others_by_usual(seen, told.began, told.began + told.seconds),
    }
