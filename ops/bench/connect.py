"""Connecting: how many a second, and what becomes of everybody else when thousands come back at once."""

import asyncio
from statistics import quantiles
from typing import Any, Final

import httpx

from ops.bench.lab import Lab, lab, load_process, make_room, make_users, peer, run_load, tokens_for
from ops.bench.load import Peer, Plan, Report

TEXT: Final = "a message of about sixty characters, as people type them all day"
OTHERS: Final = 100
"""Users, in rooms of ten, who write and read while the herd comes back."""
USUAL_SECONDS: Final = 6.0
HERD_SECONDS: Final = 24.0


async def bench_connect(*, sockets: int, room: int, rounds: int, with_peer: bool) -> dict[str, Any]:
    """Connections a second: token checked, activity counted, memberships loaded; of the peer: rooms joined."""
    own, others = [], []
    async with lab() as here:
        async with here.api() as api:
            peers = await _users(here, api, "user", sockets, room)
        for _ in range(rounds):
            own.append(await _rate(Plan(peers, 0.1, "message.created", "connection.ready", apart=True), here.node_pids))
            if with_peer:
                async with peer() as (url, pid):
                    auths = [{"user": f"user{i}", "rooms": [f"user-room{i // room}"]} for i in range(sockets)]
                    plain = [Peer(url, auth) for auth in auths]
                    others.append(await _rate(Plan(plain, 0.1, "message.created", apart=True), [pid]))
    result: dict[str, Any] = {"benchmark": "connect", "sockets": sockets, "natter": _middle(own)}
    if others:
        result["peer"] = _middle(others)
        result["ratio"] = round(result["natter"]["per_core"] / result["peer"]["per_core"], 2)
    return result


async def bench_herd(*, sockets: int, room: int, rate: float, rounds: int) -> dict[str, Any]:
    """All of `sockets` cut off and back at once, each with its cursor and a message missed, while others go on."""
    async with lab() as here, here.api() as api:
        herd = await _users(here, api, "user", sockets, room)
        others = await _users(here, api, "other", OTHERS, 10)
        for i, each in enumerate(others):
            each.event, each.in_flight = "message.send", 20
            each.payload = {"channel_id": f"other-room{i // 10}", "text": TEXT}
        runs = [await _herd(here, api, herd, others, rate) for _ in range(rounds)]
    middle = sorted(runs, key=lambda run: run["others_by_usual"])[len(runs) // 2]
    return {"benchmark": "herd", "sockets": sockets, "rate": rate, **middle, "ratio": middle["others_by_usual"]}


async def _users(here: Lab, api: httpx.AsyncClient, name: str, count: int, room: int) -> list[Peer]:
    names = [f"{name}{i}" for i in range(count)]
    await make_users(api, names)
    for at in range(0, count, room):
        await make_room(api, f"{name}-room{at // room}", names[at : at + room])
    return [Peer(here.urls[0], {"token": token}) for token in await tokens_for(api, names)]


async def _rate(plan: Plan, servers: list[int]) -> dict[str, Any]:
    report, cost = await run_load(plan, servers)
    return {
        "connects_per_s": round(len(plan.peers) / report.connect_seconds),
        "per_core": round(len(plan.peers) / max(cost["connect_cpu_seconds"], 0.01)),
        "connect_ms": report.connect_ms,
    }


async def _herd(here: Lab, api: httpx.AsyncClient, herd: list[Peer], others: list[Peer], rate: float) -> dict[str, Any]:
    for each in herd:
        each.auth.pop("cursor", None)
    back = Plan(herd, 0, "message.created", "connection.ready", apart=True, herd=True)
    busy = Plan(others, USUAL_SECONDS + HERD_SECONDS, "message.created", "connection.ready", observed=OTHERS, rate=rate)
    async with load_process(back, here.node_pids) as coming, load_process(busy, here.node_pids) as going:
        await asyncio.gather(coming.connected(), going.connected())
        rooms = sorted({f"user-room{i}" for i in range((len(herd) + 9) // 10)})
        gate = asyncio.Semaphore(16)

        async def write(channel: str) -> None:
            async with gate:
                body = {"text": TEXT, "user_id": "user0"}
                await api.post(f"/v1/channels/{channel}/messages", json=body)

        await asyncio.gather(*map(write, rooms))
        await asyncio.sleep(2)  # nothing of the preparation is still under way
        await going.go()
        await asyncio.sleep(USUAL_SECONDS)
        await coming.go()
        (returned, cost), (seen, _) = await asyncio.gather(coming.report(), going.report())
    return _told(returned, cost, seen)


def _told(returned: Report, cost: dict[str, float], seen: Report) -> dict[str, Any]:
    return {
        "live_seconds": returned.seconds,
        "connects_per_s": round(returned.connected / returned.seconds),
        "connect_ms": returned.connect_ms,
        "served": returned.connected,
        "recovered": returned.recovered,
        "server_cores": round(cost["cpu_seconds"] / returned.seconds, 2),
        "load_cores": round(returned.cores + seen.cores, 2),
        **others_by_usual(seen, returned.began, returned.began + returned.seconds),
    }


def others_by_usual(seen: Report, began: float, ended: float) -> dict[str, Any]:
    """The p99 of what `seen` observed between two times, over that of the time before."""
    usual = [latency for at, latency in seen.latencies if seen.began + 1 < at < began]
    meanwhile = [latency for at, latency in seen.latencies if began <= at <= ended]
    if len(meanwhile) < 100:
        raise RuntimeError(f"only {len(meanwhile)} deliveries meanwhile: nothing to compare")
    usual_p99, meanwhile_p99 = _p99(usual), _p99(meanwhile)
    return {
        "others_failed": seen.failed,
        "others_p99_ms": {"usual": usual_p99, "meanwhile": meanwhile_p99},
        "others_by_usual": round(meanwhile_p99 / usual_p99, 2),
    }


def _p99(seconds: list[float]) -> float:
    return round(quantiles(seconds, n=100)[98] * 1000, 2)


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return sorted(runs, key=lambda run: run["per_core"])[len(runs) // 2]
