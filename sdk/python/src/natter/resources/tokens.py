"""`client.tokens`: user tokens, made and revoked by your server. `natter.TokenSigner` signs them without a call.

Generated from the API's description by `make reference`. Do not edit.
"""

from .. import models
from .._operation import Call, Operation
from .._resource import AsyncResource, Resource

MINT_TOKENS = Operation(
    name="mintTokens",
    method="POST",
    path="/v1/tokens",
    answer=models.TokenPair.from_dict,
)

REFRESH_TOKENS = Operation(
    name="refreshTokens",
    method="POST",
    path="/v1/tokens/refresh",
    answer=models.TokenPair.from_dict,
    public=True,
)

REVOKE_USER = Operation(
    name="revokeUser",
    method="POST",
    path="/v1/users/{user_id}/revoke",
    answer=models.Revocation.from_dict,
)


class Tokens(Resource):
    """User tokens, made and revoked by your server. `natter.TokenSigner` signs them without a call."""

    def create(self, user_id: str, *, expires_in: int = 900) -> models.TokenPair:
        """An access and a refresh token for a user; makes the user if there is none.

        Give both to the user's app. Every call begins a new sign-in.

        `expires_in` is the access token's life in seconds.
        """
        return self._call(
            Call(
                operation=MINT_TOKENS,
                body={"user_id": user_id, "expires_in": expires_in},
            )
        )

    def refresh(self, refresh_token: str) -> models.TokenPair:
        """The next pair for a refresh token, which is the only credential needed.

        For a minute the same token brings the same pair again, so that a lost answer costs nothing. After that, a token
        that was exchanged before ends all that descend from the same sign-in.
        """
        return self._call(
            Call(
                operation=REFRESH_TOKENS,
                body={"refresh_token": refresh_token},
            )
        )

    def revoke(self, user_id: str) -> models.Revocation:
        """Refuse all tokens of a user made so far, and close its sockets. Tokens made from `tokens_valid_after` on
        work.
        """
        return self._call(
            Call(
                operation=REVOKE_USER,
                path={"user_id": user_id},
            )
        )


class AsyncTokens(AsyncResource):
    """User tokens, made and revoked by your server. `natter.TokenSigner` signs them without a call."""

    async def create(self, user_id: str, *, expires_in: int = 900) -> models.TokenPair:
        """An access and a refresh token for a user; makes the user if there is none.

        Give both to the user's app. Every call begins a new sign-in.

        `expires_in` is the access token's life in seconds.
        """
        return await self._call(
            Call(
                operation=MINT_TOKENS,
                body={"user_id": user_id, "expires_in": expires_in},
            )
        )

    async def refresh(self, refresh_token: str) -> models.TokenPair:
        """The next pair for a refresh token, which is the only credential needed.

        For a minute the same token brings the same pair again, so that a lost answer costs nothing. After that, a token
        that was exchanged before ends all that descend from the same sign-in.
        """
        return await self._call(
            Call(
                operation=REFRESH_TOKENS,
                body={"refresh_token": refresh_token},
            )
        )

    async def revoke(self, user_id: str) -> models.Revocation:
        """Refuse all tokens of a user made so far, and close its sockets. Tokens made from `tokens_valid_after` on
        work.
        """
        return await self._call(
            Call(
                operation=REVOKE_USER,
                path={"user_id": user_id},
            )
        )
