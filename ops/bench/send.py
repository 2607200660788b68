"""Durable sends: users in rooms of ten send as fast as each is acknowledged, after the commit, delivered live."""

import asyncio
import os
import time
from statistics import quantiles
from typing import Any, Final

import httpx

from ops.bench.client import Client
from ops.bench.installation import temporary_installation

TEXT: Final = "a message of about sixty characters, as people type them all day"


async def bench_send(*, users: int, room: int, in_flight: int, seconds: float, nodes: int) -> dict[str, Any]:
    """Returns rates per second, latencies in milliseconds, and the load generator's own share of a core."""
    async with temporary_installation(nodes=nodes) as (tenant, urls):
        names = [f"user{i}" for i in range(users)]
        clients = await _prepare(tenant, urls, names, room)
        acked, failed = 0, 0
        ack_times: list[float] = []
        deadline = time.monotonic() + seconds

        async def send_for_ever(index: int) -> None:
            nonlocal acked, failed
            while (sent := time.monotonic()) < deadline:
                payload = {"channel_id": f"room{index // room}", "text": TEXT, "custom": {"sent": sent}}
                answer = await clients[index].call("message.send", payload)
                ack_times.append(time.monotonic() - sent)
                if "message" in answer:
                    acked += 1
                else:
                    failed += 1

        before, cpu = time.monotonic(), _cpu()
        await asyncio.gather(*(send_for_ever(i) for i in range(users) for _ in range(in_flight)))
        elapsed = time.monotonic() - before
        share = (_cpu() - cpu) / elapsed
        await asyncio.sleep(1)
        delivered = sum(client.delivered for client in clients)
        latencies = [latency for client in clients for latency in client.latencies]
        for client in clients:
            client.close()
    return {
        "benchmark": "send",
        "users": users,
        "room": room,
        "in_flight": in_flight,
        "nodes": nodes,
        "seconds": round(elapsed, 2),
        "acknowledged_per_s": round(acked / elapsed),
        "delivered_per_s": round(delivered / elapsed),
        "failed": failed,
        "missing_deliveries": acked * room - delivered,
        "ack_ms": _percentiles(ack_times),
        "delivery_ms": _percentiles(latencies),
        "generator_cores": round(share, 2),
    }


async def _prepare(tenant: dict[str, Any], urls: list[str], names: list[str], room: int) -> list[Client]:
    headers = {"authorization": f"Bearer {tenant['secret_key']}"}
    async with httpx.AsyncClient(base_url=urls[0], headers=headers, timeout=30) as api:
        for at in range(0, len(names), 100):
            batch = [{"id": name} for name in names[at : at + 100]]
            (await api.post("/v1/users", json={"users": batch})).raise_for_status()
        for at in range(0, len(names), room):
            body = {"id": f"room{at // room}", "type": "group", "members": names[at : at + room]}
            (await api.post("/v1/channels", json=body)).raise_for_status()
        clients = []
        for index, name in enumerate(names):
            token = (await api.post("/v1/tokens", json={"user_id": name})).json()["access_token"]
            clients.append(await Client.connect(urls[index % len(urls)], token))
    return clients


def _percentiles(values: list[float]) -> dict[str, float]:
    if len(values) < 2:
        return {}
    cuts = quantiles(values, n=100)
    return {"p50": round(cuts[49] * 1000, 1), "p99": round(cuts[98] * 1000, 1)}


def _cpu() -> float:
    times = os.times()
    return times.user + times.system
