"""The pages of this folder."""

from typing import Final

from litestar.types import ControllerRouterHandler

from portal.outbox import local, mails

ROUTES: Final[list[ControllerRouterHandler]] = [*mails.ROUTES, *local.ROUTES]
