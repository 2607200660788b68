"""Durable sends: rooms of ten, each message acknowledged after its commit and delivered live."""

from typing import Any, Final

from ops.bench.fanout import summary
from ops.bench.lab import Lab, lab, make_room, make_users, peer, run_load, tokens_for
from ops.bench.load import Peer, Plan

TEXT: Final = "a message of about sixty characters, as people type them all day"


async def bench_send(
    *,
    users: int,
    room: int,
    in_flight: int,
    seconds: float,
    rounds: int,
    nodes: int,
    rate: float,
    latency: bool,
    with_peer: bool,
) -> dict[str, Any]:
    """Acknowledged messages a second. `rate` limits the sends; 0 finds the most. `latency`: then at half of what was
    found, with every delivery observed."""
    own, others = [], []
    async with lab(nodes=nodes) as here:
        peers = await _prepare(here, users, room, in_flight)
        for _ in range(rounds):
            plan = Plan(peers, seconds, "message.created", "connection.ready", rate=rate)
            own.append(await _run(plan, here.node_pids, room))
            if with_peer:
                async with peer(here.database_url) as (url, pid):
                    plain = [
                        Peer(url, {"user": f"user{i}", "rooms": [f"room{i // room}"]}, *_sender(i, room, in_flight))
                        for i in range(users)
                    ]
                    others.append(await _run(Plan(plain, seconds, "message.created", rate=rate), [pid], room))
        half = sorted(run["acks_per_s"] for run in own)[len(own) // 2] / 2
        calm = Plan(peers, seconds, "message.created", "connection.ready", rate=half, observed=len(peers))
        at_half = [await _run(calm, here.node_pids, room) for _ in range(rounds if latency else 0)]
    result: dict[str, Any] = {"benchmark": "send", "users": users, "room": room, "nodes": nodes, "natter": _middle(own)}
    if at_half:
        result["half"] = sorted(at_half, key=lambda run: run["delivery_ms"]["p99"])[len(at_half) // 2]
        result["half_p99_ms"] = result["half"]["delivery_ms"]["p99"]
    if others:
        result["peer"] = _middle(others)
        result["ratio"] = round(result["natter"]["acks_per_s"] / result["peer"]["acks_per_s"], 2)
    return result


def _sender(index: int, room: int, in_flight: int) -> tuple[str, dict[str, Any], int]:
    return "message.send", {"channel_id": f"room{index // room}", "text": TEXT}, in_flight


async def _prepare(here: Lab, users: int, room: int, in_flight: int) -> list[Peer]:
    names = [f"user{i}" for i in range(users)]
    async with here.api() as api:
        await make_users(api, names)
        for at in range(0, users, room):
            await make_room(api, f"room{at // room}", names[at : at + room])
        tokens = await tokens_for(api, names)
    urls = here.urls
    return [Peer(urls[i % len(urls)], {"token": token}, *_sender(i, room, in_flight)) for i, token in enumerate(tokens)]


async def _run(plan: Plan, servers: list[int], room: int) -> dict[str, Any]:
    report, cost = await run_load(plan, servers)
    return {**summary(report, cost), "missing": report.sent * room - report.settled}


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return sorted(runs, key=lambda run: run["acks_per_s"])[len(runs) // 2]
