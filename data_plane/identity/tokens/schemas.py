"""Bodies of the token routes."""

from typing import Annotated

import msgspec

from data_plane.dependencies import CustomerId


class MintTokens(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Body of `POST /v1/tokens`. `expires_in` is the access token's life in seconds."""

    user_id: CustomerId
    expires_in: Annotated[int, msgspec.Meta(ge=60, le=86_400)] = 900


class RefreshTokens(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Body of `POST /v1/tokens/refresh`."""

    refresh_token: Annotated[str, msgspec.Meta(max_length=200)]
