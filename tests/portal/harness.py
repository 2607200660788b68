"""The real management application on a real socket, for pages' tests and for their pictures."""

import asyncio
import contextlib
import dataclasses
import itertools
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx
import uvicorn
from litestar import Litestar

from billing.tenants import open_app
from control_plane.accounts.client import Client
from control_plane.accounts.passwords import Passwords
from control_plane.accounts.person import Person
from control_plane.accounts.sessions import NewSession
from control_plane.accounts.sign_in import sign_in
from control_plane.accounts.sign_up import confirm, sign_up
from control_plane.context import Actor, Deps
from control_plane.mail.letters import Letter
from control_plane.mail.outbox import list_letters
from control_plane.members.scope import Member, member_of
from control_plane.organizations.service import create_organization
from control_plane.tenants import NewApp
from data_plane.reference import openapi_document
from kernel.clock import Clock, ManualClock, SystemClock
from kernel.db import Database
from kernel.ids import Ids
from kernel.metrics import CollectorRegistry
from kernel.security.vault import Vault
from kernel.settings import Settings, ShardSettings
from ops.entrypoints.server import Server
from portal.app import create_app

PASSWORD = "correct horse battery staple"
CLIENT = Client("192.0.2.1", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "req_test")
MASTER_KEY = Vault.generate_master_key()
_networks = itertools.count(1)
_LINK = re.compile(r"https?://[^\s]+/(?:verify|reset|invitations|email|email-back)/[^\s]+")


def newcomer() -> Client:
    """The other end of a request from a network of its own, so that no throttle minds."""
    return Client(f"2001:db8:{next(_networks):x}::1", CLIENT.user_agent, "req_test")


@dataclass(frozen=True, slots=True)
class Somebody:
    """An account that is signed in."""

    person: Person
    session: NewSession

    @property
    def cookie(self) -> dict[str, str]:
        return {"natter_session": self.session.token}


@dataclass(slots=True)
class Portal:
    """A running portal, and what a test does behind its back."""

    deps: Deps
    app: Litestar
    url: str
    admin_url: str
    _clients: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)
    _superuser: Any = None
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def clock(self) -> ManualClock:
        assert isinstance(self.deps.clock, ManualClock)
        return self.deps.clock

    # -- browsers without a face ---------------------------------------------------------------------------------------

    async def client(self, somebody: Somebody | None = None, **cookies: str) -> httpx.AsyncClient:
        """A browser's cookies and manners, without scripts. It follows no redirect by itself."""
        jar = {**(somebody.cookie if somebody else {}), **cookies}
        client = httpx.AsyncClient(base_url=self.url, cookies=jar, timeout=20)
        return await self._clients.enter_async_context(client)

    async def close(self) -> None:
        """Let go of what a test opened. What it opens afterwards it opens anew."""
        await self._clients.aclose()
        if self._superuser is not None:
            await self._superuser.close()
            self._superuser = None

    # -- people and what they own --------------------------------------------------------------------------------------

    async def account(self, email: str, name: str = "Ada Lovelace", *, staff: bool = False) -> Somebody:
        """Sign up, confirm and sign in, without a page; each from a network of its own, so that no throttle minds."""
        client = newcomer()
        cookie = await sign_up(self.deps, email=email, name=name, password=PASSWORD, client=client)
        token = urlsplit(await self.link(email)).path.rpartition("/")[2]
        session = await confirm(self.deps, token, cookie=cookie, password=None, client=client)
        assert session.person is not None
        if staff:
            await self.sql("update control.accounts set staff = true where email = $1", email)
            return await self.sign_in(email)
        return Somebody(session.person, session)

    async def sign_in(self, email: str, password: str = PASSWORD, client: Client = CLIENT) -> Somebody:
        session = await sign_in(self.deps, email=email, password=password, client=client)
        assert isinstance(session, NewSession)
        assert session.person is not None
        return Somebody(session.person, session)

    async def organization(self, owner: Somebody, name: str = "Analytical Engines") -> Member:
        async with self.deps.change(Actor(owner.person.actor, "req_test")) as ctx:
            return await create_organization(ctx, owner.person, name=name)

    async def app_of(self, member: Member, name: str = "Support chat", environment: str = "development") -> NewApp:
        async with self.deps.change_as(member, "req_test") as ctx:
            return await open_app(ctx, member, name=name, environment=environment)

    async def join(self, member: Member, somebody: Somebody, role: str = "developer") -> Member:
        """Make somebody a member, as an accepted invitation does."""
        await self.sql(
            "insert into control.memberships (organization_id, account_id, role, created_at) values ($1, $2, $3, $4)",
            member.organization_id,
            somebody.person.account_id,
            role,
            self.deps.clock.now(),
        )
        return await self.member(somebody, member.organization_id)

    async def member(self, somebody: Somebody, organization_id: UUID) -> Member:
        async with self.deps.database.unit_of_work(read_only=True) as uow:
            return await member_of(uow.session, somebody.person.account_id, organization_id)

    # -- mail and tables -----------------------------------------------------------------------------------------------

    async def letters(self, to: str, *, among: int = 200) -> list[Letter]:
        """The newest first, of so many that were written last to anybody: each must be opened to see whose it is."""
        async with self.deps.database.unit_of_work(read_only=True) as uow:
            stored = await list_letters(uow.session, self.deps.vault, limit=among)
        return [one.letter for one in stored.items if one.letter.to == to]

    async def link(self, to: str) -> str:
        """The link in the newest mail to an address."""
        letters = await self.letters(to, among=3) or await self.letters(to)
        found = _LINK.search(letters[0].text)
        assert found is not None
        return found[0]

    async def sql(self, statement: str, *values: Any) -> list[Any]:
        """As superuser: for looking and planting."""
        async with self._one_at_a_time:
            if self._superuser is None or self._superuser.is_closed():
                self._superuser = await asyncpg.connect(self.admin_url)
            return list(await self._superuser.fetch(statement, *values))


def portal_deps(url: str, port: int, clock: Clock | None = None) -> Deps:
    """The parts of a management process that browsers reach at that port."""
    shard = ShardSettings(id="s0", database_url=url, redis_url="redis://unused", public_url="http://127.0.0.1:8100")
    settings = Settings(master_key=MASTER_KEY, database_url=url, shards=(shard,), control_port=port)
    return Deps(
        settings=settings,
        database=Database(url, role="natter_control"),
        portal_database=Database(url, role="natter_portal"),
        vault=Vault(MASTER_KEY),
        clock=clock or ManualClock(datetime.now(UTC)),
        ids=Ids(SystemClock()),
        # As slow as a test can bear.
        passwords=Passwords(memory_kib=64, time_cost=1),
        registry=CollectorRegistry(),
        openapi=openapi_document(),
    )


@asynccontextmanager
async def serve(deps: Deps, admin_url: str) -> AsyncIterator[Portal]:
    """Serve the whole management application on its port until the block ends."""
    app = create_app(deps)
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=deps.settings.control_port,
        loop="none",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        # Browsers keep their connections open.
        timeout_graceful_shutdown=1,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            task.result()
        await asyncio.sleep(0.01)
    portal = Portal(deps, app, deps.settings.portal, admin_url)
    try:
        yield portal
    finally:
        await portal.close()
        app.state.drain()
        server.should_exit = True
        await task
        await deps.close()


def with_settings(deps: Deps, **changes: Any) -> Deps:
    """The same parts with other settings."""
    return dataclasses.replace(deps, settings=dataclasses.replace(deps.settings, **changes))
