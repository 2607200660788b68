"""Write audit entries."""

from typing import Any
from uuid import UUID

from control_plane.audit.models import AuditEntry
from control_plane.context import Context
from control_plane.members.scope import Member


async def record(
    ctx: Context,
    action: str,
    target: str,
    *,
    organization_id: UUID | None = None,
    app_id: UUID | None = None,
    **data: Any,
) -> None:
    """Add an entry to the transaction. `action` is `noun.verb`; `data` must be JSON and hold no secret."""
    ctx.session.add(
        AuditEntry(
            id=ctx.ids.uuid7(),
            at=ctx.now,
            actor=ctx.actor.name,
            action=action,
            target=target,
            organization_id=organization_id,
            app_id=app_id,
            request_id=ctx.actor.request_id,
            data=data,
        )
    )
    await ctx.session.flush()


async def note_export(ctx: Context, member: Member, filters: dict[str, str]) -> None:
    """That somebody took a copy of the log. Raises `Forbidden`."""
    member.require("audit.read")
    target = member.public_organization_id
    await record(ctx, "audit.exported", target, organization_id=member.organization_id, filters=filters)
