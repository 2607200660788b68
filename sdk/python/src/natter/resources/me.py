"""`client.me`: the user whose token it is (`with_token`).

Generated from the API's description by `make reference`. Do not edit.
"""

from collections.abc import Mapping
from typing import Any

from .. import models
from .._given import NOT_GIVEN, NotGiven
from .._operation import Call, Operation
from .._resource import AsyncResource, Resource

GET_ME = Operation(
    name="getMe",
    method="GET",
    path="/v1/users/me",
    answer=models.User.from_dict,
)

UPDATE_ME = Operation(
    name="updateMe",
    method="PATCH",
    path="/v1/users/me",
    answer=models.User.from_dict,
    nullable=frozenset({"image", "name"}),
)


class Me(Resource):
    """The user whose token it is (`with_token`)."""

    def get(self) -> models.User:
        """The profile of the user whose token this is."""
        return self._call(
            Call(
                operation=GET_ME,
            )
        )

    def update(
        self,
        *,
        name: str | NotGiven | None = NOT_GIVEN,
        image: str | NotGiven | None = NOT_GIVEN,
        role: str | NotGiven = NOT_GIVEN,
        custom: Mapping[str, Any] | NotGiven = NOT_GIVEN,
    ) -> models.User:
        """Change some fields of the caller's own profile.

        What is left out stays; `custom` is replaced as a whole.
        """
        return self._call(
            Call(
                operation=UPDATE_ME,
                body={"name": name, "image": image, "role": role, "custom": custom},
            )
        )


class AsyncMe(AsyncResource):
    """The user whose token it is (`with_token`)."""

    async def get(self) -> models.User:
        """The profile of the user whose token this is."""
        return await self._call(
            Call(
                operation=GET_ME,
            )
        )

    async def update(
        self,
        *,
        name: str | NotGiven | None = NOT_GIVEN,
        image: str | NotGiven | None = NOT_GIVEN,
        role: str | NotGiven = NOT_GIVEN,
        custom: Mapping[str, Any] | NotGiven = NOT_GIVEN,
    ) -> models.User:
        """Change some fields of the caller's own profile.

        What is left out stays; `custom` is replaced as a whole.
        """
        return await self._call(
            Call(
                operation=UPDATE_ME,
                body={"name": name, "image": image, "role": role, "custom": custom},
            )
        )
