"""Catching up: a user of many channels, a few of them changed, in a log that is long or short."""

import asyncio
import time
from statistics import median
from typing import Any, Final

import httpx

from kernel.ids import parse_id
from ops.bench.bulk import ENTRIES_A_CHANNEL, load_history
from ops.bench.lab import Lab, lab, make_users, run_load, tokens_for
from ops.bench.load import Peer, Plan

WARM: Final = 5


async def bench_sync(*, entries: int, channels: int, changed: int, calls: int) -> dict[str, Any]:
    """Milliseconds of `GET /v1/sync`, once in a log of a hundredth of `entries` and once in all of it."""
    short = max(channels * (ENTRIES_A_CHANNEL + 1), entries // 100)
    result: dict[str, Any] = {"benchmark": "sync", "channels": channels, "changed": changed}
    async with lab() as here:
        app_id = parse_id("app", here.tenant["app_id"])
        async with here.api() as api:
            await make_users(api, ["writer", "short", "long"])
            for name, wanted in (("short", short), ("long", entries)):
                began = time.perf_counter()
                there = await load_history(
                    here.database_url, app_id, prefix=f"{name}-", channels=channels,
                    messages=max(1, wanted // channels - ENTRIES_A_CHANNEL), reader=name, author="writer",
                )  # fmt: skip
                result[name] = {
                    "entries": there,
                    "load_seconds": round(time.perf_counter() - began, 1),
                    **await _measure(here, api, name, channels, changed, calls),
                }
    result["ms"] = result["long"]["changed_ms"]["p50"]
    result["long_by_short"] = round(result["ms"] / result["short"]["changed_ms"]["p50"], 2)
    return result


async def _measure(
    here: Lab, api: httpx.AsyncClient, name: str, channels: int, changed: int, calls: int
) -> dict[str, Any]:
    token = (await tokens_for(api, [name]))[0]
    headers = {"authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=here.urls[0], headers=headers, timeout=60) as user:
        fresh = await _times(user, {}, min(calls, 10))
        report: dict[str, Any] = {"fresh_ms": fresh}
        for part, count in (
            ("one_changed_ms", 1),
            ("tenth_changed_ms", max(1, changed // 10)),
            ("changed_ms", changed),
        ):
            cursor = (await user.get("/v1/sync")).json()["cursor"]
            await _write(api, name, channels, count)
            page = {"cursor": cursor, "limit": "1000"}
            events = (await user.get("/v1/sync", params=page)).json()["events"]
            if len(events) != count:
                raise RuntimeError(f"{len(events)} events came of {count}")
            report[part] = await _times(user, page, calls)
        for part, auth in (("connect_ms", {"token": token}), ("resume_ms", {"token": token, "cursor": cursor})):
            load, _ = await run_load(Plan([Peer(here.urls[0], auth)], 0.1, "message.created", "connection.ready"), [])
            report[part] = round(load.connect_seconds * 1000, 1)
    return report


async def _write(api: httpx.AsyncClient, name: str, channels: int, count: int) -> None:
    gate = asyncio.Semaphore(16)

    async def one(channel: str) -> None:
        async with gate:
            body = {"text": "news", "user_id": "writer"}
            (await api.post(f"/v1/channels/{channel}/messages", json=body)).raise_for_status()

    step = max(1, channels // count)
    await asyncio.gather(*(one(f"{name}-{at * step}") for at in range(count)))


async def _times(user: httpx.AsyncClient, params: dict[str, str], calls: int) -> dict[str, float]:
    """`p50` and `max` of calls one after another, in milliseconds, the client's own part included."""
    took = []
    for _ in range(WARM + calls):
        began = time.perf_counter()
        (await user.get("/v1/sync", params=params)).raise_for_status()
        took.append((time.perf_counter() - began) * 1000)
    took = took[WARM:]
    return {"p50": round(median(took), 2), "max": round(max(took), 2)}
