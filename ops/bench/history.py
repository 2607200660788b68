"""A page of history over REST: 50 messages, token and membership checked; the peer is Fastify with `pg`."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import msgspec

from ops.bench.http_load import HttpPlan, HttpReport
from ops.bench.lab import cpu_seconds, lab, make_room, make_users, tokens_for
from ops.ports import free_port

TEXT: Final = "a message of about sixty characters, as people type them all day"


async def bench_history(
    *, messages: int, connections: int, seconds: float, rounds: int, with_peer: bool
) -> dict[str, Any]:
    """Pages a second, per second of the server's CPU."""
    own, others = [], []
    async with lab() as here:
        names = [f"user{i}" for i in range(10)]
        async with here.api() as api:
            await make_users(api, names)
            await make_room(api, "room", names)
            for at in range(0, messages, 50):
                await asyncio.gather(
                    *(
                        api.post("/v1/channels/room/messages", json={"text": TEXT, "user_id": f"user{n % 10}"})
                        for n in range(at, min(at + 50, messages))
                    )
                )
            token = (await tokens_for(api, ["user0"]))[0]
        plan = HttpPlan(f"{here.urls[0]}/v1/channels/room/messages?limit=50", token, connections, seconds)
        for _ in range(rounds):
            own.append(await measure_pages(plan, here.node_pids[0]))
            if with_peer:
                async with _peer(here.database_url, messages) as (url, pid, peer_token):
                    others.append(
                        await measure_pages(
                            HttpPlan(f"{url}/v1/channels/room/messages?limit=50", peer_token, connections, seconds), pid
                        )
                    )
    result: dict[str, Any] = {"benchmark": "history", "messages": messages, "natter": _middle(own)}
    if others:
        result["peer"] = _middle(others)
        result["ratio"] = round(result["natter"]["per_core"] / result["peer"]["per_core"], 2)
    return result


async def measure_pages(plan: HttpPlan, pid: int) -> dict[str, Any]:
    before = cpu_seconds(pid)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ops.bench.http_load", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate(msgspec.json.encode(plan))
    spent = cpu_seconds(pid) - before
    report = msgspec.json.decode(output, type=HttpReport)
    return {
        "pages_per_s": round(report.answers / report.seconds),
        "per_core": round(report.answers / max(spent, 0.01)),
        "server_cores": round(spent / report.seconds, 2),
        "load_cores": report.cores,
        "refused": report.refused,
        "bytes_each": report.bytes_each,
        "ms": report.ms,
    }


@asynccontextmanager
async def _peer(database_url: str, messages: int) -> AsyncIterator[tuple[str, int, str]]:
    from ops.bench.node_packages import NODE, installed

    folder = await asyncio.to_thread(installed)
    port = free_port()
    environment = {
        **os.environ, "PORT": str(port), "DATABASE_URL": database_url, "SECRET": "a secret of the peer's own",
        "MESSAGES": str(messages), "TEXT": TEXT,
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        str(NODE), "history.mjs", cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        token = (await process.stdout.readline()).decode().strip()
        if (await process.stdout.readline()).strip() != b"ready":
            raise RuntimeError("the peer did not start")
        yield f"http://127.0.0.1:{port}", process.pid, token
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return sorted(runs, key=lambda run: run["per_core"])[len(runs) // 2]
