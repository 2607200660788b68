"""The pages of this folder."""

from typing import Final

from litestar.types import ControllerRouterHandler

from portal.accounts import (
    addresses,
    confirm,
    profile,
    reset,
    security,
    sessions,
    sign_in,
    sign_up,
    start,
    theme,
    two_step,
    verify,
)

ROUTES: Final[list[ControllerRouterHandler]] = [
    *start.ROUTES,
    *sign_up.ROUTES,
    *verify.ROUTES,
    *sign_in.ROUTES,
    *reset.ROUTES,
    *confirm.ROUTES,
    *profile.ROUTES,
    *security.ROUTES,
    *two_step.ROUTES,
    *addresses.ROUTES,
    *sessions.ROUTES,
    *theme.ROUTES,
]
