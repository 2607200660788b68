"""REST: mint, refresh, revoke."""

from datetime import timedelta
from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation

from data_plane.dependencies import SERVER, CallerDependency, UserPath
from data_plane.identity.errors import (
    NoSigningKey,
    OriginNotAllowed,
    RefreshInvalid,
    RefreshReused,
    UserDeactivated,
)
from data_plane.identity.tokens.schemas import MintTokens, RefreshTokens
from data_plane.identity.tokens.service import TokenService
from data_plane.identity.tokens.views import RevocationView, TokenPairView
from data_plane.tenancy.errors import AppDeleted, AppSuspended
from data_plane.users.write import new_user_id
from kernel.clock import rfc3339
from kernel.http import answers
from kernel.ids import check_customer_id

TokensDependency = NamedDependency[SkipValidation[TokenService]]
"""The shard's token service, as `tokens`."""

_NO_STORE = {"cache-control": "no-store"}
_TAGS = ["Tokens"]


@post(
    "/v1/tokens",
    status_code=201,
    operation_id="mintTokens",
    summary="Make tokens for a user",
    tags=_TAGS,
    security=SERVER,
    opt=answers((201, TokenPairView, "A new pair."), errors=(NoSigningKey,), in_read_only=True),
)
async def mint_tokens(
    data: JSONBody[MintTokens], caller: CallerDependency, tokens: TokensDependency
) -> Response[TokenPairView]:
    """An access and a refresh token for a user; makes the user if there is none.

    Give both to the user's app. Every call begins a new sign-in.
    """
    caller.require_server("tokens")
    user_id = new_user_id(data.user_id, field="user_id")
    pair = await tokens.mint(caller, user_id, timedelta(seconds=data.expires_in))
    return Response(pair.view(), headers=_NO_STORE)


@post(
    "/v1/tokens/refresh",
    status_code=200,
    operation_id="refreshTokens",
    summary="Exchange a refresh token",
    tags=_TAGS,
    security=[{}],
    opt=answers(
        (200, TokenPairView, "The next pair."),
        errors=(
            RefreshInvalid,
            RefreshReused,
            UserDeactivated,
            NoSigningKey,
            AppSuspended,
            AppDeleted,
            OriginNotAllowed,
        ),
    ),
)
async def refresh_tokens(
    data: JSONBody[RefreshTokens], request: Request[Any, Any, Any], tokens: TokensDependency
) -> Response[TokenPairView]:
    """The next pair for a refresh token, which is the only credential needed.

    For a minute the same token brings the same pair again, so that a lost answer costs nothing. After that, a token
    that was exchanged before ends all that descend from the same sign-in.
    """
    pair = await tokens.refresh(data.refresh_token, origin=request.headers.get("origin"))
    return Response(pair.view(), headers=_NO_STORE)


@post(
    "/v1/users/{user_id:str}/revoke",
    status_code=200,
    operation_id="revokeUser",
    summary="Revoke a user's tokens",
    tags=_TAGS,
    security=SERVER,
    opt=answers((200, RevocationView, "The tokens are refused from now on."), in_read_only=True),
)
async def revoke_user(user_id: UserPath, caller: CallerDependency, tokens: TokensDependency) -> RevocationView:
    """Refuse all tokens of a user made so far, and close its sockets. Tokens made from `tokens_valid_after` on work."""
    caller.require_server("tokens")
    user_id = check_customer_id(user_id, field="user_id")
    valid_after = await tokens.revoke(caller, user_id)
    return {"user_id": user_id, "tokens_valid_after": rfc3339(valid_after)}


ROUTES = [mint_tokens, refresh_tokens, revoke_user]
