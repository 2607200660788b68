"""`client.channel_types`: what roles may do in channels of a type.

Generated from the API's description by `make reference`. Do not edit.
"""

import builtins
from collections.abc import Mapping, Sequence
from typing import Literal

from .. import models
from .._operation import Call, Operation, many, nothing
from .._resource import AsyncResource, Resource

LIST_CHANNEL_TYPES = Operation(
    name="listChannelTypes",
    method="GET",
    path="/v1/channel-types",
    answer=many("channel_types", models.ChannelType),
)

GET_CHANNEL_TYPE = Operation(
    name="getChannelType",
    method="GET",
    path="/v1/channel-types/{name}",
    answer=models.ChannelType.from_dict,
)

PUT_CHANNEL_TYPE = Operation(
    name="putChannelType",
    method="PUT",
    path="/v1/channel-types/{name}",
    answer=models.ChannelType.from_dict,
)

DELETE_CHANNEL_TYPE = Operation(
    name="deleteChannelType",
    method="DELETE",
    path="/v1/channel-types/{name}",
    answer=nothing,
    removes=True,
)


class ChannelTypes(Resource):
    """What roles may do in channels of a type."""

    def list(self) -> builtins.list[models.ChannelType]:
        """Every channel type of the app, the built-in ones too, with what every role may do there."""
        return self._call(
            Call(
                operation=LIST_CHANNEL_TYPES,
            )
        )

    def get(self, name: str) -> models.ChannelType:
        """One channel type with what every role may do there."""
        return self._call(
            Call(
                operation=GET_CHANNEL_TYPE,
                path={"name": name},
            )
        )

    def put(
        self,
        name: str,
        *,
        grants: Mapping[str, Sequence[str]],
        creator_role: str | None = None,
        history: Literal["all", "joined"] = "all",
        receipts: bool = True,
        slow_mode: int = 0,
    ) -> models.ChannelType:
        """Make a channel type, or say anew what roles may do in one, a built-in one included. In effect at once.

        What an earlier `PUT` said and this one leaves out is as it was by default.

        A role that `grants` does not name has what it has by default.

        `history` and `slow_mode` are what new channels of the type begin with; `receipts`: whether members of its
        channels see how far others have read.
        """
        return self._call(
            Call(
                operation=PUT_CHANNEL_TYPE,
                path={"name": name},
                body={
                    "grants": grants,
                    "creator_role": creator_role,
                    "history": history,
                    "receipts": receipts,
                    "slow_mode": slow_mode,
                },
            )
        )

    def delete(self, name: str) -> None:
        """Delete a channel type that no channel has. A built-in one is not deleted, but as it was made."""
        self._call(
            Call(
                operation=DELETE_CHANNEL_TYPE,
                path={"name": name},
            )
        )


class AsyncChannelTypes(AsyncResource):
    """What roles may do in channels of a type."""

    async def list(self) -> builtins.list[models.ChannelType]:
        """Every channel type of the app, the built-in ones too, with what every role may do there."""
        return await self._call(
            Call(
                operation=LIST_CHANNEL_TYPES,
            )
        )

    async def get(self, name: str) -> models.ChannelType:
        """One channel type with what every role may do there."""
        return await self._call(
            Call(
                operation=GET_CHANNEL_TYPE,
                path={"name": name},
            )
        )

    async def put(
        self,
        name: str,
        *,
        grants: Mapping[str, Sequence[str]],
        creator_role: str | None = None,
        history: Literal["all", "joined"] = "all",
        receipts: bool = True,
        slow_mode: int = 0,
    ) -> models.ChannelType:
        """Make a channel type, or say anew what roles may do in one, a built-in one included. In effect at once.

        What an earlier `PUT` said and this one leaves out is as it was by default.

        A role that `grants` does not name has what it has by default.

        `history` and `slow_mode` are what new channels of the type begin with; `receipts`: whether members of its
        channels see how far others have read.
        """
        return await self._call(
            Call(
                operation=PUT_CHANNEL_TYPE,
                path={"name": name},
                body={
                    "grants": grants,
                    "creator_role": creator_role,
                    "history": history,
                    "receipts": receipts,
                    "slow_mode": slow_mode,
                },
            )
        )

    async def delete(self, name: str) -> None:
        """Delete a channel type that no channel has. A built-in one is not deleted, but as it was made."""
        await self._call(
            Call(
                operation=DELETE_CHANNEL_TYPE,
                path={"name": name},
            )
        )
