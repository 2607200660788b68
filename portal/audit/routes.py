"""`/organizations/{id}/audit`."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Request, Response, get, post
from litestar.params import FromQuery
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from control_plane.audit.chain import head, verify_own
from control_plane.audit.reads import Filters, choices, export, list_entries
from control_plane.audit.service import note_export
from kernel.errors import InvalidInput
from portal.audit.words import action_words, actor_words, detail_words, summary
from portal.http.forms import Form, read_form
from portal.http.page import page
from portal.http.scope import DepsDependency, MemberDependency, VisitDependency, path_id


class FilterForm(Form, frozen=True, kw_only=True):
    """What the page is filtered by, sent along with the wish for a file."""

    actor: str = ""
    action: str = ""
    app: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The filters as they were typed, those that are empty left out, and what they mean."""

    typed: dict[str, str]
    filters: Filters


def choose(form: FilterForm) -> Chosen:
    """Raises `InvalidInput` for what is no day, `NotFound` for what is no app. `until` is the last day that counts."""
    names = ("actor", "action", "app", "since", "until")
    typed = {name: value for name in names if (value := getattr(form, name))}
    last = _day(form.until, "until")
    return Chosen(
        typed,
        Filters(
            actor=form.actor or None,
            action=form.action or None,
            app_id=path_id("app", form.app) if form.app else None,
            since=_day(form.since, "since"),
            until=last + timedelta(days=1) if last is not None else None,
        ),
    )


@get("/organizations/{organization_id:str}/audit")
async def audit_page(
    request: Request[Any, Any, Any],
    deps: DepsDependency,
    member: MemberDependency,
    actor: FromQuery[str] = "",
    action: FromQuery[str] = "",
    app: FromQuery[str] = "",
    since: FromQuery[str] = "",
    until: FromQuery[str] = "",
    cursor: FromQuery[str | None] = None,
    check: FromQuery[str] = "",
) -> Response[Any]:
    """With `check` the whole chain is followed, and what came of it is said."""
    chosen = choose(FilterForm(actor=actor, action=action, app=app, since=since, until=until))
    async with deps.read(member) as uow:
        entries = await list_entries(uow.session, member, cursor=cursor, filters=chosen.filters)
        there = await choices(uow.session, member)
        newest = await head(uow.session, member.organization_id)
        report = await verify_own(uow.session, member) if check else None
    return page(
        request,
        "audit/page.html",
        member=member,
        entries=entries,
        actors=[(value, actor_words(value, name)) for value, name in there.actors],
        actions=[(value, action_words(value)) for value in there.actions],
        filters=chosen.typed,
        query=urlencode(chosen.typed),
        cursor=cursor,
        newest=newest,
        report=report,
        action_words=action_words,
        actor_words=actor_words,
        detail_words=detail_words,
        summary=summary,
    )


@post("/organizations/{organization_id:str}/audit/export", status_code=200)
async def export_audit(
    request: Request[Any, Any, Any], visit: VisitDependency, deps: DepsDependency, member: MemberDependency
) -> Stream:
    """The entries as a file of JSON lines, the oldest first; that it was taken is an entry itself."""
    member.require("audit.read")
    form = await read_form(request, FilterForm)
    chosen = choose(form.data)
    async with deps.change_as(member, visit.request_id) as ctx:
        await note_export(ctx, member, chosen.typed)

    async def lines() -> AsyncIterator[bytes]:
        async for some in export(deps, member, chosen.filters):
            yield some

    name = f"audit-{member.public_organization_id}-{deps.clock.now():%Y-%m-%d}.jsonl"
    return Stream(
        lines,
        media_type="application/jsonl",
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def _day(text: str, field: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise InvalidInput(f"`{field}` must be a day, such as 2026-11-26.", field=field) from None


ROUTES: Final[list[ControllerRouterHandler]] = [audit_page, export_audit]
