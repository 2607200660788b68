"""Load apps."""

from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from control_plane import configuration
from control_plane.apps.models import App
from kernel.errors import NotFound


async def get(session: AsyncSession, app_id: UUID) -> App:
    """An app that is not deleted. Raises `NotFound`."""
    app = (
        await session.execute(
            select(App).where(App.id == app_id, App.status != "deleted").execution_options(populate_existing=True)
        )
    ).scalar_one_or_none()
    if app is None:
        raise NotFound("There is no such app.")
    return app


async def get_for_change(session: AsyncSession, app_id: UUID) -> App:
    """The app, stamped with a new configuration version and locked until the commit. Raises `NotFound`."""
    await configuration.touch(session, app_id)
    return await get(session, app_id)
