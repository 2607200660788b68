"""Bodies of the users' routes."""

from typing import Annotated, Any, Final

import msgspec

from data_plane.dependencies import CustomerId

MAX_BATCH: Final = 100

Name = Annotated[str, msgspec.Meta(max_length=256)]
Image = Annotated[str, msgspec.Meta(max_length=2048)]
Role = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9_-]{1,32}\Z")]


class _Body(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Unknown fields are refused, so that a typo is heard."""


class PutUser(_Body, frozen=True, kw_only=True):
    """Body of `PUT /v1/users/{id}`: the whole profile; what is left out is empty afterwards."""

    name: Name | None = None
    image: Image | None = None
    role: Role = "user"
    custom: dict[str, Any] = {}


class UserInBatch(PutUser, frozen=True, kw_only=True):
    """One user of a batch."""

    id: CustomerId


class UpsertUsers(_Body, frozen=True, kw_only=True):
    """Body of `POST /v1/users`: all are written, or none."""

    users: Annotated[list[UserInBatch], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]


class PatchUser(_Body, frozen=True, kw_only=True):
    """Body of `PATCH /v1/users/{id}`: what is left out stays; `custom` is replaced as a whole."""

    name: Name | msgspec.UnsetType | None = msgspec.UNSET
    image: Image | msgspec.UnsetType | None = msgspec.UNSET
    role: Role | msgspec.UnsetType = msgspec.UNSET
    custom: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET


class PatchInBatch(PatchUser, frozen=True, kw_only=True):
    """One user of a batch of changes."""

    id: CustomerId


class PatchUsers(_Body, frozen=True, kw_only=True):
    """Body of `PATCH /v1/users`: all are changed, or none."""

    users: Annotated[list[PatchInBatch], msgspec.Meta(min_length=1, max_length=MAX_BATCH)]
