"""The first two minutes of somebody who has never seen Natter: from `natter up` to the first message and its bill."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from ops.ports import free_port, is_free
from tests.engines import reachable_folder
from tests.portal.browser import Watch
from tests.portal.harness import PASSWORD

pytestmark = [pytest.mark.scenario, pytest.mark.timeout(240)]

WITHIN = 120.0
"""Seconds of waiting and clicking; nobody types or reads as fast as this test, so it must stay far below."""
SHOTS = os.environ.get("NATTER_TEST_WALK_SHOTS")
"""A folder for pictures of the way."""


@pytest.fixture(scope="module")
def up() -> Iterator[dict[str, Any]]:
    """What `natter up --json` said once it was ready."""
    folder = reachable_folder()
    base = free_port(highest=21_000)
    while not is_free(base + 100):
        base = free_port(highest=21_000)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NATTER_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "ops.cli", "up", "--json", "--port-base", str(base)],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=(folder / "said").open("w"),
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (folder / "said").read_text()
    yield json.loads(line)
    process.send_signal(signal.SIGINT)
    process.wait(60)


async def test_a_newcomer_sees_two_users_chat_and_finds_it_counted(browser: Browser, up: dict[str, Any]) -> None:
    context = await browser.new_context(base_url=up["portal_url"], viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    page = await context.new_page()
    watch = Watch(page)
    began = time.monotonic()

    await page.goto("/")
    await page.get_by_role("link", name="Sign up").first.click()
    await page.get_by_label("Name").fill("Ada Lovelace")
    await page.get_by_label("E-mail").fill("ada@example.com")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign up").click()
    await expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()
    await _shoot(page, "1-check-mail")

    await page.goto(up["outbox_url"])
    await page.get_by_role("button", name="Open outbox").click()
    await page.get_by_role("link", name=re.compile("Confirm")).click()
    await page.get_by_role("link", name="Text").click()
    await page.get_by_role("link", name=re.compile("verify")).click()
    await page.get_by_role("button", name="Confirm address").click()

    await page.get_by_label("Organization").fill("Analytical Engines")
    await page.get_by_label("App", exact=True).fill("Support chat")
    await _shoot(page, "2-welcome")
    await page.get_by_role("button", name="Create app").click()
    await expect(page.get_by_role("heading", name="Quickstart")).to_be_visible()
    text = await page.locator("main").inner_text()
    assert re.search(r"\bsk_[0-9a-z]{39}\b", text), "the secret key is shown, once, in the code"
    assert re.search(r"\bpk_[0-9a-z]{39}\b", text)
    await _shoot(page, "3-quickstart")

    await page.get_by_role("link", name="Open live demo").click()
    ada, grace = (
        page.locator("section.pane[data-user='demo-ada']"),
        page.locator("section.pane[data-user='demo-grace']"),
    )
    for number, (pane, other) in enumerate([(ada, grace), (grace, ada), (ada, grace)]):
        words = f"Message number {number + 1}"
        await pane.get_by_role("textbox").fill(words)
        await pane.get_by_role("textbox").press("Enter")
        await expect(other.get_by_text(words)).to_be_visible()
    await _shoot(page, "4-demo")

    await _until_usage_says(page, "Messages", 3)
    await _until_usage_says(page, "Active users", 2)
    await _shoot(page, "5-usage")
    took = time.monotonic() - began
    watch.check()
    await context.close()
    print(f"from the first page to the counted messages: {took:.1f} s")
    assert took < WITHIN


async def _until_usage_says(page: Page, meter: str, value: int) -> None:
    """Usage arrives within seconds; a customer reloads."""
    deadline = time.monotonic() + 30
    while True:
        if "/usage" not in page.url:
            await page.get_by_role("link", name="Usage", exact=True).first.click()
        total = page.locator("section.meter", has=page.get_by_role("heading", name=meter)).locator(".meter-total")
        said = await total.inner_text()
        if said.split()[0] == str(value):
            return
        assert time.monotonic() < deadline, f"{meter}: {said!r} instead of {value}"
        await page.wait_for_timeout(500)
        await page.reload()


async def _shoot(page: Page, name: str) -> None:
    if SHOTS:
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        await page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=True)
