"""A whole installation in real processes, and a portal's people in it: for pages that need a node that answers."""

import asyncio
import dataclasses
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from control_plane.members.scope import Member
from control_plane.tenants import NewApp
from kernel.clock import SystemClock
from kernel.security.vault import Vault
from ops.chaos.installation import Installation, installation
from tests.engines import engines_of_tests
from tests.portal.harness import Portal, Somebody, portal_deps, serve

PATIENCE = 20.0


@dataclass(slots=True)
class House:
    """The installation, its portal, and a developer with an organization."""

    whole: Installation
    portal: Portal
    owner: Somebody
    member: Member

    async def app(self, name: str = "Support chat", environment: str = "development") -> NewApp:
        """A new app, known to every node."""
        made = await self.portal.app_of(self.member, name, environment)
        assert made.secret_key is not None
        for url in self.whole.node_urls.values():
            await self.until_answered(url, made.secret_key, 200)
        return made

    async def until_answered(self, url: str, secret_key: str, status: int) -> None:
        """Wait until a node answers a secret key with that status."""
        headers, deadline = {"authorization": f"Bearer {secret_key}"}, time.monotonic() + PATIENCE
        while True:
            answer = await self.whole.http.get(f"{url}/v1/channels", headers=headers)
            if answer.status_code == status:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} answers {answer.status_code} and not {status} after {PATIENCE:.0f} s")
            await asyncio.sleep(0.05)


@asynccontextmanager
async def open_house(port: int) -> AsyncIterator[House]:
    """Two nodes, a worker, the control plane, a portal on that port, and somebody who is signed in there."""
    async with installation(engines_of_tests()) as whole:
        settings = dataclasses.replace(whole.settings, control_port=port)
        plain = portal_deps(settings.database_url, port, SystemClock())
        deps = dataclasses.replace(plain, settings=settings, vault=Vault(settings.master_key))
        async with serve(deps, whole.control_database.superuser_url) as portal:
            owner = await portal.account("ada@example.com")
            yield House(whole, portal, owner, await portal.organization(owner))
