"""`client.guests`: users that nobody knows, let in by the publishable key.

Generated from the API's description by `make reference`. Do not edit.
"""

from .. import models
from .._operation import Call, Operation
from .._resource import AsyncResource, Resource

CREATE_GUEST = Operation(
    name="createGuest",
    method="POST",
    path="/v1/guests",
    answer=models.Guest.from_dict,
    repeatable=False,
    public=True,
)


class Guests(Resource):
    """Users that nobody knows, let in by the publishable key."""

    def create(self, key: str, *, name: str | None = None) -> models.Guest:
        """Make a user with the role `guest` and tokens for it; the app's publishable key is the only credential needed.

        Off until the app's settings in the portal let guests in. Each call makes another guest: keep the tokens.

        The app's publishable key, and what the guest wants to be called.
        """
        return self._call(
            Call(
                operation=CREATE_GUEST,
                body={"key": key, "name": name},
            )
        )


class AsyncGuests(AsyncResource):
    """Users that nobody knows, let in by the publishable key."""

    async def create(self, key: str, *, name: str | None = None) -> models.Guest:
        """Make a user with the role `guest` and tokens for it; the app's publishable key is the only credential needed.

        Off until the app's settings in the portal let guests in. Each call makes another guest: keep the tokens.

        The app's publishable key, and what the guest wants to be called.
        """
        return await self._call(
            Call(
                operation=CREATE_GUEST,
                body={"key": key, "name": name},
            )
        )
