"""What billing lets an app's nodes do, beside the app's own status and its organization's: the strictest counts."""

from typing import Literal
from uuid import UUID

from sqlalchemy import update

from control_plane import configuration
from control_plane.apps.models import App
from control_plane.context import Context
from kernel.contracts import Access

Hold = Literal["read_only", "suspended", "export"]
"""`read_only`: nothing may change. `suspended`: nobody is served. `export`: the customer's servers alone, to read."""


async def set_hold(ctx: Context, app_id: UUID, hold: Hold | None) -> None:
    """Hold an app or let it go; its nodes hear at once. The caller writes the audit entry. Raises `NotFound`."""
    await configuration.touch(ctx.session, app_id)
    statement = update(App).where(App.id == app_id).values(hold=hold)
    await ctx.session.execute(statement.execution_options(synchronize_session=False))


def effective(status: str, hold: str | None, *, closed: bool) -> tuple[str, Access]:
    """The status and access that nodes get. `closed`: its organization is.

    Who is suspended by an operator or with its organization has no export window at the nodes: that is a reason of
    another kind, and paying does not lift it.
    """
    if status != "active":
        return status, "full"
    if closed or hold == "suspended":
        return "suspended", "full"
    if hold == "export":
        return "suspended", "export"
    return "active", "read_only" if hold == "read_only" else "full"
