"""The configuration's lock comes before any row of apps and organizations, whatever is done: see
`control_plane.configuration`. Otherwise two of these use cases could wait for each other."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import asyncpg
from sqlalchemy.exc import DBAPIError

from billing.credits import grant_credit
from billing.invoices.closing import Closer
from billing.tenants import close_tenant, end_app, open_app, open_tenant, restore_tenant
from billing.terms.follow import Course, follow
from billing.terms.service import (
    change_plan,
    end_trial,
    set_budget,
    set_over,
    set_override,
    set_thresholds,
    start_trial,
)
from billing.usage.ingest import ingest
from billing.usage.quota import QuotaKeeper
from control_plane import configuration
from control_plane.apps.service import promote_app, rename_app, resume_app, set_guests, suspend_app
from control_plane.keys.api_keys import create_secret_key
from control_plane.keys.signing_keys import create_signing_secret
from control_plane.members.invitations import invite
from control_plane.members.service import change_role
from control_plane.organizations.erasure import erase_due
from control_plane.organizations.ownership import end_offer, offer_ownership
from control_plane.organizations.service import rename_organization
from kernel.contracts import UsageReport
from kernel.errors import NatterError
from tests.billing.customers import customer
from tests.billing.reports import row
from tests.control_plane.fixtures import World

Deed = Callable[[World], Awaitable[Any]]

_HELD = """
    select a.pid, array_remove(array_agg(l.relation::regclass::text || ' ' || l.mode), null) as early
    from pg_stat_activity a left join pg_locks l on l.pid = a.pid and l.mode in ('RowShareLock', 'RowExclusiveLock')
        and l.relation in ('control.apps'::regclass, 'control.organizations'::regclass)
    where $1 = any(pg_blocking_pids(a.pid)) group by a.pid
"""


async def deeds(world: World) -> dict[str, Deed]:
    """By name what is done to one organization with some apps, in the order in which it can be done alone."""
    ada = await customer(world)
    others = [(await world.app(ada.owner, f"App {number}")).app for number in range(3)]
    bob = await world.member(ada.owner, "bob@example.com", "viewer")
    organization, numbers = ada.owner.organization_id, iter(range(10**6))

    def own(use_case: Any, *args: Any, **more: Any) -> Deed:
        async def run(where: World) -> None:
            async with where.deps.change_as(ada.owner, "req_test") as ctx:
                await use_case(ctx, *args, **more)

        return run

    def operate(use_case: Any, *args: Any, **more: Any) -> Deed:
        async def run(where: World) -> None:
            async with where.change() as ctx:
                await use_case(ctx, *args, **more)

        return run

    async def use(where: World) -> None:
        apps = [app for app in (ada.app, *others) if app.shard == ada.app.shard]
        rows = tuple(row(next(numbers), app.public_id, "messages", where.clock.now(), 11_000) for app in apps)
        await ingest(where.deps, ada.relay, UsageReport(source=ada.relay.source, boot="b1", rows=rows))

    async def new_tenant(where: World) -> None:
        async with where.change() as ctx:
            await open_tenant(ctx, email=f"n{next(numbers)}@example.com", organization="New", app="Chat")

    async def new_app(where: World) -> None:
        async with where.deps.change_as(ada.owner, "req_test") as ctx:
            await open_app(ctx, ada.owner, name=f"New {next(numbers)}")

    async def invited(where: World) -> None:
        async with where.deps.change_as(ada.owner, "req_test") as ctx:
            await invite(ctx, ada.owner, email=f"i{next(numbers)}@example.com", role="viewer")

    return {
        "trial": own(start_trial, ada.id, "growth"),
        "trial ends": own(end_trial, ada.id, keep=False),
        "plan": own(change_plan, ada.id, "starter"),
        "followed": operate(follow, ada.id, Course("growth", 1, world.clock.now()), because="test"),
        "override": operate(set_override, ada.id, "messages.included", 10_000, reason="Short"),
        "over": own(set_over, ada.id, "messages", "throttle"),
        "budget": own(set_budget, ada.id, 100_000, "stop"),
        "thresholds": own(set_thresholds, ada.id, [30]),
        "usage": use,
        "standings": lambda where: QuotaKeeper(where.deps).step(),
        "credit": operate(grant_credit, organization, 5, reason="Hello"),
        "months": lambda where: Closer(where.deps).step(),
        "new tenant": new_tenant,
        "new app": new_app,
        "rename app": own(rename_app, ada.id, "Other"),
        "guests": own(set_guests, ada.id, True),
        "suspend": operate(suspend_app, others[0].id, reason="Test"),
        "resume": operate(resume_app, others[0].id),
        "key": own(create_secret_key, others[0].id),
        "signing": own(create_signing_secret, others[0].id),
        "promote": own(promote_app, others[1].id, confirm=others[1].name),
        "delete": own(end_app, others[2].id, confirm=others[2].name),
        "invite": invited,
        "role": own(change_role, ada.owner, bob.account_id, "developer"),
        "offer": own(offer_ownership, ada.owner, bob.account_id),
        "offer ends": own(end_offer, ada.owner),
        "rename": own(rename_organization, ada.owner, "Analytical"),
        "close": own(close_tenant, ada.owner),
        "restore": own(restore_tenant, ada.owner),
        "erase": lambda where: erase_due(where.deps),
    }


async def held_too_early(world: World, deed: Deed) -> list[str] | None:
    """Which locks on rows of apps and organizations it holds when it comes to wait for the configuration's; `None`: it
    never does. Then it is let through."""
    gate = await asyncpg.connect(world.admin_url)
    watcher = await asyncpg.connect(world.admin_url)
    try:
        async with gate.transaction():
            await gate.execute("select version from control.configuration for update")
            task = asyncio.ensure_future(deed(world))
            early = None
            while early is None and not task.done():
                for one in await watcher.fetch(_HELD, gate.get_server_pid()):
                    early = [*(early or []), *one["early"]]
                await asyncio.sleep(0.002)
        await task
    finally:
        await gate.close()
        await watcher.close()
    return early


async def test_who_waits_for_the_configuration_holds_no_row_of_apps_or_organizations(world: World) -> None:
    found = await deeds(world)
    world.clock.advance(datetime(2026, 2, 1, 2, tzinfo=UTC) - world.clock.now())
    held = {name: await held_too_early(world, deed) for name, deed in found.items()}
    assert {name: early for name, early in held.items() if early} == {}
    waited = {name for name, early in held.items() if early is not None}
    assert waited >= {"plan", "budget", "standings", "new app", "new tenant", "suspend", "key", "delete", "close"}


async def test_a_use_case_in_the_wrong_order_is_found(world: World) -> None:
    ada = await customer(world)

    async def wrong(where: World) -> None:
        async with where.change() as ctx:
            await grant_credit(ctx, ada.owner.organization_id, 5, reason="Hello")
            await configuration.advance(ctx.session)

    assert await held_too_early(world, wrong) == ["control.organizations RowShareLock"]


async def test_nothing_of_this_waits_for_another_in_a_circle(world: World, second: World) -> None:
    found = await deeds(world)
    world.clock.advance(datetime(2026, 2, 1, 2, tzinfo=UTC) - world.clock.now())
    log: list[tuple[str, str]] = []

    async def often(name: str, deed: Deed, where: World) -> None:
        for _ in range(2):
            try:
                await deed(where)
            except NatterError:
                pass  # Another one was first.
            except DBAPIError as error:
                log.append((name, str(error.orig)))

    before = await deadlocks(world)
    await asyncio.gather(*(often(name, deed, where) for name, deed in found.items() for where in (world, second)))
    assert log == []
    # Sessions tell the server's statistics when they end.
    await asyncio.gather(world.deps.close(), second.deps.close())
    # Also those that a use case got over by trying again.
    assert await deadlocks(world) == before


async def deadlocks(world: World) -> int:
    """How many the server has counted so far."""
    connection = await asyncpg.connect(world.admin_url)
    try:
        count: int = await connection.fetchval(
            "select deadlocks from pg_stat_database where datname = current_database()"
        )
        return count
    finally:
        await connection.close()
