"""Tokens as routes use them: each call is one transaction, answered after its commit."""

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from data_plane.identity.caller import Caller
from data_plane.identity.errors import RefreshInvalid, RefreshReused
from data_plane.identity.revocations import Revocations
from data_plane.identity.tokens import refresh_token
from data_plane.identity.tokens.mint import mint_tokens
from data_plane.identity.tokens.pair import TokenPair
from data_plane.identity.tokens.revoke import revoke_user
from data_plane.identity.tokens.rotate import UNKNOWN, Reused, rotate_tokens
from data_plane.shard import Shard
from data_plane.tenancy.store import SnapshotStore, require_active

PublishRevocation = Callable[[UUID, str, datetime], None]
"""Tells the other nodes `(app, user, valid_after)`; may lose it, for they also look for themselves. Never raises."""


class TokenService:
    """Mints, rotates and revokes for the apps of one shard."""

    def __init__(
        self, shard: Shard, snapshots: SnapshotStore, revocations: Revocations, publish_revocation: PublishRevocation
    ) -> None:
        self._shard = shard
        self._snapshots = snapshots
        self._revocations = revocations
        self._publish = publish_revocation

    async def mint(self, caller: Caller, user_id: str, lifetime: timedelta) -> TokenPair:
        """A new pair for one of the app's users. Raises `UserDeactivated`, `NoSigningKey` or `AppSuspended`."""
        # Its servers may read a while longer than its users.
        require_active(caller.app)
        async with self._shard.unit_of_work(caller.app_id) as uow:
            return await mint_tokens(self._shard, uow, caller.app, user_id, lifetime=lifetime)

    async def refresh(self, presented: str, *, origin: str | None) -> TokenPair:
        """The next pair. Raises `RefreshInvalid`, `RefreshReused`, `UserDeactivated`, `NoSigningKey`, `AppSuspended`,
        `AppDeleted` or `OriginNotAllowed`."""
        token = refresh_token.parse(presented)
        app = self._snapshots.get(token.app_id) if token is not None else None
        if token is None or app is None:
            raise RefreshInvalid(UNKNOWN)
        async with self._shard.unit_of_work(token.app_id) as uow:
            outcome = await rotate_tokens(self._shard, uow, app, token, origin=origin)
        if isinstance(outcome, Reused):
            raise RefreshReused(
                "This refresh token was replaced before. In case it was stolen, its whole family is revoked; "
                "get a new pair from your server."
            )
        return outcome

    async def revoke(self, caller: Caller, user_id: str) -> datetime:
        """Revoke all tokens of a user and close its sockets. Returns when new tokens become valid."""
        async with self._shard.unit_of_work(caller.app_id) as uow:
            valid_after = await revoke_user(self._shard, uow, caller.app_id, user_id)
        self.announce(caller.app_id, user_id, valid_after)
        return valid_after

    def announce(self, app_id: UUID, user_id: str, valid_after: datetime) -> None:
        """A revocation is committed: close the user's sockets here and on the other nodes."""
        self._revocations.note(app_id, user_id, valid_after)
        self._publish(app_id, user_id, valid_after)
