"""All tokens of a user are refused from now on."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from data_plane.identity.tokens.repository import TokenRepository
from data_plane.shard import Shard
from kernel.clock import truncate_ms
from kernel.db import UnitOfWork

SKEW: Final = timedelta(milliseconds=500)
"""How much the clocks of nodes may differ: a token that another node made a moment ago may be stamped with a later time
than this node's. Natter stamps tokens it makes after a revocation with the revocation's time at least; a customer's own
server waits until then."""


async def revoke_user(shard: Shard, uow: UnitOfWork, app_id: UUID, user_id: str) -> datetime:
    """Refuse every access token made so far and delete every refresh token. Returns when new tokens become valid.

    A user that is not known yet is made: a token that names it may be out there.
    """
    repository = TokenRepository(uow.session, app_id)
    at = truncate_ms(shard.clock.now())
    # The user's row first: it waits for a mint or refresh under way, whose new family the deletion then sees.
    valid_after = await repository.revoke_user(user_id, at=at, valid_after=at + SKEW)
    await repository.drop_user(user_id)
    return valid_after
