"""`client.apps`: where apps are served.

Generated from the API's description by `make reference`. Do not edit.
"""

from .. import models
from .._operation import Call, Operation
from .._resource import AsyncResource, Resource

LOCATE = Operation(
    name="locate",
    method="GET",
    path="/v1/locate",
    answer=models.Location.from_dict,
    public=True,
)


class Apps(Resource):
    """Where apps are served."""

    def locate(self, key: str, *, portal: str) -> models.Location:
        """Where the app that a publishable key names is served, answered by the control plane to anybody.

        503 while none of its nodes is live. Ask again after each failed attempt to connect: apps can move.

        `key`: the app's publishable key, `pk_…`.

        `portal`: the portal's address.
        """
        return self._call(
            Call(
                operation=LOCATE,
                query={"key": key},
                base=portal,
            )
        )


class AsyncApps(AsyncResource):
    """Where apps are served."""

    async def locate(self, key: str, *, portal: str) -> models.Location:
        """Where the app that a publishable key names is served, answered by the control plane to anybody.

        503 while none of its nodes is live. Ask again after each failed attempt to connect: apps can move.

        `key`: the app's publishable key, `pk_…`.

        `portal`: the portal's address.
        """
        return await self._call(
            Call(
                operation=LOCATE,
                query={"key": key},
                base=portal,
            )
        )
