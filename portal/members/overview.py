"""`/organizations/{id}/members`: members, and who is invited."""

from typing import Any, Final

from litestar import Request, Response, get
from litestar.params import FromQuery

from control_plane.members.invitations import list_invitations
from control_plane.members.service import list_members
from portal.http.page import page
from portal.http.scope import DepsDependency, MemberDependency

_SEARCH_FROM: Final = 8


@get("/organizations/{organization_id:str}/members")
async def members_page(
    request: Request[Any, Any, Any],
    deps: DepsDependency,
    member: MemberDependency,
    search: FromQuery[str] = "",
    cursor: FromQuery[str | None] = None,
) -> Response[Any]:
    async with deps.read(member) as uow:
        members = await list_members(uow.session, member, search=search, cursor=cursor, limit=50)
        invitations = await list_invitations(uow.session, member, now=deps.clock.now())
    return page(
        request,
        "members/overview.html",
        member=member,
        members=members,
        invitations=invitations,
        search=search,
        cursor=cursor,
        many=bool(search or cursor or members.next_cursor) or len(members.items) > _SEARCH_FROM,
    )


ROUTES: Final = [members_page]
