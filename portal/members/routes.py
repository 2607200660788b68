"""The pages of this folder."""

from typing import Final

from litestar.types import ControllerRouterHandler

from portal.members import accept, invite, leave, overview, person

ROUTES: Final[list[ControllerRouterHandler]] = [
    *overview.ROUTES,
    *invite.ROUTES,
    *person.ROUTES,
    *leave.ROUTES,
    *accept.ROUTES,
]
