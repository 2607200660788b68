"""The pages of this folder."""

from typing import Final

from litestar.types import ControllerRouterHandler

from portal.organizations import closing, new, new_app, overview, settings, transfer, welcome

ROUTES: Final[list[ControllerRouterHandler]] = [
    *welcome.ROUTES,
    *new.ROUTES,
    *overview.ROUTES,
    *new_app.ROUTES,
    *settings.ROUTES,
    *transfer.ROUTES,
    *closing.ROUTES,
]
