"""History in a large table: pages anywhere in a channel, the only one of ten million messages, and of ten thousand."""

import random
import time
from typing import Any, Final

import asyncpg

from kernel.ids import parse_id
from ops.bench.bulk import BEFORE_MESSAGES, load_history
from ops.bench.history import measure_pages
from ops.bench.http_load import HttpPlan
from ops.bench.lab import lab, make_users, tokens_for

SMALL: Final = 10_000
PLACES: Final = 400
"""Pages that are asked for in turn, each in another place."""


async def bench_depth(*, messages: int, seconds: float, rounds: int) -> dict[str, Any]:
    """Milliseconds of a page from a table of `messages`, over those from a table of ten thousand."""
    result: dict[str, Any] = {"benchmark": "history", "messages": messages}
    async with lab() as here:
        app_id = parse_id("app", here.tenant["app_id"])
        async with here.api() as api:
            await make_users(api, ["writer", "small", "large"])
            for name, size in (("small", SMALL), ("large", messages)):
                began = time.perf_counter()
                await load_history(
                    here.database_url, app_id, prefix=name, channels=1, messages=size, reader=name, author="writer"
                )
                loaded = time.perf_counter() - began
                token = (await tokens_for(api, [name]))[0]
                places = random.Random(1).sample(range(BEFORE_MESSAGES + 51, size), PLACES)  # noqa: S311
                targets = [f"/v1/channels/{name}0/messages?limit=50&before={place}" for place in places]
                plan = HttpPlan(here.urls[0], token, 1, seconds, targets)
                runs = [await measure_pages(plan, here.node_pids[0]) for _ in range(rounds)]
                result[name] = {
                    "messages": size,
                    "load_seconds": round(loaded, 1),
                    "table_bytes": await _size(here.database_url),
                    **sorted(runs, key=lambda run: run["ms"]["p50"])[len(runs) // 2],
                }
    result["ratio"] = round(result["large"]["ms"]["p50"] / result["small"]["ms"]["p50"], 2)
    return result


async def _size(database_url: str) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        size: int = await connection.fetchval("select pg_total_relation_size('chat.messages')")
        return size
    finally:
        await connection.close()
