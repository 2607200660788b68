"""`client.pins`: what a channel has pinned.

Generated from the API's description by `make reference`. Do not edit.
"""

import builtins
from datetime import datetime

from .. import models
from .._operation import Call, Operation, many, nothing, one
from .._resource import AsyncResource, Resource

PIN_MESSAGE = Operation(
    name="pinMessage",
    method="PUT",
    path="/v1/messages/{message_id}/pin",
    answer=one("pin", models.Pin),
    acts="body",
)

UNPIN_MESSAGE = Operation(
    name="unpinMessage",
    method="DELETE",
    path="/v1/messages/{message_id}/pin",
    answer=nothing,
    acts="query",
    removes=True,
)

LIST_PINS = Operation(
    name="listPins",
    method="GET",
    path="/v1/channels/{channel_id}/pins",
    answer=many("pins", models.Pinned),
)


class Pins(Resource):
    """What a channel has pinned."""

    def add(self, message_id: str, *, expires_at: datetime | None = None, user_id: str | None = None) -> models.Pin:
        """Pin a message in its channel, for good or until a moment. Needs `message.pin`; not in a frozen channel.

        A channel has at most 50 pinned. Whoever pins a pinned message again with another end becomes the one who pinned
        it.

        `expires_at`: until when, null for good. `user_id`: who pins, for a server to name; without, nobody.
        """
        return self._call(
            Call(
                operation=PIN_MESSAGE,
                path={"message_id": message_id},
                body={"expires_at": expires_at, "user_id": user_id},
            )
        )

    def remove(self, message_id: str, *, user_id: str | None = None) -> None:
        """Take a pin away, whether it was there or not; also in a frozen channel. Needs `message.pin`.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user.
        """
        self._call(
            Call(
                operation=UNPIN_MESSAGE,
                path={"message_id": message_id},
                query={"user_id": user_id},
            )
        )

    def list(self, channel_id: str) -> builtins.list[models.Pinned]:
        """All that is pinned now and you see, at most 50, each with its message; what was pinned last first."""
        return self._call(
            Call(
                operation=LIST_PINS,
                path={"channel_id": channel_id},
            )
        )


class AsyncPins(AsyncResource):
    """What a channel has pinned."""

    async def add(
        self,
        message_id: str,
        *,
        expires_at: datetime | None = None,
        user_id: str | None = None,
    ) -> models.Pin:
        """Pin a message in its channel, for good or until a moment. Needs `message.pin`; not in a frozen channel.

        A channel has at most 50 pinned. Whoever pins a pinned message again with another end becomes the one who pinned
        it.

        `expires_at`: until when, null for good. `user_id`: who pins, for a server to name; without, nobody.
        """
        return await self._call(
            Call(
                operation=PIN_MESSAGE,
                path={"message_id": message_id},
                body={"expires_at": expires_at, "user_id": user_id},
            )
        )

    async def remove(self, message_id: str, *, user_id: str | None = None) -> None:
        """Take a pin away, whether it was there or not; also in a frozen channel. Needs `message.pin`.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user.
        """
        await self._call(
            Call(
                operation=UNPIN_MESSAGE,
                path={"message_id": message_id},
                query={"user_id": user_id},
            )
        )

    async def list(self, channel_id: str) -> builtins.list[models.Pinned]:
        """All that is pinned now and you see, at most 50, each with its message; what was pinned last first."""
        return await self._call(
            Call(
                operation=LIST_PINS,
                path={"channel_id": channel_id},
            )
        )
