"""`client.unread`: how many messages a user has not read.

Generated from the API's description by `make reference`. Do not edit.
"""

from collections.abc import AsyncIterator, Iterator

from .. import models
from .._operation import Call, Operation
from .._resource import AsyncResource, Resource, async_pages, pages

GET_UNREAD = Operation(
    name="getUnread",
    method="GET",
    path="/v1/unread",
    answer=models.Unread.from_dict,
    acts="query",
)


class Unread(Resource):
    """How many messages a user has not read."""

    def get(self, *, limit: int = 25, cursor: str | None = None, user_id: str | None = None) -> models.Unread:
        """How many messages a user has not read: in all, by type of channel, and by channel; how many of them mention
        it; and how many replies in its threads.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user.
        """
        return self._call(
            Call(
                operation=GET_UNREAD,
                query={"limit": limit, "cursor": cursor, "user_id": user_id},
            )
        )

    def iter_channels(self, *, user_id: str | None = None, page_size: int = 100) -> Iterator[models.UnreadChannel]:
        """`channels` of all pages of `get`, each asked for when the one before is used up."""
        return pages(
            lambda cursor: self.get(user_id=user_id, cursor=cursor, limit=page_size),
            lambda page: page.channels,
        )


class AsyncUnread(AsyncResource):
    """How many messages a user has not read."""

    async def get(self, *, limit: int = 25, cursor: str | None = None, user_id: str | None = None) -> models.Unread:
        """How many messages a user has not read: in all, by type of channel, and by channel; how many of them mention
        it; and how many replies in its threads.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user.
        """
        return await self._call(
            Call(
                operation=GET_UNREAD,
                query={"limit": limit, "cursor": cursor, "user_id": user_id},
            )
        )

    def iter_channels(self, *, user_id: str | None = None, page_size: int = 100) -> AsyncIterator[models.UnreadChannel]:
        """`channels` of all pages of `get`, each asked for when the one before is used up."""
        return async_pages(
            lambda cursor: self.get(user_id=user_id, cursor=cursor, limit=page_size),
            lambda page: page.channels,
        )
