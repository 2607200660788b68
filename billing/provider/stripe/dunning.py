"""Where the provider tells what is not paid."""

from datetime import datetime
from uuid import UUID

from billing.dunning import observe
from control_plane.context import Context


async def tell(ctx: Context, app_id: UUID, unpaid_since: datetime | None) -> None:
    """Since when an invoice of the app is due and not paid; `None`: nothing is. Told again and again: it is a level."""
    await observe(ctx, app_id, unpaid_since)
