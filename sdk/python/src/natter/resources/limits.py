"""`client.limits`: how much a caller may do, and how much of it is left.

Generated from the API's description by `make reference`. Do not edit.
"""

from .. import models
from .._operation import Call, Operation, many
from .._resource import AsyncResource, Resource

GET_LIMITS = Operation(
    name="getLimits",
    method="GET",
    path="/v1/limits",
    answer=many("limits", models.Limit),
)


class Limits(Resource):
    """How much a caller may do, and how much of it is left."""

    def get(self, *, channel_id: str | None = None) -> list[models.Limit]:
        """The rate limits that the caller is under, and how much of each is left over all nodes.

        A user sees its own, a server those of the whole app. Asking counts as a request. Of a slow channel,
        `messages.slow` tells in `reset` after how many seconds the user may send there again.

        `channel_id`: a channel of the caller's, whose own limits are told too.
        """
        return self._call(
            Call(
                operation=GET_LIMITS,
                query={"channel_id": channel_id},
            )
        )


class AsyncLimits(AsyncResource):
    """How much a caller may do, and how much of it is left."""

    async def get(self, *, channel_id: str | None = None) -> list[models.Limit]:
        """The rate limits that the caller is under, and how much of each is left over all nodes.

        A user sees its own, a server those of the whole app. Asking counts as a request. Of a slow channel,
        `messages.slow` tells in `reset` after how many seconds the user may send there again.

        `channel_id`: a channel of the caller's, whose own limits are told too.
        """
        return await self._call(
            Call(
                operation=GET_LIMITS,
                query={"channel_id": channel_id},
            )
        )
