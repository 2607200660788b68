"""`client.privacy`: what users show of their reading.

Generated from the API's description by `make reference`. Do not edit.
"""

from .. import models
from .._operation import Call, Operation
from .._resource import AsyncResource, Resource

GET_PRIVACY = Operation(
    name="getPrivacy",
    method="GET",
    path="/v1/users/{user_id}/privacy",
    answer=models.Privacy.from_dict,
)

PUT_PRIVACY = Operation(
    name="putPrivacy",
    method="PUT",
    path="/v1/users/{user_id}/privacy",
    answer=models.Privacy.from_dict,
)


class Privacy(Resource):
    """What users show of their reading."""

    def get(self, user_id: str) -> models.Privacy:
        """Whether others see what a user reads and receives. A user's own; a server gets anybody's."""
        return self._call(
            Call(
                operation=GET_PRIVACY,
                path={"user_id": user_id},
            )
        )

    def put(
        self,
        user_id: str,
        *,
        read_receipts: bool | None = None,
        delivery_receipts: bool | None = None,
    ) -> models.Privacy:
        """Choose whether others see what a user reads and receives. What is left out stays.

        What is left out stays.
        """
        return self._call(
            Call(
                operation=PUT_PRIVACY,
                path={"user_id": user_id},
                body={"read_receipts": read_receipts, "delivery_receipts": delivery_receipts},
            )
        )


class AsyncPrivacy(AsyncResource):
    """What users show of their reading."""

    async def get(self, user_id: str) -> models.Privacy:
        """Whether others see what a user reads and receives. A user's own; a server gets anybody's."""
        return await self._call(
            Call(
                operation=GET_PRIVACY,
                path={"user_id": user_id},
            )
        )

    async def put(
        self,
        user_id: str,
        *,
        read_receipts: bool | None = None,
        delivery_receipts: bool | None = None,
    ) -> models.Privacy:
        """Choose whether others see what a user reads and receives. What is left out stays.

        What is left out stays.
        """
        return await self._call(
            Call(
                operation=PUT_PRIVACY,
                path={"user_id": user_id},
                body={"read_receipts": read_receipts, "delivery_receipts": delivery_receipts},
            )
        )
