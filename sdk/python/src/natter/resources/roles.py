"""`client.roles`: what roles may do in every type that says nothing else.

Generated from the API's description by `make reference`. Do not edit.
"""

import builtins
from collections.abc import Sequence
from typing import Literal

from .. import models
from .._operation import Call, Operation, many, nothing
from .._resource import AsyncResource, Resource

LIST_ROLES = Operation(
    name="listRoles",
    method="GET",
    path="/v1/roles",
    answer=many("roles", models.Role),
)

GET_ROLE = Operation(
    name="getRole",
    method="GET",
    path="/v1/roles/{name}",
    answer=models.Role.from_dict,
)

PUT_ROLE = Operation(
    name="putRole",
    method="PUT",
    path="/v1/roles/{name}",
    answer=models.Role.from_dict,
)

DELETE_ROLE = Operation(
    name="deleteRole",
    method="DELETE",
    path="/v1/roles/{name}",
    answer=nothing,
    removes=True,
)


class Roles(Resource):
    """What roles may do in every type that says nothing else."""

    def list(self) -> builtins.list[models.Role]:
        """Every role of the app, the built-in ones too."""
        return self._call(
            Call(
                operation=LIST_ROLES,
            )
        )

    def get(self, name: str) -> models.Role:
        """One role."""
        return self._call(
            Call(
                operation=GET_ROLE,
                path={"name": name},
            )
        )

    def put(self, name: str, *, scopes: Sequence[Literal["app", "channel"]], grants: Sequence[str]) -> models.Role:
        """Make a role, or say anew what one may do in every type that says nothing else of it. In effect at once.

        Where it may be given, and what it may do in types that say nothing of it.
        """
        return self._call(
            Call(
                operation=PUT_ROLE,
                path={"name": name},
                body={"scopes": scopes, "grants": grants},
            )
        )

    def delete(self, name: str) -> None:
        """Delete a role that nobody has. A built-in one is not deleted, but as it was made."""
        self._call(
            Call(
                operation=DELETE_ROLE,
                path={"name": name},
            )
        )


class AsyncRoles(AsyncResource):
    """What roles may do in every type that says nothing else."""

    async def list(self) -> builtins.list[models.Role]:
        """Every role of the app, the built-in ones too."""
        return await self._call(
            Call(
                operation=LIST_ROLES,
            )
        )

    async def get(self, name: str) -> models.Role:
        """One role."""
        return await self._call(
            Call(
                operation=GET_ROLE,
                path={"name": name},
            )
        )

    async def put(
        self,
        name: str,
        *,
        scopes: Sequence[Literal["app", "channel"]],
        grants: Sequence[str],
    ) -> models.Role:
        """Make a role, or say anew what one may do in every type that says nothing else of it. In effect at once.

        Where it may be given, and what it may do in types that say nothing of it.
        """
        return await self._call(
            Call(
                operation=PUT_ROLE,
                path={"name": name},
                body={"scopes": scopes, "grants": grants},
            )
        )

    async def delete(self, name: str) -> None:
        """Delete a role that nobody has. A built-in one is not deleted, but as it was made."""
        await self._call(
            Call(
                operation=DELETE_ROLE,
                path={"name": name},
            )
        )
