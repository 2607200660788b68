"""Apps as a page reads them: those of the member's organization, by row-level security and by the query."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane.apps.models import App
from control_plane.members.scope import Member
from control_plane.paging import Page, pattern
from kernel.errors import NotFound
from kernel.ids import parse_id


async def list_apps(
    session: AsyncSession, member: Member, *, search: str = "", cursor: str | None = None, limit: int = 50
) -> Page[App]:
    """The organization's apps, newest first; `search` is looked for in names. Raises `Forbidden`, `InvalidInput`."""
    member.require("apps.read")
    query = select(App).where(App.organization_id == member.organization_id, App.status != "deleted")
    if search.strip():
        query = query.where(App.name.ilike(pattern(search), escape="\\"))
    if cursor is not None:
        query = query.where(App.id < parse_id("app", cursor, field="cursor"))
    apps = list((await session.execute(query.order_by(App.id.desc()).limit(limit + 1))).scalars())
    return Page(apps[:limit], apps[limit - 1].public_id if len(apps) > limit else None)


async def get_app(session: AsyncSession, member: Member, app_id: UUID) -> App:
    """One app of the organization. Raises `Forbidden`, and the same `NotFound` for another's app and for none."""
    member.require("apps.read")
    query = select(App).where(App.id == app_id, App.organization_id == member.organization_id, App.status != "deleted")
    app = (await session.execute(query)).scalar_one_or_none()
    if app is None:
        raise NotFound()
    return app
