"""`/staff/webhooks`: events of Stripe that could not be worked off, what Stripe refused to do, and the buttons that try
them again."""

from collections.abc import Awaitable, Callable
from typing import Any, Final
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.params import FromPath, FromQuery

from billing.provider.stripe.inbox import backlog, reads, replay
from billing.provider.stripe.refused import ask_again, count_refused, let_be, refused
from control_plane.context import Actor, Context
from portal.http.forms import Form, read_form
from portal.http.guard import confirmed, for_staff
from portal.http.page import page, redirect
from portal.http.scope import PersonDependency, VisitDependency, load_organizations

PATH: Final = "/staff/webhooks"


@for_staff
@get(PATH)
async def show_webhooks(
    request: Request[Any, Any, Any],
    visit: VisitDependency,
    person: PersonDependency,
    cursor: FromQuery[str | None] = None,
    refused_cursor: FromQuery[str | None] = None,
) -> Response[Any]:
    """What failed for good, what waits, and why."""
    await load_organizations(visit, person)
    async with visit.deps.database.unit_of_work(read_only=True) as uow:
        letters = await reads(uow.session, cursor=cursor)
        counts = await backlog(uow.session)
        commands = await refused(uow.session, cursor=refused_cursor)
        counts["refused"] = await count_refused(uow.session)
    return page(
        request,
        "staff/webhooks.html",
        letters=letters,
        counts=counts,
        cursor=cursor,
        commands=commands,
        refused_cursor=refused_cursor,
        connected=visit.deps.settings.billing == "stripe",
        path=PATH,
    )


async def _do(
    request: Request[Any, Any, Any],
    visit: VisitDependency,
    person: PersonDependency,
    act: Callable[[Context], Awaitable[None]],
    words: str,
) -> Response[Any]:
    await read_form(request, Form)
    async with visit.deps.change(Actor(person.actor, visit.request_id)) as ctx:
        await act(ctx)
    visit.flash(words)
    return redirect(request, PATH)


@for_staff
@confirmed
@post(PATH + "/{event_id:str}/replay")
async def submit_replay(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency, event_id: FromPath[str]
) -> Response[Any]:
    """Let the worker try an event again, from the beginning."""
    return await _do(request, visit, person, lambda ctx: replay(ctx, event_id), "The event is tried again now.")


@for_staff
@confirmed
@post(PATH + "/refused/{command_id:uuid}/again")
async def submit_again(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency, command_id: FromPath[UUID]
) -> Response[Any]:
    """Ask Stripe once more for what it refused."""
    return await _do(request, visit, person, lambda ctx: ask_again(ctx, command_id), "Stripe is asked again now.")


@for_staff
@confirmed
@post(PATH + "/refused/{command_id:uuid}/drop")
async def submit_drop(
    request: Request[Any, Any, Any], visit: VisitDependency, person: PersonDependency, command_id: FromPath[UUID]
) -> Response[Any]:
    """Let be what Stripe refused."""
    words = "It is let be. The audit log keeps that it was asked for."
    return await _do(request, visit, person, lambda ctx: let_be(ctx, command_id), words)


ROUTES: Final = [show_webhooks, submit_replay, submit_again, submit_drop]
