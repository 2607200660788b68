"""`client.blocks`: whom a user does not want to hear from. With a user's token alone (`with_token`).

Generated from the API's description by `make reference`. Do not edit.
"""

import builtins

from .. import models
from .._operation import Call, Operation, many, nothing
from .._resource import AsyncResource, Resource

LIST_BLOCKS = Operation(
    name="listBlocks",
    method="GET",
    path="/v1/users/me/blocks",
    answer=many("blocks", models.Block),
)

BLOCK_USER = Operation(
    name="blockUser",
    method="PUT",
    path="/v1/users/me/blocks/{user_id}",
    answer=models.Block.from_dict,
)

UNBLOCK_USER = Operation(
    name="unblockUser",
    method="DELETE",
    path="/v1/users/me/blocks/{user_id}",
    answer=nothing,
    removes=True,
)


class Blocks(Resource):
    """Whom a user does not want to hear from. With a user's token alone (`with_token`)."""

    def list(self) -> builtins.list[models.Block]:
        """Everybody whom the caller has blocked."""
        return self._call(
            Call(
                operation=LIST_BLOCKS,
            )
        )

    def add(self, user_id: str) -> models.Block:
        """Block another user: in a direct channel it cannot write to the caller any more. It is not told."""
        return self._call(
            Call(
                operation=BLOCK_USER,
                path={"user_id": user_id},
            )
        )

    def remove(self, user_id: str) -> None:
        """Take a block back."""
        self._call(
            Call(
                operation=UNBLOCK_USER,
                path={"user_id": user_id},
            )
        )


class AsyncBlocks(AsyncResource):
    """Whom a user does not want to hear from. With a user's token alone (`with_token`)."""

    async def list(self) -> builtins.list[models.Block]:
        """Everybody whom the caller has blocked."""
        return await self._call(
            Call(
                operation=LIST_BLOCKS,
            )
        )

    async def add(self, user_id: str) -> models.Block:
        """Block another user: in a direct channel it cannot write to the caller any more. It is not told."""
        return await self._call(
            Call(
                operation=BLOCK_USER,
                path={"user_id": user_id},
            )
        )

    async def remove(self, user_id: str) -> None:
        """Take a block back."""
        await self._call(
            Call(
                operation=UNBLOCK_USER,
                path={"user_id": user_id},
            )
        )
