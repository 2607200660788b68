"""A user as everybody in the app sees it."""

from typing import Any

from data_plane.users.models import User
from kernel.clock import rfc3339


def user_view(user: User) -> dict[str, Any]:
    """`{id, name, image, role, custom, created_at, updated_at, deactivated_at}`."""
    return {
        "id": user.id,
        "name": user.name,
        "image": user.image,
        "role": user.role,
        "custom": user.custom,
        "created_at": rfc3339(user.created_at),
        "updated_at": rfc3339(user.updated_at),
        "deactivated_at": rfc3339(user.deactivated_at) if user.deactivated_at is not None else None,
    }
