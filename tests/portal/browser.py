"""Debian's headless Chromium, driven by Playwright."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Dialog, Page, async_playwright

from tests.portal.harness import Portal, Somebody

NAMES = ("chromium-headless-shell", "chromium")
"""The same engine without and with the browser around it, the quicker one first."""
EXECUTABLE = Path(os.environ.get("NATTER_TEST_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), NAMES[0]))
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-software-rasterizer", "--renderer-process-limit=2"]
"""Tests may run as root. Nothing is drawn for anybody to see but screenshots, which need no stand-in for a GPU."""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """One browser. `make browser` installs it where it is missing."""
    if not EXECUTABLE.exists():
        raise FileNotFoundError(f"{EXECUTABLE} is missing: make browser")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=EXECUTABLE, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


async def sign_in(context: BrowserContext, portal: Portal, somebody: Somebody) -> None:
    """Give a browser the cookie of somebody's session."""
    host = urlsplit(portal.url).hostname
    cookies = [{"name": name, "value": value, "domain": host, "path": "/"} for name, value in somebody.cookie.items()]
    await context.add_cookies(cookies)  # type: ignore[arg-type]


class Watch:
    """Notes what must never happen on a page of ours: dialogs, failing scripts, violations of the content policy."""

    def __init__(self, page: Page) -> None:
        self.seen: list[str] = []
        page.on("dialog", self._dialog)
        page.on("pageerror", lambda error: self.seen.append(f"script failed: {error}"))
        page.on("console", self._console)

    def check(self) -> None:
        """Fails the test when something was noted."""
        assert not self.seen, self.seen

    async def _dialog(self, dialog: Dialog) -> None:
        self.seen.append(f"dialog: {dialog.message}")
        await dialog.dismiss()

    def _console(self, message: ConsoleMessage) -> None:
        # Failed requests are errors too, and wanted in many tests; violations are told in these words.
        if "Content Security Policy" in message.text:
            self.seen.append(message.text)
