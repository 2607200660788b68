"""Who may connect: tokens, origins, the plan's limits."""

from data_plane.identity.authenticate import Authenticator, check_origin
from data_plane.identity.caller import AnonymousCaller, Client, UserCaller
from data_plane.limits.limiter import Limiter
from data_plane.tenancy.connections import ConnectionQuota
from data_plane.tenancy.quotas import check_new_active, new_active_refused
from data_plane.tenancy.user_connections import UserConnections
from kernel.clock import Clock
from kernel.errors import Forbidden


class KeyRequired(Forbidden):
    """A browser's handshake must name its app, so that the page's origin can be checked against the app's."""

    code = "key_required"
    title = "The publishable key is missing"


class NodeGate:
    """The `Gate` of a node."""

    def __init__(
        self,
        authenticator: Authenticator,
        connections: ConnectionQuota,
        users: UserConnections,
        addresses: UserConnections,
        limiter: Limiter,
        clock: Clock,
    ) -> None:
        self._authenticator = authenticator
        self._connections = connections
        self._users = users
        self._addresses = addresses
        self._limiter = limiter
        self._clock = clock

    def check_origin(self, key: str | None, origin: str | None) -> None:
        """Raise unless a handshake of this origin may go on. Without an `Origin` header it is no browser's."""
        if origin is None:
            return
        if key is None:
            raise KeyRequired(
                "Connect with your publishable key: io(url, { query: { key: 'pk_…' }, auth: { token } })."
            )
        check_origin(self._authenticator.app_of_key(key), origin)

    def authenticate(self, token: str, key: str | None) -> UserCaller:
        """The user of a token, for the app that the handshake's key names, if it names one."""
        return self._authenticator.token(token, key=key)

    def anonymous(self, key: str | None, address: str) -> AnonymousCaller:
        """Nobody, for the app that the handshake's key names: the one key whose origins were checked."""
        if key is None:
            raise KeyRequired(
                "Connect with your publishable key: io(url, { query: { key: 'pk_…' }, auth: { anonymous: true } })."
            )
        return self._authenticator.anonymous(key, address=address)

    async def admit(self, caller: Client) -> bool:
        """Count the connection; whether users new this month are refused. Raises `QuotaExceeded` for the app,
        `TooManyConnections` for the user or the address, `RateLimited` for a visitor's address, and what `anonymous`
        raises, for a visitor."""
        if isinstance(caller, AnonymousCaller):
            await self._admit_nobody(caller)
            return False
        await self._connections.acquire(caller.app)
        try:
            await self._users.acquire(caller.app_id, caller.user_id)
        except BaseException:
            self._connections.release(caller.app_id)
            raise
        return check_new_active(caller.app, self._clock.now())

    async def _admit_nobody(self, caller: AnonymousCaller) -> None:
        await self._limiter.admit(self._limiter.visitor_buckets(caller.app, caller.address))
        await self._connections.acquire(caller.app, for_nobody=True)
        try:
            await self._addresses.acquire(caller.app_id, caller.address)
        except BaseException:
            self._connections.release(caller.app_id)
            raise
        try:
            # The app may have closed its door meanwhile, and from here to the registry there is no wait any more.
            self._authenticator.anonymous(caller.key, address=caller.address)
        except BaseException:
            self.release(caller)
            raise

    def release(self, caller: Client) -> None:
        """The connection is over."""
        self._connections.release(caller.app_id)
        if isinstance(caller, AnonymousCaller):
            self._addresses.release(caller.app_id, caller.address)
            return
        self._users.release(caller.app_id, caller.user_id)

    def over_quota(self, caller: UserCaller) -> Exception:
        """Why a user who is new this month was refused."""
        return new_active_refused(caller.app, self._clock.now())
