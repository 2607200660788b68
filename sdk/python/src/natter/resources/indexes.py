"""`client.indexes`: custom fields that queries filter and sort by at any size.

Generated from the API's description by `make reference`. Do not edit.
"""

import builtins
from typing import Literal

from .. import models
from .._operation import Call, Operation, many, nothing
from .._resource import AsyncResource, Resource

LIST_INDEXES = Operation(
    name="listIndexes",
    method="GET",
    path="/v1/indexes",
    answer=many("indexes", models.Index),
)

GET_INDEX = Operation(
    name="getIndex",
    method="GET",
    path="/v1/indexes/{resource}/{field}",
    answer=models.Index.from_dict,
)

PUT_INDEX = Operation(
    name="putIndex",
    method="PUT",
    path="/v1/indexes/{resource}/{field}",
    answer=models.Index.from_dict,
)

DELETE_INDEX = Operation(
    name="deleteIndex",
    method="DELETE",
    path="/v1/indexes/{resource}/{field}",
    answer=nothing,
    removes=True,
)


class Indexes(Resource):
    """Custom fields that queries filter and sort by at any size."""

    def list(self) -> builtins.list[models.Index]:
        """Every declared field of the app."""
        return self._call(
            Call(
                operation=LIST_INDEXES,
            )
        )

    def get(self, resource: str, field: str) -> models.Index:
        """One declared field, and whether it is ready."""
        return self._call(
            Call(
                operation=GET_INDEX,
                path={"resource": resource, "field": field},
            )
        )

    def put(
        self,
        resource: str,
        field: str,
        *,
        type: Literal["boolean", "list", "number", "text", "time"],
    ) -> models.Index:
        """Declare a field of `custom`, so that queries filter and sort by it at any size.

        Values of another type count as absent. While the index is `building`, queries answer without it.

        What the values are. `list` holds texts, for `$contains`.
        """
        return self._call(
            Call(
                operation=PUT_INDEX,
                path={"resource": resource, "field": field},
                body={"type": type},
            )
        )

    def delete(self, resource: str, field: str) -> None:
        """Declare a field no more. Nothing of `custom` itself changes."""
        self._call(
            Call(
                operation=DELETE_INDEX,
                path={"resource": resource, "field": field},
            )
        )


class AsyncIndexes(AsyncResource):
    """Custom fields that queries filter and sort by at any size."""

    async def list(self) -> builtins.list[models.Index]:
        """Every declared field of the app."""
        return await self._call(
            Call(
                operation=LIST_INDEXES,
            )
        )

    async def get(self, resource: str, field: str) -> models.Index:
        """One declared field, and whether it is ready."""
        return await self._call(
            Call(
                operation=GET_INDEX,
                path={"resource": resource, "field": field},
            )
        )

    async def put(
        self,
        resource: str,
        field: str,
        *,
        type: Literal["boolean", "list", "number", "text", "time"],
    ) -> models.Index:
        """Declare a field of `custom`, so that queries filter and sort by it at any size.

        Values of another type count as absent. While the index is `building`, queries answer without it.

        What the values are. `list` holds texts, for `$contains`.
        """
        return await self._call(
            Call(
                operation=PUT_INDEX,
                path={"resource": resource, "field": field},
                body={"type": type},
            )
        )

    async def delete(self, resource: str, field: str) -> None:
        """Declare a field no more. Nothing of `custom` itself changes."""
        await self._call(
            Call(
                operation=DELETE_INDEX,
                path={"resource": resource, "field": field},
            )
        )
