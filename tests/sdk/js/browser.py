"""The SDK on a page of headless Chromium."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from playwright.async_api import Page, TimeoutError

from tests.clients.installation import Tenant
from tests.convergence.base import difference
from tests.sdk.js.clients import PATIENCE, Json, fresh_state
from tests.sdk.js.package import SDK

_HERE = Path(__file__).parent
FILES = {
    "/": _HERE / "pages" / "index.html",
    "/natter.js": SDK / "dist" / "natter.js",
    "/views.mjs": _HERE / "views.mjs",
}
_TYPES = {".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript"}


class _Handler(BaseHTTPRequestHandler):
    """Answers with the files of the page."""

    def do_GET(self) -> None:
        path = FILES.get(self.path)
        body = path.read_text().replace("../../../sdk/js/dist/index.js", "/natter.js").encode() if path else b""
        self.send_response(200 if path else 404)
        if path:
            self.send_header("content-type", _TYPES[path.suffix])
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


@contextmanager
def serving(port: int) -> Iterator[str]:
    """A web server with the page; its address. From anywhere else Chromium lets no page reach loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class SdkPage:
    """A page with one client."""

    def __init__(self, page: Page, origin: str, tenant: Tenant, user: str, url: str) -> None:
        self.page = page
        self._origin = origin
        self._tenant = tenant
        self._user = user
        self._url = url
        self.said: list[str] = []
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.on("console", lambda message: self.said.append(message.text))

    async def load(self) -> "SdkPage":
        """Open the page, or open it again."""
        await self.page.goto(self._origin)
        await self.page.wait_for_function("window.ready")
        return self

    async def start(self, **options: Any) -> "SdkPage":
        """Connect; done once there is a state."""
        await self.begin(**options)
        await self.until("client.state.cursor !== null")
        return self

    async def begin(self, **options: Any) -> None:
        """Connect, without waiting for it."""
        await self.load()
        given = {"key": self._tenant.publishable_key, "user": self._user, "url": self._url}
        given |= {"token": self._tenant.token(self._user), **options}
        await self.page.evaluate("given => void start(given)", given)

    async def run(self, script: str, given: Any = None) -> Any:
        return await self.page.evaluate(script, given)

    async def until(self, condition: str) -> None:
        """Wait until an expression is true."""
        try:
            await self.page.wait_for_function(condition, timeout=PATIENCE * 1000)
        except TimeoutError as error:
            status = await self.page.evaluate("window.client && client.state.connection")
            raise AssertionError(f"in vain for {condition}; {status}; the page said {self.said}") from error

    async def texts(self, channel: str = "den") -> list[str]:
        return await self.run("channel => texts(channel)", channel)  # type: ignore[no-any-return]

    async def settle(self) -> Json:
        """Wait until it knows what a fresh reader reads, and nothing waits to be sent; that state."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            kept = await self.run("load().then(view)")
            waiting = kept.pop("outbox")
            fresh = await fresh_state(self._tenant, self._user)
            known = {name: kept[name] for name in fresh}
            if known == fresh and not waiting:
                return fresh
            left = deadline - asyncio.get_running_loop().time()
            assert left > 0, f"{waiting} waiting: {difference(fresh, known)}"
            await asyncio.sleep(0.05)
