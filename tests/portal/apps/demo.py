"""The demo's page as a test uses it, and a network between it and the node that can be cut."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from playwright.async_api import Locator, Page, Route, WebSocketRoute, expect

ADA = "demo-ada"
GRACE = "demo-grace"
NAMES = {ADA: "Ada", GRACE: "Grace"}


@dataclass(slots=True)
class Demo:
    """Two panes."""

    page: Page

    async def open(self, path: str) -> None:
        """Load it and wait until both are online and have the history."""
        await self.page.goto(path)
        await self.online()

    async def online(self, *users: str) -> None:
        for user in users or NAMES:
            await expect(self.pane(user)).to_have_attribute("data-state", "online", timeout=20_000)
            await expect(self.conversation(user)).not_to_have_attribute("data-content", "loading")

    def pane(self, user: str) -> Locator:
        return self.page.locator(f"#pane-{user}")

    def conversation(self, user: str) -> Locator:
        return self.pane(user).locator("[data-part=conversation]")

    def field(self, user: str) -> Locator:
        return self.page.get_by_label(f"Message as {NAMES[user]}", exact=True)

    def row(self, user: str, text: str) -> Locator:
        return self.pane(user).locator("li.message").filter(has_text=text)

    def bar(self, user: str) -> Locator:
        return self.pane(user).locator("[data-part=bar]")

    def unread(self, user: str) -> Locator:
        return self.pane(user).locator("[data-badge] [data-part=count]")

    async def say(self, user: str, *texts: str) -> None:
        for text in texts:
            await self.field(user).fill(text)
            await self.field(user).press("Enter")

    async def switch(self, user: str) -> None:
        await self.page.get_by_label(f"{NAMES[user]}'s network").click()

    async def texts(self, user: str) -> list[str]:
        """What stands in the pane, from top to bottom."""
        return await self.pane(user).locator("li.message .bubble").all_inner_texts()

    async def until_texts(self, user: str, wanted: list[str]) -> None:
        deadline = time.monotonic() + 15
        while (found := await self.texts(user)) != wanted:
            assert time.monotonic() < deadline, f"{NAMES[user]} sees {found}, not {wanted}"
            await asyncio.sleep(0.05)

    async def until_stored(self, user: str) -> None:
        """Nothing of this user waits any more."""
        await expect(self.pane(user).locator("li.message[data-state=waiting]")).to_have_count(0, timeout=15_000)


@dataclass
class Network:
    """Everything between a page and the nodes."""

    urls: tuple[str, ...]
    cut: bool = False
    held: bool = False
    """What the node says is kept back; what the page says still arrives."""
    _sockets: list[WebSocketRoute] = field(default_factory=list)
    _kept: list[tuple[WebSocketRoute, Any]] = field(default_factory=list)

    async def lay(self, page: Page) -> None:
        """Put it between; before the page is loaded."""
        for url in self.urls:
            await page.route(f"{url}/**", self._request)
            await page.route_web_socket(f"{url.replace('http', 'ws')}/**", self._socket)

    async def break_off(self) -> None:
        """Cut it: connections end without a word, new ones fail."""
        self.cut = True
        self._kept.clear()
        sockets, self._sockets = self._sockets, []
        for socket in sockets:
            await socket.close()

    def mend(self) -> None:
        self.cut = self.held = False

    def release(self) -> None:
        """Let through what was held."""
        self.held = False
        kept, self._kept = self._kept, []
        for socket, message in kept:
            socket.send(message)

    async def _request(self, route: Route) -> None:
        await (route.abort() if self.cut else route.continue_())

    async def _socket(self, socket: WebSocketRoute) -> None:
        if self.cut:
            await socket.close()
            return
        server = socket.connect_to_server()
        self._sockets.append(socket)
        socket.on_message(lambda message: None if self.cut else server.send(message))
        server.on_message(lambda message: self._said(socket, message))

    def _said(self, socket: WebSocketRoute, message: Any) -> None:
        if self.cut:
            return
        if self.held:
            self._kept.append((socket, message))
        else:
            socket.send(message)
