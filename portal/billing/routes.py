"""The pages of this folder."""

from typing import Final

from litestar.types import ControllerRouterHandler

from portal.billing import bills, details, invoice, overview

ROUTES: Final[list[ControllerRouterHandler]] = [
    *overview.ROUTES,
    *details.ROUTES,
    *invoice.ROUTES,
    *bills.ROUTES,
]
