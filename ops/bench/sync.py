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
    """Milliseconds of `GET /v1/sync` of two users with as many channels: the logs of one hold `entries`, those of the
    other a hundredth. Call by call in turn, so that both meet the same machine."""
    sizes = {"short": max(channels * (ENTRIES_A_CHANNEL + 1), entries // 100), "long": entries}
    result: dict[str, Any] = {"benchmark": "sync", "channels": channels, "changed": changed}
    async with lab() as here:
        app_id = parse_id("app", here.tenant["app_id"])
        async with here.api() as api:
            await make_users(api, ["writer", *sizes])
            for name, wanted in sizes.items():
                began = time.perf_counter()
                there = await load_history(
                    here.database_url, app_id, prefix=f"{name}-", channels=channels,
                    messages=max(1, wanted // channels - ENTRIES_A_CHANNEL), reader=name, author="writer",
                )  # fmt: skip
                result[name] = {"entries": there, "load_seconds": round(time.perf_counter() - began, 1)}
            tokens = dict(zip(sizes, await tokens_for(api, list(sizes)), strict=True))
            for name, measured in (await _measure(here, api, tokens, channels, changed, calls)).items():
                result[name] |= measured
    result["ms"] = result["long"]["changed_ms"]["p50"]
    result["long_by_short"] = round(result["ms"] / result["short"]["changed_ms"]["p50"], 2)
    result["changed_by_one"] = round(result["ms"] / result["long"]["one_changed_ms"]["p50"], 2)
    return result


async def _measure(
    here: Lab, api: httpx.AsyncClient, tokens: dict[str, str], channels: int, changed: int, calls: int
) -> dict[str, dict[str, Any]]:
    report: dict[str, dict[str, Any]] = {name: {} for name in tokens}

    def note(part: str, measured: dict[str, Any]) -> None:
        for name, value in measured.items():
            report[name][part] = value

    async with httpx.AsyncClient(base_url=here.urls[0], timeout=60) as client:
        note("fresh_ms", await _times(client, tokens, {name: {} for name in tokens}, min(calls, 10)))
        for part, count in {"one_changed_ms": 1, "tenth_changed_ms": -(-changed // 10), "changed_ms": changed}.items():
            pages: dict[str, dict[str, str]] = {}
            for name, token in tokens.items():
                cursor = (await _ask(client, token, {}))["cursor"]
                await _write(api, name, channels, count)
                pages[name] = {"cursor": cursor, "limit": "1000"}
                events = (await _ask(client, token, pages[name]))["events"]
                if len(events) != count:
                    raise RuntimeError(f"{len(events)} events came of {count}")
            note(part, await _times(client, tokens, pages, calls))
        for name, token in tokens.items():
            for part, auth in (("connect_ms", {}), ("resume_ms", {"cursor": pages[name]["cursor"]})):
                peer = Peer(here.urls[0], {"token": token, **auth})
                load, _ = await run_load(Plan([peer], 0.1, "message.created", "connection.ready"), [])
                report[name][part] = round(load.connect_seconds * 1000, 1)
    return report


async def _ask(client: httpx.AsyncClient, token: str, params: dict[str, str]) -> dict[str, Any]:
    answer = await client.get("/v1/sync", params=params, headers={"authorization": f"Bearer {token}"})
    state: dict[str, Any] = answer.raise_for_status().json()
    return state


async def _write(api: httpx.AsyncClient, name: str, channels: int, count: int) -> None:
    gate = asyncio.Semaphore(16)

    async def one(channel: str) -> None:
        async with gate:
            body = {"text": "news", "user_id": "writer"}
            (await api.post(f"/v1/channels/{channel}/messages", json=body)).raise_for_status()

    step = max(1, channels // count)
    await asyncio.gather(*(one(f"{name}-{at * step}") for at in range(count)))


async def _times(
    client: httpx.AsyncClient, tokens: dict[str, str], pages: dict[str, dict[str, str]], calls: int
) -> dict[str, dict[str, float]]:
    """`p50` and `max` of each user's calls in milliseconds, the client's own part included."""
    took: dict[str, list[float]] = {name: [] for name in tokens}
    for _ in range(WARM + calls):
        for name, token in tokens.items():
            headers = {"authorization": f"Bearer {token}"}
            began = time.perf_counter()
            (await client.get("/v1/sync", params=pages[name], headers=headers)).raise_for_status()
            took[name].append((time.perf_counter() - began) * 1000)
    return {
        name: {"p50": round(median(times[WARM:]), 2), "max": round(max(times[WARM:]), 2)}
        for name, times in took.items()
    }
