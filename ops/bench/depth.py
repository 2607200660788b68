"""History in a large table: pages anywhere in a channel, the only one of ten million messages, and of ten thousand."""

import random
import time
from typing import Any, Final

import asyncpg

from kernel.ids import parse_id
from ops.bench.bulk import BEFORE_MESSAGES, load_history
from ops.bench.history import measure_pages
from ops.bench.http_load import HttpPlan
from ops.bench.lab import Lab, lab, make_users, tokens_for

SMALL: Final = 10_000
PLACES: Final = 400
"""Pages that are asked for in turn, each in another place."""


async def bench_depth(*, messages: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Milliseconds of a page from a table of `messages`, over those from a table of ten thousand.

    Each in an installation of its own, round by round in turn, so that both meet the same machine.
    """
    result: dict[str, Any] = {"benchmark": "history", "messages": messages}
    async with lab() as one, lab() as other:
        plans: dict[str, tuple[HttpPlan, int]] = {}
        for name, size, here in (("small", SMALL, one), ("large", messages, other)):
            result[name], plans[name] = await _prepare(here, size, seconds)
        runs: dict[str, list[dict[str, Any]]] = {name: [] for name in plans}
        for _ in range(rounds):
            for name, (plan, node) in plans.items():
                runs[name].append(await measure_pages(plan, node))
    for name, measured in runs.items():
        result[name] |= sorted(measured, key=lambda run: run["ms"]["p50"])[len(measured) // 2]
    result["ratio"] = round(result["large"]["ms"]["p50"] / result["small"]["ms"]["p50"], 2)
    return result


async def _prepare(here: Lab, size: int, seconds: float) -> tuple[dict[str, Any], tuple[HttpPlan, int]]:
    began = time.perf_counter()
    async with here.api() as api:
        await make_users(api, ["writer", "reader"])
        (token,) = await tokens_for(api, ["reader"])
    app_id = parse_id("app", here.tenant["app_id"])
    await load_history(
        here.database_url, app_id, prefix="room", channels=1, messages=size, reader="reader", author="writer"
    )
    told: dict[str, Any] = {"messages": size, "table_bytes": await _size(here.database_url)}
    told["load_seconds"] = round(time.perf_counter() - began, 1)
    places = random.Random(1).sample(range(BEFORE_MESSAGES + 51, size), PLACES)  # noqa: S311
    targets = [f"/v1/channels/room0/messages?limit=50&before={place}" for place in places]
    return told, (HttpPlan(here.urls[0], token, 1, seconds, targets), here.node_pids[0])


async def _size(database_url: str) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        size: int = await connection.fetchval("select pg_total_relation_size('chat.messages')")
        return size
    finally:
        await connection.close()
