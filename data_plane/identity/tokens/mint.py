"""The customer's server asks for tokens for one of its users."""

from datetime import timedelta

from data_plane.identity.tokens import refresh_token
from data_plane.identity.tokens.pair import ACCESS_LIFETIME, REFRESH_LIFETIME, TokenPair, mint_pair
from data_plane.identity.tokens.repository import TokenRepository
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.contracts import AppSnapshot
from kernel.db import UnitOfWork
from kernel.ids import parse_id


async def mint_tokens(
    shard: Shard, uow: UnitOfWork, app: AppSnapshot, user_id: str, *, lifetime: timedelta = ACCESS_LIFETIME
) -> TokenPair:
    """A new pair, which begins a family of its own; makes the user if there is none.

    Raises `UserDeactivated` or `NoSigningKey`.
    """
    app_id = parse_id("app", app.app_id)
    repository = TokenRepository(uow.session, app_id)
    now = shard.clock.now()
    at = truncate_ms(now)
    await repository.ensure_user(user_id, at)
    refresh = refresh_token.generate(app_id)
    expires_at = at + REFRESH_LIFETIME
    pair = mint_pair(
        app,
        user_id,
        # Held, so that a revocation comes before all of this or finds the new family to delete.
        await repository.hold_user(user_id),
        now=now,
        lifetime=lifetime,
        refresh=refresh,
        refresh_expires_at=expires_at,
        ids=shard.ids,
    )
    digest = refresh_token.digest(shard.vault, refresh)
    await repository.add(digest, family=shard.ids.uuid7(), user_id=user_id, at=at, expires_at=expires_at)
    return pair
