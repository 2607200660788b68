"""The sweep finds what it is for: each test plants a defect that somebody could write, and sees the sweep fail."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from litestar import Request, Response, get, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from sqlalchemy import text

import portal.app
from control_plane.apps.service import rename_app
from control_plane.context import Actor
from kernel.errors import Forbidden, NotFound
from portal.http.guard import public
from portal.http.page import redirect
from portal.http.scope import AppScopeDependency, DepsDependency, PersonDependency, VisitDependency, path_id
from tests.invariants.answers import Leak
from tests.invariants.coverage import operations, uncovered
from tests.invariants.management.pages import PAGES, Inside
from tests.invariants.management.visits import Visits
from tests.invariants.management.world import World, client

APP = ("GET", "/apps/{app_id}")
RENAME = ("POST", "/apps/{app_id}/settings/name")


@contextmanager
def planted_in(world: World, *planted: ControllerRouterHandler) -> Iterator[Any]:
    """The management application with these pages in the place of its own for the same paths and methods."""
    taken = {(path, method) for handler in planted for path in handler.paths for method in handler.http_methods}
    kept = portal.app.PAGES
    with pytest.MonkeyPatch.context() as patch:
        own = [each for each in kept if not taken & {(path, verb) for path in each.paths for verb in each.http_methods}]
        patch.setattr(portal.app, "PAGES", [*own, *planted])
        yield world.again()


@asynccontextmanager
async def visiting(world: World, *planted: ControllerRouterHandler) -> AsyncIterator[Visits]:
    with planted_in(world, *planted) as application:
        async with client(world, application) as http:
            yield Visits(world, http)


async def sweep(world: World, operation: tuple[str, str], visitor: str, *planted: ControllerRouterHandler) -> None:
    async with visiting(world, *planted) as visits:
        for entry in PAGES[operation]:
            assert isinstance(entry, Inside)
            await visits.sweep(operation, entry, world.visitors[visitor])


@pytest.mark.parametrize("visitor", ["stranger", "former member", "staff", "nobody", "machine's owner"])
async def test_what_is_not_planted_passes(world: World, visitor: str) -> None:
    await sweep(world, APP, visitor)


async def test_a_page_that_reads_by_id_alone(world: World) -> None:
    @get("/apps/{app_id:str}")
    async def leaky(app_id: FromPath[str], person: PersonDependency, deps: DepsDependency) -> Response[str]:
        async with deps.database.unit_of_work(read_only=True) as uow:
            name = await uow.session.scalar(APP_NAME, {"id": path_id("app", app_id)})
        if name is None:
            raise NotFound()
        return Response(name)

    with pytest.raises(Leak, match="shows what is another tenant's"):
        await sweep(world, APP, "stranger", leaky)


APP_NAME = text("select name from control.apps where id = :id")


@get("/apps/{app_id:str}")
async def forgets_the_organization(
    app_id: FromPath[str], person: PersonDependency, deps: DepsDependency, visit: VisitDependency
) -> Response[str]:
    """Reads as a page does, under row-level security, in an organization of the visitor's; its query names none."""
    from control_plane.members.scope import scopes_of

    async with deps.database.unit_of_work(read_only=True) as uow:
        own = await scopes_of(uow.session, person.account_id)
    async with deps.read(own[0]) as uow:
        name = await uow.session.scalar(APP_NAME, {"id": path_id("app", app_id)})
    if name is None:
        raise NotFound()
    return Response(name)


async def test_the_database_makes_up_for_a_query_that_forgets_the_organization(world: World) -> None:
    await world.house()
    await sweep(world, APP, "stranger", forgets_the_organization)


async def test_a_query_that_forgets_the_organization_on_a_table_without_row_level_security(world: World) -> None:
    await world.house()
    await world.database.execute("alter table control.apps disable row level security")
    try:
        with pytest.raises(Leak, match="shows what is another tenant's"):
            await sweep(world, APP, "stranger", forgets_the_organization)
    finally:
        await world.database.execute("alter table control.apps enable row level security")


async def test_another_status_for_what_is_somebodys(world: World) -> None:
    @get("/apps/{app_id:str}")
    async def leaky(app_id: FromPath[str], person: PersonDependency, deps: DepsDependency) -> None:
        async with deps.database.unit_of_work(read_only=True) as uow:
            known = await uow.session.scalar(APP_NAME, {"id": path_id("app", app_id)})
        raise Forbidden() if known else NotFound()

    for visitor in ("stranger", "staff", "former member"):
        with pytest.raises(Leak, match="is told from nothing"):
            await sweep(world, APP, visitor, leaky)


async def test_a_form_that_acts_before_it_asks_who_it_is(world: World) -> None:
    @post("/apps/{app_id:str}/settings/name")
    async def leaky(app_id: FromPath[str], person: PersonDependency, deps: DepsDependency) -> None:
        async with deps.change(Actor("account:planted")) as ctx:
            await ctx.session.execute(RENAME_ANY, {"id": path_id("app", app_id)})
        raise NotFound()

    name = await world.database.fetchval("select name from control.apps where organization_id = $1", world.victim.id)
    with pytest.raises(Leak, match=r"changed another tenant's rows in control\.apps"):
        await sweep(world, RENAME, "stranger", leaky)
    await world.database.execute("update control.apps set name = $1 where organization_id = $2", name, world.victim.id)


RENAME_ANY = text("update control.apps set name = 'planted' where id = :id")


async def test_a_page_that_is_open_by_mistake(world: World) -> None:
    @public
    @get("/apps/{app_id:str}")
    async def leaky(app_id: FromPath[str], deps: DepsDependency) -> Response[str]:
        async with deps.database.unit_of_work(read_only=True) as uow:
            known = await uow.session.scalar(APP_NAME, {"id": path_id("app", app_id)})
        return Response("there" if known else "not there")

    with pytest.raises(Leak, match="is told from nothing"):
        await sweep(world, APP, "nobody", leaky)


async def test_an_action_that_forgets_the_role(world: World) -> None:
    @post("/apps/{app_id:str}/settings/name")
    async def leaky(
        request: Request[Any, Any, Any], visit: VisitDependency, app_scope: AppScopeDependency, deps: DepsDependency
    ) -> Response[Any]:
        async with deps.change_as(app_scope.member, visit.request_id) as ctx:
            await rename_app(ctx, app_scope.app.id, "Renamed by anybody")
        return redirect(request, "/")

    entry = PAGES[RENAME][0]
    assert isinstance(entry, Inside)
    async with visiting(world, leaky) as visits:
        await visits.try_role(RENAME, entry, "developer")
        with pytest.raises(Leak, match="as viewer: answered 303, not 403"):
            await visits.try_role(RENAME, entry, "viewer")


async def test_an_action_that_refuses_after_it_acted(world: World) -> None:
    @post("/apps/{app_id:str}/settings/name")
    async def leaky(visit: VisitDependency, app_scope: AppScopeDependency, deps: DepsDependency) -> None:
        async with deps.change_as(app_scope.member, visit.request_id) as ctx:
            await rename_app(ctx, app_scope.app.id, "Renamed by anybody")
        app_scope.member.require("apps.update")

    entry = PAGES[RENAME][0]
    assert isinstance(entry, Inside)
    async with visiting(world, leaky) as visits:
        with pytest.raises(Leak, match=r"as viewer: changed another tenant's rows in control\.apps"):
            await visits.try_role(RENAME, entry, "viewer")


async def test_an_action_that_does_nothing_would_prove_nothing(world: World) -> None:
    @post("/apps/{app_id:str}/settings/name")
    async def idle(request: Request[Any, Any, Any], app_scope: AppScopeDependency) -> Response[Any]:
        app_scope.member.require("apps.update")
        return redirect(request, "/")

    entry = PAGES[RENAME][0]
    assert isinstance(entry, Inside)
    async with visiting(world, idle) as visits:
        with pytest.raises(Leak, match="did nothing"):
            await visits.try_role(RENAME, entry, "owner")


def test_a_page_that_nobody_said_a_word_about(world: World) -> None:
    @get("/secrets/{secret_id:str}")
    async def planted(secret_id: FromPath[str]) -> None: ...

    with planted_in(world, planted) as application, pytest.raises(Leak, match=r"GET.*/secrets/\{secret_id\}"):
        uncovered("management routes", list(operations(application)), PAGES, "pages.py")


def test_an_entry_of_a_page_that_is_gone(world: World) -> None:
    there = [each for each in operations(world.application) if each != APP]
    with pytest.raises(Leak, match="are no more"):
        uncovered("management routes", there, PAGES, "pages.py")
