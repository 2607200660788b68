"""`client.descriptions`: the API's description of itself.

Generated from the API's description by `make reference`. Do not edit.
"""

from typing import Any

from .._operation import Call, Operation, document
from .._resource import AsyncResource, Resource

GET_DESCRIPTION = Operation(
    name="getDescription",
    method="GET",
    path="/v1/openapi.json",
    answer=document,
    public=True,
)

GET_EVENT_DESCRIPTION = Operation(
    name="getEventDescription",
    method="GET",
    path="/v1/asyncapi.json",
    answer=document,
    public=True,
)


class Descriptions(Resource):
    """The API's description of itself."""

    def openapi(self) -> dict[str, Any]:
        """The description of this API in OpenAPI 3.1."""
        return self._call(
            Call(
                operation=GET_DESCRIPTION,
            )
        )

    def asyncapi(self) -> dict[str, Any]:
        """Every event that clients get and may send over Socket.IO, with schemas and examples, in AsyncAPI 3.0."""
        return self._call(
            Call(
                operation=GET_EVENT_DESCRIPTION,
            )
        )


class AsyncDescriptions(AsyncResource):
    """The API's description of itself."""

    async def openapi(self) -> dict[str, Any]:
        """The description of this API in OpenAPI 3.1."""
        return await self._call(
            Call(
                operation=GET_DESCRIPTION,
            )
        )

    async def asyncapi(self) -> dict[str, Any]:
        """Every event that clients get and may send over Socket.IO, with schemas and examples, in AsyncAPI 3.0."""
        return await self._call(
            Call(
                operation=GET_EVENT_DESCRIPTION,
            )
        )
