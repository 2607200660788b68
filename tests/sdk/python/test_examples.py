"""The examples, each started by its one command and used as people use them."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx

from natter import AsyncNatter
from natter.realtime import RealtimeClient
from tests.clients.installation import Tenant

EXAMPLES = Path(__file__).parents[3] / "examples"


@contextlib.asynccontextmanager
async def started(tenant: Tenant, url: str, program: str, *arguments: str, **more: str) -> AsyncIterator[Any]:
    """The process, until the block ends."""
    environment = {
        "PATH": os.environ["PATH"],
        "NATTER_URL": url,
        "NATTER_SECRET_KEY": tenant.secret_key,
        "NATTER_PUBLISHABLE_KEY": tenant.publishable_key,
        **more,
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(EXAMPLES / program), *arguments, env=environment, stdout=pipe, stderr=pipe
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        _, said = await process.communicate()
        assert "Traceback" not in said.decode().replace("KeyboardInterrupt", ""), said.decode()


async def answers(process: Any, url: str) -> None:
    """Wait until a server answers."""
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(20):
        while True:
            assert process.returncode is None, (await process.communicate())[1].decode()
            with contextlib.suppress(httpx.TransportError):
                if (await http.get(f"{url}/health")).is_success:
                    return
            await asyncio.sleep(0.05)


async def test_the_backend_gives_a_person_who_is_signed_in_a_token(
    tenant: Tenant, url: str, free_ports: Callable[[int], list[int]]
) -> None:
    port = free_ports(1)[0]
    shop = f"http://127.0.0.1:{port}"
    async with started(tenant, url, "litestar-backend/app.py", PORT=str(port)) as process:
        await answers(process, shop)
        async with httpx.AsyncClient(base_url=shop, trust_env=False) as ada:
            assert (await ada.post("/chat/token")).status_code == 401
            assert (await ada.post("/session", json={"user_id": "ada", "name": "Ada"})).status_code == 204
            answer = await ada.post("/chat/token")
            assert answer.is_success, answer.text
            given = answer.json()
        assert given["url"] == url and given["key"] == tenant.publishable_key
        async with RealtimeClient(given["url"], given["token"], publishable_key=given["key"]) as chat:
            assert (await chat.send(given["channel_id"], text="Hello")).user_id == "ada"


async def test_the_bot_counts_and_answers(natter: AsyncNatter, tenant: Tenant, url: str) -> None:
    await tenant.channel("general", "ada", "bo")
    async with started(tenant, url, "python-bot/bot.py", "general") as process:
        async with asyncio.timeout(20):
            assert await process.stdout.readline() == b"ready\n", (await process.communicate())[1].decode()
        for user_id, text in (("ada", "Hello"), ("bo", "Hi"), ("ada", "How are you?"), ("ada", "!count")):
            await natter.for_user(user_id).messages.send("general", text=text)
        async with asyncio.timeout(20):
            while (last := await anext(natter.messages.iter_back("general"))).user_id != "counter":
                await asyncio.sleep(0.02)
        assert last.text == "ada 2, bo 1"
