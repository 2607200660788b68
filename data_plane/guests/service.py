"""Let a guest in: a user with the app role `guest`, and its tokens."""

from data_plane.grants.defaults import GUEST
from data_plane.guests.errors import GuestsOff
from data_plane.guests.schemas import guest_name
from data_plane.guests.views import GuestView
from data_plane.identity.authenticate import Authenticator, check_origin
from data_plane.identity.tokens.mint import mint_tokens
from data_plane.identity.tokens.pair import minting_key
from data_plane.limits.limiter import Limiter
from data_plane.limits.policies import GUESTS_APP
from data_plane.shard import Shard
from data_plane.tenancy.quotas import check_new_active, new_active_refused
from data_plane.tenancy.store import require_active, require_writable
from data_plane.users.schemas import PutUser
from data_plane.users.views import user_view
from data_plane.users.write import put_user
from kernel.ids import app_uuid


class Guests:
    """The use case of one node."""

    def __init__(self, shard: Shard, authenticator: Authenticator, limiter: Limiter) -> None:
        self._shard = shard
        self._authenticator = authenticator
        self._limiter = limiter

    async def create(self, key: str, name: str | None, *, origin: str | None) -> GuestView:
        """A new guest of the app that the publishable key names. It counts as active once it uses its token.

        Raises `Unauthenticated`, `AppSuspended`, `AppDeleted`, `AppReadOnly`, `OriginNotAllowed`, `GuestsOff`,
        `NoSigningKey`, `QuotaExceeded` when the plan takes no new active users, `RateLimited` when the app has had
        many guests lately.
        """
        app = self._authenticator.app_of_key(key)
        require_active(app)
        require_writable(app)
        check_origin(app, origin)
        if not app.guests:
            raise GuestsOff("This app lets no guests in; its settings in the portal can change that.")
        minting_key(app)
        now = self._shard.clock.now()
        if check_new_active(app, now):
            raise new_active_refused(app, now)
        bucket = self._limiter.bucket(app, GUESTS_APP, "")
        if not self._limiter.try_pass((bucket,)):
            await self._limiter.admit((bucket,))
        app_id, user_id = app_uuid(app.app_id), self._shard.ids.new(GUEST)
        profile = PutUser(name=guest_name(name), role=GUEST)
        async with self._shard.unit_of_work(app_id) as uow:
            made = await put_user(self._shard, uow, app_id, user_id, profile, actor=None)
            pair = await mint_tokens(self._shard, uow, app, user_id)
        return {**pair.view(), "user": user_view(made.user)}
