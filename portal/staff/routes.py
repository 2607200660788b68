"""The pages of this folder."""

from typing import Final

from litestar.types import ControllerRouterHandler

from portal.staff import webhooks

ROUTES: Final[list[ControllerRouterHandler]] = [*webhooks.ROUTES]
