"""From the credential on a request or a handshake to a `Caller`, out of memory alone."""

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, Final

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers.base import BaseRouteHandler
from litestar.params import SkipValidation

from data_plane.identity.activity import ActivityTracker
from data_plane.identity.caller import AnonymousCaller, Caller, Reader, ServerCaller, UserCaller
from data_plane.identity.errors import NOBODY, AnonymousOff, AnonymousRefused, KeyExpired, OriginNotAllowed
from data_plane.identity.revocations import Revocations
from data_plane.tenancy.key_uses import KeyUses
from data_plane.tenancy.store import SnapshotStore, require_active, require_readable, require_writable
from data_plane.tenancy.unknown_kids import UnknownKids
from kernel.clock import Clock
from kernel.contracts import AppSnapshot
from kernel.errors import Unauthenticated
from kernel.http.operation import changes
from kernel.http.ratelimit import address_of
from kernel.ids import CUSTOMER_ID, app_uuid
from kernel.security import keys
from kernel.security.tokens import (
    LEEWAY,
    MAX_TOKEN_BYTES,
    UNVERIFIED,
    TokenInvalid,
    TokenRevoked,
    names_unknown_key,
    unverified_audience,
    verify_access_token,
)
from kernel.security.vault import Vault

_UNKNOWN_KEY: Final = "The secret key is not valid: it is unknown, was revoked, or is not whole."
REMEMBERED: Final = 16_384
"""Verified tokens that a node knows again by their digest, the oldest forgotten first: a client sends its token with
each request and whenever its connection was cut, and to verify it takes longer than to answer many of them. About
200 bytes each, beside what the client's connection holds anyway."""
_CALLER: Final = "natter.caller"
"""Where a request keeps who was recognised."""
_HOW: Final = "Send `Authorization: Bearer` with a secret key (sk_…) or a user's access token."

Connection = ASGIConnection[Any, Any, Any, Any]


def origin_allowed(app: AppSnapshot, origin: str) -> bool:
    """Whether a page of this origin may use the app."""
    return "*" in app.allowed_origins or origin.lower() in app.allowed_origins


def check_origin(app: AppSnapshot, origin: str | None) -> None:
    """Raise `OriginNotAllowed` for an `Origin` header that the app does not allow. None comes from no browser."""
    if origin is not None and not origin_allowed(app, origin):
        raise OriginNotAllowed(
            "This page's origin is not among the app's allowed origins. Add it in the app's settings.",
            origin=origin[:200],
        )


class Authenticator:
    """Recognises callers. Every method is synchronous and reads memory only."""

    def __init__(
        self,
        snapshots: SnapshotStore,
        revocations: Revocations,
        vault: Vault,
        clock: Clock,
        uses: KeyUses | None = None,
        unknown: UnknownKids | None = None,
    ) -> None:
        self._uses = uses or KeyUses(clock)
        self._unknown = unknown or UnknownKids(clock)
        self._snapshots = snapshots
        self._revocations = revocations
        self._pepper = vault.key("secret-keys")
        self._clock = clock
        self._verified: dict[bytes, UserCaller] = {}

    def bearer(
        self,
        credential: str | None,
        *,
        key: str | None = None,
        origin: str | None = None,
        address: Callable[[], str] = str,
    ) -> Reader:
        """The one behind a secret key, an access token or a publishable key, who is known by its `address` alone.

        Raises as `secret_key`, `token` and `anonymous` do.
        """
        if not credential:
            raise Unauthenticated(_HOW)
        if credential.startswith("sk_"):
            return self.secret_key(credential, origin=origin)
        if credential.startswith("pk_"):
            return self.anonymous(credential, origin=origin, address=address())
        if credential.startswith(("rt_", "nk_")):
            raise Unauthenticated(f"A key that begins with {credential[:3]} does not open this. {_HOW}")
        return self.token(credential, key=key, origin=origin)

    def _still_holds(self, caller: UserCaller) -> bool:
        """Whether all is as it was when the token of this caller was verified: the app's snapshot, with its keys and
        status, is the same one, the token's time is not over, and its user was not revoked."""
        issued_at, expires_at = caller.token_issued_at, caller.token_expires_at
        if issued_at is None or expires_at is None:
            return False
        return (
            self._snapshots.get(caller.app_id) is caller.app
            and self._clock.now() < expires_at + LEEWAY
            and not self._revocations.is_revoked(caller.app_id, caller.user_id, issued_at)
        )

    def secret_key(self, key: str, *, origin: str | None = None) -> ServerCaller:
        """The customer's server. Raises `Unauthenticated`, `KeyExpired`, `AppSuspended`, `AppDeleted` or
        `OriginNotAllowed`."""
        # The checksum first: a mistyped key costs nothing more.
        if not keys.well_formed("sk", key):
            raise Unauthenticated(_UNKNOWN_KEY)
        found = self._snapshots.by_secret_digest(keys.digest(self._pepper, key))
        if found is None:
            raise Unauthenticated(_UNKNOWN_KEY)
        app, secret = found
        if secret.expires_at is not None and secret.expires_at <= self._clock.now():
            raise KeyExpired("This secret key has expired; use the one that replaced it.")
        require_readable(app)
        check_origin(app, origin)
        self._uses.note(secret.id)
        return ServerCaller(app=app, app_id=app_uuid(app.app_id), key_id=secret.id, scopes=secret.scopes)

    def anonymous(self, key: str, *, address: str, origin: str | None = None) -> AnonymousCaller:
        """Nobody, with a publishable key alone. Raises `AnonymousOff`, `AppSuspended`, `AppDeleted` or
        `OriginNotAllowed`."""
        app = self._snapshots.by_publishable_key(key)
        # First, so that the key of an app that is closed to visitors is answered as one that does not exist.
        if app is None or not app.anonymous:
            raise AnonymousOff(
                "A publishable key (pk_…) alone opens an app that lets anonymous visitors in, as its settings in the "
                f"portal say. This one does not, or the key is unknown here. {_HOW}"
            )
        require_active(app)
        check_origin(app, origin)
        return AnonymousCaller(app=app, app_id=app_uuid(app.app_id), key=key, address=address)

    def token(self, token: str, *, key: str | None = None, origin: str | None = None) -> UserCaller:
        """A user. The app is the one that `key` (pk_…) names, else the one that the token says it is for.

        Raises `TokenInvalid`, `TokenExpired`, `TokenRevoked`, `AppSuspended`, `AppDeleted` or `OriginNotAllowed`.
        """
        if len(token) > MAX_TOKEN_BYTES:
            raise TokenInvalid("The token is too long.")
        named = self.app_of_key(key) if key is not None else None
        digest = sha256(token.encode()).digest()
        caller = self._verified.get(digest)
        if caller is not None and (named is None or named is caller.app) and self._still_holds(caller):
            check_origin(caller.app, origin)
            return caller
        caller = self._verify(token, named or self._app_of_token(token), origin)
        self._verified.pop(digest, None)
        if len(self._verified) >= REMEMBERED:
            del self._verified[next(iter(self._verified))]
        self._verified[digest] = caller
        return caller

    def _verify(self, token: str, app: AppSnapshot, origin: str | None) -> UserCaller:
        app_id = app_uuid(app.app_id)
        now = self._clock.now()
        signing = self._snapshots.signing_keys(app_id)
        try:
            verified = verify_access_token(token, signing, app_id=app.app_id, now=now)
        except TokenInvalid:
            if names_unknown_key(token, signing):
                self._unknown.note(app.app_id)
            raise
        if not CUSTOMER_ID.fullmatch(verified.user_id):
            raise TokenInvalid("The token's `sub` must be a user id: 1 to 64 characters of A-Z a-z 0-9 _ . @ -")
        require_active(app)
        check_origin(app, origin)
        if self._revocations.is_revoked(app_id, verified.user_id, verified.issued_at):
            raise TokenRevoked("The user's tokens were revoked; get a new one from your server.")
        return UserCaller(
            app=app,
            app_id=app_id,
            user_id=verified.user_id,
            token_issued_at=verified.issued_at,
            token_expires_at=verified.expires_at,
        )

    def app_of_key(self, key: str) -> AppSnapshot:
        """The app that a publishable key names. Raises `Unauthenticated`."""
        app = self._snapshots.by_publishable_key(key)
        if app is None:
            raise Unauthenticated("The publishable key (pk_…) is unknown here.")
        return app

    def _app_of_token(self, token: str) -> AppSnapshot:
        try:
            audience = unverified_audience(token)
        except (ValueError, RecursionError) as error:
            raise TokenInvalid("The token is not a JWT.") from error
        app = self._snapshots.get(audience) if audience is not None else None
        if app is None:
            raise TokenInvalid(UNVERIFIED)
        return app


def callers_first(authenticator: Authenticator) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    """A Litestar guard for routes that ask for a caller: nobody else gets to hear what is wrong with a request.

    It refuses what changes something of an app that is read-only.
    """

    # Not a plain function: Litestar would run it on a thread.
    async def recognise(connection: Connection, handler: BaseRouteHandler) -> None:
        wanted = handler.parsed_fn_signature.parameters
        if "reader" in wanted:
            reader = _recognise(connection, authenticator)
        elif "caller" in wanted:
            reader = somebody(_recognise(connection, authenticator))
        else:
            return
        connection.scope["state"][_CALLER] = reader
        if reader.app.access != "full" and changes(handler):
            require_writable(reader.app)

    return recognise


def recognised(connection: Connection) -> Reader | None:
    """Who `callers_first` has recognised; null where the route asks for nobody."""
    reader: Reader | None = connection.scope["state"].get(_CALLER)
    return reader


def somebody(reader: Reader) -> Caller:
    """Who may act. Raises `AnonymousRefused` for a visitor who is nobody."""
    if isinstance(reader, AnonymousCaller):
        raise AnonymousRefused(NOBODY)
    return reader


async def provide_reader(
    request: Request[Any, Any, Any],
    authenticator: NamedDependency[SkipValidation[Authenticator]],
    activity: NamedDependency[SkipValidation[ActivityTracker]],
) -> Reader:
    """A Litestar dependency: who reads by a REST request. A user is counted as active before the answer."""
    reader = recognised(request) or _recognise(request, authenticator)
    await count_as_active(activity, reader)
    return reader


async def provide_caller(
    request: Request[Any, Any, Any],
    authenticator: NamedDependency[SkipValidation[Authenticator]],
    activity: NamedDependency[SkipValidation[ActivityTracker]],
) -> Caller:
    """The same for a route that wants somebody. Raises `AnonymousRefused`."""
    return somebody(await provide_reader(request, authenticator, activity))


async def count_as_active(activity: ActivityTracker, reader: Reader) -> None:
    """Count a user in its month, before it is served. A server is none, nor is who is nobody."""
    if isinstance(reader, UserCaller) and reader.token_issued_at is not None:
        await activity.touch(reader.app, reader.app_id, reader.user_id, reader.token_issued_at)


def _recognise(connection: Connection, authenticator: Authenticator) -> Reader:
    scheme, _, credential = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        raise Unauthenticated(_HOW)
    return authenticator.bearer(
        credential.strip(),
        origin=connection.headers.get("origin"),
        address=lambda: address_of(connection.scope),
    )
