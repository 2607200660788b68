"""A membership as others see it."""

from typing import Any

from data_plane.members.models import MemberRow
from kernel.clock import rfc3339


def member_view(row: MemberRow) -> dict[str, Any]:
    """`{user_id, role, joined_at}`: in lists and in `member.added`."""
    return {"user_id": row.user_id, "role": row.role, "joined_at": rfc3339(row.joined_at)}
