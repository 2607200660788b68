"""Two organizations on one real server: the victim, whose every word holds the canary, and the stranger's. And whoever
else may knock: each role, who left, staff, the machine's owner, and nobody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import uvicorn
from litestar import Litestar

import ops.entrypoints.control
from billing.tenants import open_app
from control_plane.accounts.local import create_outbox_link, open_local
from control_plane.accounts.person import Person
from control_plane.accounts.sessions import begin_session
from control_plane.accounts.staff import create_staff
from control_plane.context import Actor, Context, Deps
from control_plane.keys.jwks_url import Fetched
from control_plane.keys.key_sets import follow_key_set, list_key_sets
from control_plane.keys.reads import list_api_keys
from control_plane.keys.signing_keys import add_public_key
from control_plane.members.invitations import invite
from control_plane.members.roles import ROLES
from control_plane.members.scope import Member
from control_plane.organizations.details import Details, set_billing_details
from control_plane.organizations.ownership import offer_ownership
from control_plane.organizations.service import create_organization
from data_plane.reference import openapi_document
from kernel.clock import ManualClock
from kernel.ids import Ids, encode, format_id, parse_id
from kernel.metrics import CollectorRegistry
from portal.http import cookies, seal
from tests.billing.planted import plant_invoice
from tests.control_plane.accounts.second_steps import offered_app, two_step_on
from tests.control_plane.fixtures import World as Control
from tests.control_plane.fixtures import make_deps
from tests.engines import TemporaryDatabase
from tests.invariants.answers import CANARY
from tests.invariants.rows import Digest, Rows, Whose, tables

FRESH = "<a fresh form id>"
"""In a form: what `visit.new_id()` would have put there."""
OF_NOBODY = {
    "alembic_version",
    "configuration",
    "credentials",
    "node_workers",
    "outbox",
    "throttles",
    "invoice_counter",
    # Stripe's events name an object and nothing of whom it is about; prices and the worker's memory are the system's.
    "stripe_events",
    "stripe_prices",
    "stripe_state",
    # Sealed, and readable through the outbox alone; whose mail it is stands nowhere outside of the seal.
    "mails",
}
_MEMBERS = "select m.account_id from control.memberships m where m.organization_id = $1::uuid"
BY_COLUMN: dict[str, Whose] = {
    "organization_id": "t.organization_id = $1::uuid",
    "app_id": "t.app_id in (select a.id from control.apps a where a.organization_id = $1::uuid)",
    "account_id": f"t.account_id in ({_MEMBERS})",
}
SPECIAL: dict[str, Whose] = {
    "organizations": "t.id = $1::uuid",
    "accounts": f"t.id in ({_MEMBERS})",
    "audit_entries": f"{BY_COLUMN['organization_id']} or {BY_COLUMN['app_id']}",
}


@dataclass(frozen=True)
class Kit:
    """Ids of one organization's things, as pages show them."""

    organization: str
    app: str
    secret: str
    publishable: str
    member: str
    invitation: str
    session: str
    audit: str
    signing: str
    key_set: str
    invoice: str
    # What forms ask to be typed, of the things above.
    last_four: str = "abcd"
    organization_name: str = "Nothing"
    member_email: str = "nobody@example.com"
    app_name: str = "Nothing"
    signing_end: str = "abcd"


TYPED = {
    "app": ("app_name",),
    "signing": ("signing_end",),
    "secret": ("last_four",),
    "organization": ("organization_name",),
    "member": ("member_email",),
}


PEM = """-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----"""


@dataclass(frozen=True)
class Visitor:
    """A browser: its cookies, and what its forms' tokens are bound to."""

    name: str
    cookies: dict[str, str]
    binding: str


class House:
    """An organization and the member who owns it."""

    def __init__(self, owner: Member, kit: Kit) -> None:
        self.owner = owner
        self.kit = kit
        self.id: UUID = owner.organization_id


class World:
    """Made by `world`."""

    def __init__(self, database: TemporaryDatabase, superuser: asyncpg.Connection) -> None:
        self.deps: Deps = replace(make_deps(database.url, ManualClock()), openapi=openapi_document())
        self.control = Control(self.deps, self.deps.clock, database.superuser_url)  # type: ignore[arg-type]
        self.database = superuser
        self.application: Litestar = ops.entrypoints.control.create_app(self.deps)
        self.conditions: dict[str, Whose] = {}
        self.untouched: dict[str, tuple[House, Visitor]] = {}
        """By role, a house that is as it was made, and somebody of that role who is signed in."""
        self.url = ""
        self._ids = Ids()
        self._numbers = count(1)

    # -- beginning and end ---------------------------------------------------------------------------------------------

    async def begin(self, port: int) -> None:
        """Serve, and have everybody there. Without the work in the background, so that requests alone change rows."""
        self.url = f"http://127.0.0.1:{port}"
        config = uvicorn.Config(
            self.application, host="127.0.0.1", port=port, loop="none", http="httptools", ws="none", lifespan="off",
            log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=2,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:
            await asyncio.sleep(0.01)

        self.conditions = await self._conditions()
        self.rows = Rows(self.database, self.conditions)
        self.people = {role: await self.control.person(f"{role}@house.example", role.title()) for role in ROLES}
        await offered_app(self.control, self.people["owner"])
        self.former = await self.control.person("former@example.com", "Former")
        self.victims_owner = await self.control.person(f"{CANARY}@example.com", f"{CANARY} owner")
        self.victims_member = await self.control.person(f"{CANARY}-member@example.com", f"{CANARY} member")
        self.victim = await self._victims_house()
        self.visitors = {
            "stranger": await self.signed_in("stranger", self.people["owner"]),
            "former member": await self.signed_in("former member", self.former),
            "staff": await self.signed_in("staff", await self._staff()),
            "machine's owner": await self.machines_owner(),
            "nobody": self.stranger("nobody"),
        }

    async def end(self) -> None:
        self.application.state.drain()
        self._server.should_exit = True
        await self._task
        await self.deps.close()

    # -- browsers ------------------------------------------------------------------------------------------------------

    async def signed_in(self, name: str, person: Person) -> Visitor:
        """A browser in which a person is signed in."""
        async with self.deps.change(Actor(person.actor, "req_test")) as ctx:
            session = await begin_session(ctx, person, self.control.client())
        return Visitor(name, {cookies.SESSION: session.token}, f"session {session.session_id}")

    def stranger(self, name: str) -> Visitor:
        """A browser in which nobody is signed in, with the cookie that its forms are bound to."""
        value = "v" * 43
        return Visitor(name, {cookies.VISITOR: value}, f"visitor {value}")

    def csrf(self, visitor: Visitor) -> str:
        """The token of this browser's forms."""
        return seal.sign(self.deps.vault, "csrf", visitor.binding)

    def form_id(self, visitor: Visitor, path: str) -> str:
        """A fresh id, as a page of the same organization or app as this path would give it to this browser."""
        text, (_, kind, public_id, *_) = encode(self._ids.uuid7()), f"{path}//".split("/")
        prefix = {"apps": "app", "organizations": "org"}.get(kind)
        place = str(parse_id(prefix, public_id)) if prefix and public_id.startswith(f"{prefix}_") else ""
        return f"{text}.{seal.sign(self.deps.vault, 'new-id', visitor.binding, place, text)}"

    # -- houses --------------------------------------------------------------------------------------------------------

    async def house(self, *, with_role: str = "owner") -> House:
        """A fresh organization, owned by the owner among `people`, with another in that role, and everything in it."""
        owner, others = self.people["owner"], {"viewer"} | {with_role} - {"owner"}
        house = await self._make(owner, f"House {next(self._numbers)}", "In the house", self.people["viewer"])
        for role in sorted(others - {"viewer"}):
            await self._join(house.id, self.people[role], role)
        return house

    def nothing(self, like: Kit) -> Kit:
        """Ids that nobody has, each right beside one of `like`, at the same place of any list."""

        def beside(text: str) -> str:
            prefix = text.partition("_")[0]
            return format_id(prefix, UUID(int=parse_id(prefix, text).int ^ 1))

        return replace(like, **{name: beside(getattr(like, name)) for name in SLOTS})

    def beside(self, kit: Kit) -> tuple[Kit, Kit]:
        """Another's things, and nothing in their place."""
        return kit, self.nothing(kit)

    async def rows_of(self, house: House) -> Digest:
        """A digest of every row of an organization's."""
        return await self.rows.digest(house.id)

    async def session_of(self, person: Person) -> UUID:
        """Another browser in which the person is signed in."""
        async with self.deps.change(Actor(person.actor, "req_test")) as ctx:
            return (await begin_session(ctx, person, self.control.client())).session_id

    @asynccontextmanager
    async def as_operator(self) -> AsyncIterator[Context]:
        """A change by the operator, on the machine itself."""
        async with self.deps.change(Actor("operator:test", "req_test")) as ctx:
            yield ctx

    def again(self, **changes: Any) -> Litestar:
        """Another application on the same database, as another process would have it."""
        return ops.entrypoints.control.create_app(replace(self.deps, registry=CollectorRegistry(), **changes))

    # -- inside --------------------------------------------------------------------------------------------------------

    async def _victims_house(self) -> House:
        house = await self._make(self.victims_owner, f"{CANARY} house", f"{CANARY} app", self.victims_member)
        await self._join(house.id, self.former, "admin")
        await two_step_on(self.control, self.victims_owner)
        await self.database.execute(
            "delete from control.memberships where organization_id = $1 and account_id = $2",
            house.id,
            self.former.account_id,
        )
        return house

    async def _make(self, owner: Person, name: str, app: str, member: Person) -> House:
        async with self.deps.change(Actor(owner.actor, "req_test")) as ctx:
            scope = await create_organization(ctx, owner, name=name)
        await self._join(scope.organization_id, member, "viewer")
        async with self.deps.change_as(scope, "req_test") as ctx:
            made = await open_app(ctx, scope, name=app)
            (kid,) = await add_public_key(ctx, made.app.id, PEM)
            await follow_key_set(ctx, made.app.id, f"https://example.com/{made.app.public_id}", Fetched(PEM))
            (followed,) = await list_key_sets(ctx.session, made.app)
            await set_billing_details(ctx, scope, Details(company=name))
            await offer_ownership(ctx, scope, member.account_id)
            invited = await invite(ctx, scope, email=f"guest-{scope.organization_id.hex}@example.com", role="viewer")
        async with self.deps.read(scope) as uow:
            keys = {key.kind: key for key in await list_api_keys(uow.session, made.app, now=self.deps.clock.now())}
        session = await self.session_of(owner)
        audit = await self.database.fetchval(
            "select id from control.audit_entries where organization_id = $1 order by id limit 1", scope.organization_id
        )
        kit = Kit(
            organization=scope.public_organization_id,
            app=made.app.public_id,
            secret=format_id("key", keys["secret"].id),
            publishable=format_id("key", keys["publishable"].id),
            member=format_id("acc", member.account_id),
            invitation=invited.public_id,
            session=format_id("ses", session),
            audit=format_id("aud", audit),
            signing=kid,
            key_set=followed.public_id,
            invoice=await plant_invoice(
                self.database.fetch,
                organization=(scope.organization_id, scope.organization_name),
                app=(made.app.id, app),
                month="2025-12",
                now=self.deps.clock.now(),
            ),
            last_four=keys["secret"].last_four,
            organization_name=name,
            member_email=member.email,
            app_name=app,
            signing_end=kid[-4:],
        )
        return House(scope, kit)

    async def _join(self, organization_id: UUID, person: Person, role: str) -> None:
        await self.database.execute(
            "insert into control.memberships (organization_id, account_id, role, created_at) values ($1, $2, $3, $4)",
            organization_id,
            person.account_id,
            role,
            self.deps.clock.now(),
        )

    async def _staff(self) -> Person:
        person = await self.control.person("staff@example.com", "Staff")
        async with self.as_operator() as ctx:
            await create_staff(ctx, email="staff@example.com")
        return replace(person, staff=True)

    async def machines_owner(self) -> Visitor:
        async with self.as_operator() as ctx:
            link = await create_outbox_link(ctx)
        session = await open_local(self.deps, link.rpartition("/")[2], client=self.control.client())
        return Visitor("machine's owner", {cookies.OWNER: session.token}, f"owner {session.session_id}")

    async def _conditions(self) -> dict[str, Whose]:
        found: dict[str, Whose] = {}
        for table, columns in (await tables(self.database, "control")).items():
            whose = SPECIAL.get(table) or next((BY_COLUMN[name] for name in BY_COLUMN if name in columns), None)
            if whose is not None:
                found[f"control.{table}"] = whose
            else:
                where = "tests/invariants/management/world.py"
                assert table in OF_NOBODY, f"control.{table}: whose are its rows? Say so in {where}"
        return found


SLOTS = (
    *("organization", "app", "secret", "publishable", "member", "invitation", "session", "audit"),
    *("signing", "key_set", "invoice"),
)


def client(world: World, application: Litestar | None = None) -> httpx.AsyncClient:
    """Requests to the server, or to an application in its place. It keeps no cookies: each request brings its own."""
    transport = httpx.ASGITransport(app=application, raise_app_exceptions=False) if application is not None else None
    # Shorter than the server's own 5 s, or a request could meet a connection that is just being closed.
    limits = httpx.Limits(keepalive_expiry=2)
    return httpx.AsyncClient(base_url=world.url, timeout=20, trust_env=False, transport=transport, limits=limits)
