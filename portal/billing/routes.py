"""The pages of this folder."""

from typing import Final

from litestar.types import ControllerRouterHandler

from portal.billing import bills, invoice, overview

ROUTES: Final[list[ControllerRouterHandler]] = [*overview.ROUTES, *invoice.ROUTES, *bills.ROUTES]
