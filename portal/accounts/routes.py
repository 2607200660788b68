"""The pages of this folder."""

from typing import Final

from litestar.types import ControllerRouterHandler

from portal.accounts import profile, reset, sessions, sign_in, sign_up, start, theme, verify

ROUTES: Final[list[ControllerRouterHandler]] = [
    *start.ROUTES,
    *sign_up.ROUTES,
    *verify.ROUTES,
    *sign_in.ROUTES,
    *reset.ROUTES,
    *profile.ROUTES,
    *sessions.ROUTES,
    *theme.ROUTES,
]
