"""`client.receipts`: how far users have read, and who has read a message.

Generated from the API's description by `make reference`. Do not edit.
"""

from collections.abc import AsyncIterator, Iterator

from .. import models
from .._operation import Call, Operation
from .._resource import AsyncResource, Resource, async_pages, pages

LIST_RECEIPTS = Operation(
    name="listReceipts",
    method="GET",
    path="/v1/channels/{channel_id}/receipts",
    answer=models.ReceiptPage.from_dict,
)

LIST_READERS = Operation(
    name="listReaders",
    method="GET",
    path="/v1/messages/{message_id}/receipts",
    answer=models.MessageReceipts.from_dict,
)


class Receipts(Resource):
    """How far users have read, and who has read a message."""

    def list(self, channel_id: str, *, limit: int = 50, cursor: str | None = None) -> models.ReceiptPage:
        """How far each member has read, and how far messages have reached it, by user id; in channels of any size."""
        return self._call(
            Call(
                operation=LIST_RECEIPTS,
                path={"channel_id": channel_id},
                query={"limit": limit, "cursor": cursor},
            )
        )

    def iter(self, channel_id: str, *, page_size: int = 100) -> Iterator[models.Receipt]:
        """`receipts` of all pages of `list`, each asked for when the one before is used up."""
        return pages(lambda cursor: self.list(channel_id, cursor=cursor, limit=page_size), lambda page: page.receipts)

    def readers(self, message_id: str, *, limit: int = 50, cursor: str | None = None) -> models.MessageReceipts:
        """Who has read a message and how many received it; in a channel of more than 100 members, numbers alone."""
        return self._call(
            Call(
                operation=LIST_READERS,
                path={"message_id": message_id},
                query={"limit": limit, "cursor": cursor},
            )
        )

    def iter_readers(self, message_id: str, *, page_size: int = 100) -> Iterator[str]:
        """`user_ids` of all pages of `readers`, each asked for when the one before is used up."""
        return pages(
            lambda cursor: self.readers(message_id, cursor=cursor, limit=page_size),
            lambda page: page.user_ids,
        )


class AsyncReceipts(AsyncResource):
    """How far users have read, and who has read a message."""

    async def list(self, channel_id: str, *, limit: int = 50, cursor: str | None = None) -> models.ReceiptPage:
        """How far each member has read, and how far messages have reached it, by user id; in channels of any size."""
        return await self._call(
            Call(
                operation=LIST_RECEIPTS,
                path={"channel_id": channel_id},
                query={"limit": limit, "cursor": cursor},
            )
        )

    def iter(self, channel_id: str, *, page_size: int = 100) -> AsyncIterator[models.Receipt]:
        """`receipts` of all pages of `list`, each asked for when the one before is used up."""
        return async_pages(
            lambda cursor: self.list(channel_id, cursor=cursor, limit=page_size),
            lambda page: page.receipts,
        )

    async def readers(self, message_id: str, *, limit: int = 50, cursor: str | None = None) -> models.MessageReceipts:
        """Who has read a message and how many received it; in a channel of more than 100 members, numbers alone."""
        return await self._call(
            Call(
                operation=LIST_READERS,
                path={"message_id": message_id},
                query={"limit": limit, "cursor": cursor},
            )
        )

    def iter_readers(self, message_id: str, *, page_size: int = 100) -> AsyncIterator[str]:
        """`user_ids` of all pages of `readers`, each asked for when the one before is used up."""
        return async_pages(
            lambda cursor: self.readers(message_id, cursor=cursor, limit=page_size),
            lambda page: page.user_ids,
        )
