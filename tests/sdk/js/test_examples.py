"""The examples that use the JavaScript SDK, each started by its command."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import BrowserContext, expect

from tests.clients import node_packages
from tests.clients.installation import Tenant
from tests.sdk.js.conftest import OpenClient

EXAMPLES = Path(__file__).parents[3] / "examples"


@asynccontextmanager
async def started(project: Path, name: str, tenant: Tenant, **environment: str) -> AsyncIterator[str]:
    """An example that runs, and the first line that it said."""
    folder = project / name
    shutil.copytree(EXAMPLES / name, folder, dirs_exist_ok=True)
    program, script = json.loads((folder / "package.json").read_text())["scripts"]["start"].split()
    assert program == "node"
    given = {"NATTER_URL": str(tenant.http.base_url).rstrip("/"), "NATTER_KEY": tenant.publishable_key}
    env = {**os.environ, **given, "NATTER_SECRET": tenant.secret_key, **environment}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(node_packages.NODE, script, cwd=folder, env=env, stdout=pipe)
    assert process.stdout is not None
    try:
        yield (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip()
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 10)


async def test_the_plain_page_sends_and_hears(
    project: Path, device: BrowserContext, tenant: Tenant, free_ports: Callable[[int], list[int]]
) -> None:
    async with started(project, "html", tenant, PORT=str(free_ports(1)[0])) as address:
        page = await device.new_page()
        await page.goto(address)
        await expect(page.locator("#status")).to_have_text("online")
        await page.get_by_label("Message").fill("Hello")
        await page.get_by_role("button", name="Send").click()
        await expect(page.locator("#messages li")).to_have_text(["alice: Hello"])
        await expect(page.locator("#messages li[data-state=stored]")).to_have_count(1)
        await tenant.post("/v1/channels/general/messages", text="Hi", user_id="alice")
        await expect(page.locator("#messages li")).to_have_text(["alice: Hello", "alice: Hi"])


async def test_the_bot_answers_who_mentions_it(project: Path, tenant: Tenant, open_client: OpenClient) -> None:
    await tenant.channel("den", "ann", "echo")
    async with started(project, "node-bot", tenant) as said:
        assert said == "echo is listening"
        ann = await open_client("ann")
        await ann.do("open", "den")
        await ann.do("send", "den", {"text": "Nobody in particular"})
        asked = await ann.do("send", "den", {"text": "Are you there?", "mentions": {"users": ["echo"]}})
        async with asyncio.timeout(10):
            while len(shown := await ann.ask("messages", channel="den")) < 3:
                await asyncio.sleep(0.02)
        assert shown[2]["text"] == "You said: Are you there?"
        assert shown[2]["quoted_id"] == asked["id"]
