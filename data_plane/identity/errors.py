"""Refusals of a caller. Those of access tokens are in `kernel.security.tokens`."""

from kernel.errors import Conflict, Forbidden, Unauthenticated


class OriginNotAllowed(Forbidden):
    """The page's origin is not among the app's allowed origins; add it in the app's settings."""

    code = "origin_not_allowed"
    title = "This origin may not use the app"


class KeyExpired(Unauthenticated):
    """The secret key's time is over; use the key that replaced it."""

    code = "key_expired"
    title = "The secret key has expired"


class MissingScope(Forbidden):
    """The secret key was made without the scope that this call needs, named in `scope`."""

    code = "missing_scope"
    title = "The secret key may not do this"


class UserDeactivated(Forbidden):
    """The user was deactivated and gets no tokens and no service."""

    code = "user_deactivated"
    title = "The user is deactivated"


class NoSigningKey(Conflict):
    """The app has no signing key that mints; make one in the portal, or sign tokens on your own server."""

    code = "no_signing_key"
    title = "The app has no key to sign tokens with"


class RefreshInvalid(Unauthenticated):
    """The refresh token is unknown, expired or revoked; get a new pair from your server."""

    code = "refresh_invalid"
    title = "The refresh token is not valid"


class RefreshReused(Unauthenticated):
    """An already replaced refresh token came again, so all that descend from the same sign-in were revoked."""

    code = "refresh_reused"
    title = "The refresh token was used before"
