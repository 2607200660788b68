"""REST: mint, refresh, revoke."""

from datetime import timedelta
from typing import Any

from litestar import Request, Response, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from data_plane.dependencies import CallerDependency
from data_plane.identity.tokens.schemas import MintTokens, RefreshTokens
from data_plane.identity.tokens.service import TokenService
from data_plane.users.write import new_user_id
from kernel.clock import rfc3339
from kernel.ids import check_customer_id

TokensDependency = NamedDependency[SkipValidation[TokenService]]
"""The shard's token service, as `tokens`."""

_NO_STORE = {"cache-control": "no-store"}


@post("/v1/tokens", status_code=201)
async def mint_tokens(
    data: JSONBody[MintTokens], caller: CallerDependency, tokens: TokensDependency
) -> Response[dict[str, Any]]:
    """An access and a refresh token for a user, for the customer's server; makes the user if there is none."""
    caller.require_server("tokens")
    user_id = new_user_id(data.user_id, field="user_id")
    pair = await tokens.mint(caller, user_id, timedelta(seconds=data.expires_in))
    return Response(pair.view(), headers=_NO_STORE)


@post("/v1/tokens/refresh", status_code=200)
async def refresh_tokens(
    data: JSONBody[RefreshTokens], request: Request[Any, Any, Any], tokens: TokensDependency
) -> Response[dict[str, Any]]:
    """The next pair for a refresh token, which is the only credential needed."""
    pair = await tokens.refresh(data.refresh_token, origin=request.headers.get("origin"))
    return Response(pair.view(), headers=_NO_STORE)


@post("/v1/users/{user_id:str}/revoke", status_code=200)
async def revoke_user(user_id: FromPath[str], caller: CallerDependency, tokens: TokensDependency) -> dict[str, Any]:
    """Refuse all tokens of a user made so far, and close its sockets. Tokens made from `tokens_valid_after` on work."""
    caller.require_server("tokens")
    user_id = check_customer_id(user_id, field="user_id")
    valid_after = await tokens.revoke(caller, user_id)
    return {"user_id": user_id, "tokens_valid_after": rfc3339(valid_after)}


ROUTES = [mint_tokens, refresh_tokens, revoke_user]
