"""Fan-out: one channel, everybody connected, a few members write as fast as they are answered."""

from typing import Any, Final

from ops.bench.lab import Lab, lab, make_room, make_users, peer, run_load, tokens_for
from ops.bench.load import Peer, Plan, Report

TEXT: Final = "a message of about sixty characters, as people type them all day"
SENDERS: Final = 4


async def bench_fanout(
    *, room: int, in_flight: int, seconds: float, rounds: int, polling: bool, with_peer: bool
) -> dict[str, Any]:
    """Deliveries a second, per second of the server's CPU, and of the peer in turn, round by round. `polling`: clients
    begin by long-polling and upgrade."""
    own, others = [], []
    async with lab() as here:
        peers = await _prepare(here, room, in_flight)
        for _ in range(rounds):
            plan = Plan(peers, seconds, "message.created", "connection.ready", polling=polling)
            own.append(await _run(plan, here.node_pids))
            if with_peer:
                async with peer() as (url, pid):
                    plain = [
                        Peer(url, {"user": f"user{i}", "rooms": ["room"]}, *_sender(i, in_flight)) for i in range(room)
                    ]
                    others.append(await _run(Plan(plain, seconds, "message.created", polling=polling), [pid]))
    result: dict[str, Any] = {"benchmark": "fanout", "room": room, "polling": polling, "natter": _middle(own)}
    if others:
        result["peer"] = _middle(others)
        result["ratio"] = round(result["natter"]["per_core"] / result["peer"]["per_core"], 2)
    return result


def _sender(index: int, in_flight: int) -> tuple[str, dict[str, Any], int]:
    if index < SENDERS:
        return "message.send", {"channel_id": "room", "text": TEXT}, in_flight
    return "", {}, 0


async def _prepare(here: Lab, room: int, in_flight: int) -> list[Peer]:
    names = [f"user{i}" for i in range(room)]
    async with here.api() as api:
        await make_users(api, names)
        await make_room(api, "room", names)
        tokens = await tokens_for(api, names)
    return [Peer(here.urls[0], {"token": token}, *_sender(i, in_flight)) for i, token in enumerate(tokens)]


async def _run(plan: Plan, servers: list[int]) -> dict[str, Any]:
    report, cost = await run_load(plan, servers)
    return {**summary(report, cost), "missing": report.sent * len(plan.peers) - report.settled}


def summary(report: Report, cost: dict[str, float]) -> dict[str, Any]:
    """Rates of a run."""
    return {
        "deliveries_per_s": round(report.delivered / report.seconds),
        "acks_per_s": round(report.acked / report.seconds),
        "per_core": round(report.delivered / max(cost["cpu_seconds"], 0.01)),
        "server_cores": round(cost["cpu_seconds"] / report.seconds, 2),
        "load_cores": report.cores,
        "failed": report.failed,
        "ack_ms": report.ack_ms,
        "delivery_ms": report.delivery_ms,
    }


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The run in the middle by rate."""
    return sorted(runs, key=lambda run: run["per_core"])[len(runs) // 2]
