"""`/organizations/{id}/audit`."""

from typing import Any, Final
from urllib.parse import urlencode

from litestar import Request, Response, get
from litestar.params import FromQuery
from litestar.types import ControllerRouterHandler

from control_plane.audit.reads import choices, list_entries
from portal.audit.words import action_words, actor_words, detail_words, summary
from portal.http.page import page
from portal.http.scope import DepsDependency, MemberDependency, path_id


@get("/organizations/{organization_id:str}/audit")
async def audit_page(
    request: Request[Any, Any, Any],
    deps: DepsDependency,
    member: MemberDependency,
    actor: FromQuery[str] = "",
    action: FromQuery[str] = "",
    app: FromQuery[str] = "",
    cursor: FromQuery[str | None] = None,
) -> Response[Any]:
    async with deps.read(member) as uow:
        entries = await list_entries(
            uow.session,
            member,
            cursor=cursor,
            actor=actor or None,
            action=action or None,
            app_id=path_id("app", app) if app else None,
        )
        there = await choices(uow.session, member)
    filters = {name: value for name, value in (("actor", actor), ("action", action), ("app", app)) if value}
    return page(
        request,
        "audit/page.html",
        member=member,
        entries=entries,
        actors=[(value, actor_words(value, name)) for value, name in there.actors],
        actions=[(value, action_words(value)) for value in there.actions],
        filters=filters,
        query=urlencode(filters),
        cursor=cursor,
        action_words=action_words,
        actor_words=actor_words,
        detail_words=detail_words,
        summary=summary,
    )


ROUTES: Final[list[ControllerRouterHandler]] = [audit_page]
