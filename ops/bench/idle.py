"""Memory of connections that say nothing, their memberships loaded."""

import asyncio
from typing import Any

from ops.bench.lab import lab, make_room, make_users, peer, resident_bytes, run_load, tokens_for
from ops.bench.load import Peer, Plan


async def bench_idle(*, sockets: int, room: int, with_peer: bool) -> dict[str, Any]:
    """Bytes a connection: what the server's resident memory grows by, over the number of sockets."""
    names = [f"user{i}" for i in range(sockets)]
    async with lab() as here:
        async with here.api() as api:
            await make_users(api, names)
            for at in range(0, sockets, room):
                await make_room(api, f"room{at // room}", names[at : at + room])
            tokens = await tokens_for(api, names)
        peers = [Peer(here.urls[0], {"token": token}) for token in tokens]
        result: dict[str, Any] = {
            "benchmark": "idle",
            "sockets": sockets,
            "natter": await _run(peers, here.node_pids[0], "connection.ready"),
        }
    if with_peer:
        async with peer() as (url, pid):
            plain = [Peer(url, {"user": name, "rooms": [f"room{i // room}"]}) for i, name in enumerate(names)]
            result["peer"] = await _run(plain, pid, "")
        result["ratio"] = round(result["natter"]["bytes_each"] / result["peer"]["bytes_each"], 2)
    return result


async def _run(peers: list[Peer], pid: int, ready: str) -> dict[str, Any]:
    # A first few make the server allocate what it needs once.
    await run_load(Plan(peers[:20], 1, "message.created", ready), [pid])
    await asyncio.sleep(2)
    before = resident_bytes(pid)
    report, cost = await run_load(Plan(peers, 5, "message.created", ready), [pid])
    return {
        "bytes_each": round((cost["resident_bytes"] - before) / len(peers)),
        "resident_before": before,
        "resident_after": round(cost["resident_bytes"]),
        "connects_per_s": round(len(peers) / report.connect_seconds),
        "cpu_seconds_idle": cost["cpu_seconds"],
    }
