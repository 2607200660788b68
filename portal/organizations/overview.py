"""`/organizations/{id}`: its apps, and what they have used this month in short."""

from typing import Any, Final

from litestar import Request, Response, get
from litestar.params import FromQuery

from billing.dunning import unpaid_apps
from billing.usage.report import totals_by_app
from control_plane.apps.reads import list_apps
from kernel.clock import month_of
from portal.http.page import page
from portal.http.scope import DepsDependency, MemberDependency

_PAGE: Final = 20
_SEARCH_FROM: Final = 8


@get("/organizations/{organization_id:str}")
async def organization_page(
    request: Request[Any, Any, Any],
    deps: DepsDependency,
    member: MemberDependency,
    search: FromQuery[str] = "",
    cursor: FromQuery[str | None] = None,
) -> Response[Any]:
    now = deps.clock.now()
    async with deps.read(member) as uow:
        apps = await list_apps(uow.session, member, search=search, cursor=cursor, limit=_PAGE)
        used = await totals_by_app(uow.session, member, month_of(now))
        unpaid = await unpaid_apps(uow.session, member.organization_id)
    return page(
        request,
        "organizations/overview.html",
        member=member,
        apps=apps,
        used=used,
        unpaid=unpaid,
        total={meter: sum(counts.get(meter, 0) for counts in used.values()) for meter in ("messages", "mau")},
        month_words=f"{now:%B %Y}",
        search=search,
        cursor=cursor,
        # A search field over three apps would only stand in the way.
        many=bool(search or cursor or apps.next_cursor) or len(apps.items) > _SEARCH_FROM,
    )


ROUTES: Final = [organization_page]
