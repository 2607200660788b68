"""A refresh token is exchanged for the next pair, once; a copy that is used later betrays a theft."""

from datetime import timedelta
from enum import Enum
from typing import Final

from data_plane.identity.authenticate import check_origin
from data_plane.identity.errors import RefreshInvalid
from data_plane.identity.tokens import refresh_token
from data_plane.identity.tokens.pair import ACCESS_LIFETIME, REFRESH_LIFETIME, TokenPair, mint_pair
from data_plane.identity.tokens.refresh_token import RefreshToken
from data_plane.identity.tokens.repository import TokenRepository
from data_plane.shard import Shard
from data_plane.tenancy.store import require_active
from kernel.clock import truncate_ms
from kernel.contracts import AppSnapshot
from kernel.db import UnitOfWork

GRACE: Final = timedelta(seconds=60)
"""How long the previous token still returns the same successor: a reply got lost, or two tabs refreshed at once."""

UNKNOWN: Final = "The refresh token is unknown, expired or revoked. Get a new pair from your server."
"""The one answer to whoever holds no token of an app that is served here."""


class Reused(Enum):
    """The outcome that must be committed and then refused: the family is gone."""

    REUSED = "reused"


async def rotate_tokens(
    shard: Shard, uow: UnitOfWork, app: AppSnapshot, token: RefreshToken, *, origin: str | None = None
) -> TokenPair | Reused:
    """The next pair of the token's family.

    `Reused` means that the family was deleted: commit that, then raise `RefreshReused`. Raises `RefreshInvalid`,
    `AppSuspended`, `AppDeleted`, `OriginNotAllowed`, `UserDeactivated` or `NoSigningKey`. Two at once are safe: the row
    is held, so one rotates and the other finds it rotated.
    """
    repository = TokenRepository(uow.session, token.app_id)
    digest = refresh_token.digest(shard.vault, token)
    found = await repository.find(digest)
    # User first, token second, as in a revocation, so that the two never wait for each other.
    standing = await repository.hold_user(found.user_id) if found is not None else None
    found = await repository.find(digest, hold=True) if standing is not None else None
    now = shard.clock.now()
    if found is None or found.expires_at <= now:
        raise RefreshInvalid(UNKNOWN)
    # Not before: how the app stands is no business of who only knows its id.
    require_active(app)
    check_origin(app, origin)
    if found.used_at is not None and now - found.used_at > GRACE:
        await repository.drop_family(found.family)
        return Reused.REUSED

    at = truncate_ms(now)
    following = refresh_token.successor(shard.vault, token)
    following_digest = refresh_token.digest(shard.vault, following)
    expires_at = at + REFRESH_LIFETIME
    if found.used_at is None:
        await repository.use(digest, at=at)
        await repository.add(following_digest, family=found.family, user_id=found.user_id, at=at, expires_at=expires_at)
    else:
        stored = await repository.find(following_digest)
        if stored is None:
            raise RefreshInvalid(UNKNOWN)
        expires_at = stored.expires_at
    return mint_pair(
        app,
        found.user_id,
        standing,
        now=now,
        lifetime=ACCESS_LIFETIME,
        refresh=following,
        refresh_expires_at=expires_at,
        ids=shard.ids,
    )
