"""A control plane on a fresh database, for the tests of it and of billing."""

import dataclasses
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import httpx

from billing.app import create_app
from billing.tenants import open_app, open_tenant
from control_plane.accounts.client import Client
from control_plane.accounts.passwords import Passwords
from control_plane.accounts.person import Person
from control_plane.accounts.sign_up import confirm, sign_up
from control_plane.context import Actor, Context, Deps
from control_plane.credentials.service import create_credential
from control_plane.mail import Letter
from control_plane.mail.outbox import list_letters
from control_plane.members import Member
from control_plane.members.invitations import accept_invitation, invite
from control_plane.members.scope import member_of
from control_plane.organizations.service import create_organization
from control_plane.tenants import NewApp, NewTenant
from kernel.clock import Clock, ManualClock, SystemClock
from kernel.db import Database
from kernel.ids import Ids, parse_id
from kernel.metrics import CollectorRegistry
from kernel.security.vault import Vault
from kernel.settings import Settings, ShardSettings

PASSWORD = "correct horse battery"
ACTOR = Actor("operator:test", "req_test")
MASTER_KEY = Vault.generate_master_key()


def make_deps(url: str, clock: Clock) -> Deps:
    """A process's parts on a migrated database; two calls are two control processes."""
    shards = tuple(ShardSettings(id=name, database_url=url, redis_url="redis://unused") for name in ("s0", "s1"))
    settings = Settings(master_key=MASTER_KEY, database_url=url, shards=shards)
    # Ids keep real time, so that they are unique under a clock that stands still.
    return Deps(
        settings=settings,
        database=Database(url, role="natter_control"),
        portal_database=Database(url, role="natter_portal"),
        # As slow as a test can bear. How slow the real one is, is tested once.
        passwords=Passwords(memory_kib=64, time_cost=1),
        vault=Vault(MASTER_KEY),
        clock=clock,
        ids=Ids(SystemClock()),
    )


class World:
    """What a test asks of the control plane, in few words."""

    def __init__(self, deps: Deps, clock: ManualClock, admin_url: str) -> None:
        self.deps = deps
        self.clock = clock
        self.admin_url = admin_url
        self._clients = 0

    @asynccontextmanager
    async def change(self) -> AsyncIterator[Context]:
        async with self.deps.change(ACTOR) as ctx:
            yield ctx

    async def tenant(self, name: str = "Chat", *, shard: str = "s0", plan: str = "free") -> NewTenant:
        async with self.change() as ctx:
            return await open_tenant(
                ctx, email="ada@example.com", organization="Analytical", app=name, shard=shard, plan=plan
            )

    def client(self) -> Client:
        """Somebody who did not come before, so that no throttle knows him."""
        self._clients += 1
        return Client(f"198.51.{self._clients // 250}.{self._clients % 250 + 1}", "Test/1.0", "req_test")

    async def letters(self, to: str | None = None) -> list[Letter]:
        """All of the outbox, or what lies there for one address; the newest first."""
        async with self.deps.database.unit_of_work(read_only=True) as uow:
            page = await list_letters(uow.session, self.deps.vault, limit=1_000)
        return [each.letter for each in page.items if to in (None, each.letter.to)]

    async def link(self, to: str) -> str:
        """The token of the link in the newest letter to that address."""
        return link_of((await self.letters(to))[0])

    async def person(self, email: str = "ada@example.com", name: str = "Ada", password: str = PASSWORD) -> Person:
        """Somebody who has signed up and confirmed the address."""
        cookie = await sign_up(self.deps, email=email, name=name, password=password, client=self.client())
        session = await confirm(self.deps, await self.link(email), cookie=cookie, client=self.client())
        assert session.person is not None
        return session.person

    async def owner(self, email: str = "ada@example.com", organization: str = "Analytical") -> Member:
        """A new person with a new organization."""
        person = await self.person(email, email.partition("@")[0].title())
        async with self.deps.change(Actor(person.actor, "req_test")) as ctx:
            return await create_organization(ctx, person, name=organization)

    async def member(self, owner: Member, email: str, role: str) -> Member:
        """A new person in the owner's organization."""
        person = await self.person(email, email.partition("@")[0].title())
        async with self.deps.change_as(owner, "req_test") as ctx:
            await invite(ctx, owner, email=email, role=role)
        token = await self.link(email)
        async with self.deps.change(Actor(person.actor, "req_test")) as ctx:
            await accept_invitation(ctx, person, token)
        return await self.scope(person.account_id, owner)

    async def scope(self, account_id: UUID, in_: Member) -> Member:
        """The account in that member's organization, as it is now."""
        async with self.deps.database.unit_of_work(read_only=True) as uow:
            return await member_of(uow.session, account_id, in_.organization_id)

    async def app(self, member: Member, name: str = "Chat") -> NewApp:
        """A new app in the member's organization."""
        async with self.deps.change_as(member, "req_test") as ctx:
            return await open_app(ctx, member, name=name)

    async def credential(self, kind: str, name: str, shard: str = "s0") -> str:
        async with self.change() as ctx:
            return await create_credential(ctx, kind=kind, name=name, shard=shard)  # type: ignore[arg-type]

    @asynccontextmanager
    async def serve(self, deps: Deps | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the whole management application, its background tasks running."""
        # Every application counts for itself, as every process does.
        app = create_app(dataclasses.replace(deps or self.deps, registry=CollectorRegistry()))
        transport = httpx.ASGITransport(app=app)  # type: ignore[arg-type]
        async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://control") as client:
            yield client


def link_of(letter: Letter) -> str:
    """The token of a letter's link."""
    found = re.search(r"/(?:verify|reset|invitations|email|email-back)/(\S+)", letter.text)
    assert found, letter.text
    return found[1]


def bearer(credential: str) -> dict[str, str]:
    return {"authorization": f"Bearer {credential}"}


def app_uuid(tenant: NewTenant) -> UUID:
    return parse_id("app", tenant.app_id)
