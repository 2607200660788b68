"""Refusals of a caller. Those of access tokens are in `kernel.security.tokens`."""

from typing import Final

from kernel.errors import Conflict, Forbidden, Unauthenticated

NOBODY: Final = (
    "You are an anonymous visitor, who may read and watch and nothing else. To do this, come in as a guest "
    "(POST /v1/guests) or with a user's token."
)
"""What `AnonymousRefused` says."""


class OriginNotAllowed(Forbidden):
    """The page's origin is not among the app's allowed origins; add it in the app's settings."""

    code = "origin_not_allowed"
    title = "This origin may not use the app"


class AnonymousOff(Unauthenticated):
    """The app lets no anonymous visitors in, so that its publishable key alone opens nothing, or the key is unknown.

    The app's settings in the portal let them in.
    """

    code = "anonymous_off"
    title = "The app lets no anonymous visitors in"


class AnonymousRefused(Forbidden):
    """The caller is an anonymous visitor, who reads and watches what the role `anonymous` may see, and nothing else.
    Let it in as a guest, or with a user's token, for the rest."""

    code = "anonymous_refused"
    title = "Anonymous visitors may not do this"


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
