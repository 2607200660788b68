"""Acknowledged events that touch no database: `typing.start`, membership checked, from members of rooms of ten."""

from typing import Any

from ops.bench.fanout import summary
from ops.bench.lab import lab, make_room, make_users, peer, run_load, tokens_for
from ops.bench.load import Peer, Plan


async def bench_acks(*, sockets: int, in_flight: int, seconds: float, rounds: int, with_peer: bool) -> dict[str, Any]:
    """Acknowledgements a second, per second of the server's CPU."""
    names = [f"user{i}" for i in range(sockets)]
    own, others = [], []
    async with lab() as here:
        async with here.api() as api:
            await make_users(api, names)
            for at in range(0, sockets, 10):
                await make_room(api, f"room{at // 10}", names[at : at + 10])
            tokens = await tokens_for(api, names)

        def sends(i: int) -> tuple[str, dict[str, Any], int]:
            return "typing.start", {"channel_id": f"room{i // 10}"}, in_flight

        peers = [Peer(here.urls[0], {"token": token}, *sends(i)) for i, token in enumerate(tokens)]
        for _ in range(rounds):
            own.append(await _run(Plan(peers, seconds, "typing.started", "connection.ready"), here.node_pids))
            if with_peer:
                async with peer() as (url, pid):
                    plain = [
                        Peer(url, {"user": name, "rooms": [f"room{i // 10}"]}, *sends(i))
                        for i, name in enumerate(names)
                    ]
                    others.append(await _run(Plan(plain, seconds, "typing.started"), [pid]))
    result: dict[str, Any] = {
        "benchmark": "acks",
        "sockets": sockets,
        "in_flight": in_flight,
        "natter": _middle(own),
    }
    if others:
        result["peer"] = _middle(others)
        result["ratio"] = round(result["natter"]["acks_per_core"] / result["peer"]["acks_per_core"], 2)
    return result


async def _run(plan: Plan, servers: list[int]) -> dict[str, Any]:
    report, cost = await run_load(plan, servers)
    return {**summary(report, cost), "acks_per_core": round(report.acked / max(cost["cpu_seconds"], 0.01))}


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return sorted(runs, key=lambda run: run["acks_per_core"])[len(runs) // 2]
