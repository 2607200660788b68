"""`client.sync`: catching up after having been away.

Generated from the API's description by `make reference`. Do not edit.
"""

from .. import models
from .._operation import Call, Operation, either
from .._resource import AsyncResource, Resource

SYNC = Operation(
    name="sync",
    method="GET",
    path="/v1/sync",
    answer=either(models.Recovered, models.FreshState),
    acts="query",
)


class Sync(Resource):
    """Catching up after having been away."""

    def get(
        self,
        *,
        cursor: str | None = None,
        limit: int = 200,
        user_id: str | None = None,
    ) -> models.Recovered | models.FreshState:
        """Everything of a user since a cursor, over all of its channels; a server names the user.

        Without a cursor, or with one that is too old, the answer is fresh state and `recovered` is false. Never a part
        of what happened without saying so.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user.
        """
        return self._call(
            Call(
                operation=SYNC,
                query={"cursor": cursor, "limit": limit, "user_id": user_id},
            )
        )


class AsyncSync(AsyncResource):
    """Catching up after having been away."""

    async def get(
        self,
        *,
        cursor: str | None = None,
        limit: int = 200,
        user_id: str | None = None,
    ) -> models.Recovered | models.FreshState:
        """Everything of a user since a cursor, over all of its channels; a server names the user.

        Without a cursor, or with one that is too old, the answer is fresh state and `recovered` is false. Never a part
        of what happened without saying so.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user.
        """
        return await self._call(
            Call(
                operation=SYNC,
                query={"cursor": cursor, "limit": limit, "user_id": user_id},
            )
        )
