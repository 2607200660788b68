"""Clients of the SDK in a Node.js process, and what a fresh reader reads, in the same form."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tests.clients import node_packages
from tests.clients.driver import Driver
from tests.clients.installation import Tenant
from tests.convergence.base import difference
from tests.convergence.channels import _plain
from tests.convergence.person import OWN
from tests.sdk.js.package import built

PATIENCE = 15.0
Json = dict[str, Any]
_names = itertools.count()


async def start_driver() -> Driver:
    """The process."""
    await asyncio.to_thread(built)
    pipe = asyncio.subprocess.PIPE
    script = str(Path(__file__).with_name("driver.mjs"))
    process = await asyncio.create_subprocess_exec(
        str(node_packages.NODE), script, stdin=pipe, stdout=pipe, limit=2**26
    )
    return Driver(process, "sdk")


class SdkClient:
    """One client of the SDK."""

    def __init__(self, driver: Driver, tenant: Tenant, user: str) -> None:
        self._driver = driver
        self._tenant = tenant
        self.user = user
        self.name = f"{user}-{next(_names)}"

    async def open(self, url: str, **options: Any) -> "SdkClient":
        """Connect; done once there is a state."""
        options.setdefault("token", self._tenant.token(self.user))
        await self.ask("open", key=self._tenant.publishable_key, user=self.user, url=url, **options)
        return self

    async def ask(self, command: str, **more: Any) -> Any:
        return await self._driver.ask(command, self.name, **more)

    async def do(self, method: str, *args: Any) -> Any:
        """Call a method of the client, which must succeed."""
        return await self.ask("do", method=method, args=args)

    async def begin(self, method: str, *args: Any) -> None:
        """Call a method and do not wait for it."""
        await self.ask("begin", method=method, args=args)

    async def status(self) -> Json:
        return await self.ask("status")  # type: ignore[no-any-return]

    async def texts(self, channel: str) -> list[str]:
        return [message["text"] for message in await self.ask("messages", channel=channel)]

    async def until(self, holds: Callable[[Json], bool], what: str) -> Json:
        """Wait until its status is so."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while not holds(status := await self.status()):
            assert asyncio.get_running_loop().time() < deadline, f"{self.name} waited in vain for {what}: {status}"
            await asyncio.sleep(0.02)
        return status

    async def settle(self) -> Json:
        """Wait until it knows what a fresh reader reads, and nothing waits to be sent; that state."""
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            kept = await self.ask("view", load=True)
            waiting = kept.pop("outbox")
            fresh = await fresh_state(self._tenant, self.user)
            known = {name: kept[name] for name in fresh}
            if known == fresh and not waiting:
                return fresh
            left = deadline - asyncio.get_running_loop().time()
            assert left > 0, f"{self.name}, {waiting} waiting: {difference(fresh, known)}"
            await asyncio.sleep(0.05)


async def fresh_state(tenant: Tenant, user: str) -> Json:
    """Everything of a user, read over REST, in the form of a vector's `after`."""
    headers = {"authorization": f"Bearer {tenant.token(user)}"}
    async with httpx.AsyncClient(base_url=str(tenant.http.base_url), headers=headers, timeout=20) as http:

        async def read(path: str) -> Any:
            answer = await http.get(path)
            assert answer.is_success, answer.text
            return answer.json()

        sync, unread, me, blocks, invites = [
            await read(path)
            for path in ("/v1/sync", "/v1/unread", "/v1/users/me", "/v1/users/me/blocks", "/v1/invites?limit=100")
        ]
        ids = [channel["id"] for channel in sync["channels"]]
        members = {id: (await read(f"/v1/channels/{id}/members?limit=100"))["members"] for id in ids}
        messages = {id: (await read(f"/v1/channels/{id}/messages?limit=100"))["messages"] for id in ids}
        pins = {id: (await read(f"/v1/channels/{id}/pins"))["pins"] for id in ids}
    return {
        "user": {name: me[name] for name in OWN},
        "channels": {channel["id"]: channel for channel in sync["channels"]},
        "grants": sync["grants"],
        "blocks": {block["user_id"]: block for block in blocks["blocks"]},
        "invites": _plain(invites["invites"]),
        "unread": {name: unread[name] for name in ("total", "channels_unread", "thread_replies", "threads_unread")},
        "members": {id: {member["user_id"]: member for member in found} for id, found in members.items()},
        "messages": {id: {message["id"]: message for message in found} for id, found in messages.items()},
        "pins": {id: {pin["message_id"]: _bare(pin) for pin in found} for id, found in pins.items()},
    }


def _bare(pin: Json) -> Json:
    return {name: value for name, value in pin.items() if name != "message"}
