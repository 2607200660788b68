"""`client.threads`: replies to a message, and what is unread in them.

Generated from the API's description by `make reference`. Do not edit.
"""

from collections.abc import AsyncIterator, Iterator

from .. import models
from .._operation import Call, Operation
from .._resource import AsyncResource, Resource, async_newer, async_older, async_pages, newer, older, pages

LIST_THREADS = Operation(
    name="listThreads",
    method="GET",
    path="/v1/threads",
    answer=models.ThreadPage.from_dict,
    acts="query",
)

LIST_REPLIES = Operation(
    name="listReplies",
    method="GET",
    path="/v1/messages/{message_id}/replies",
    answer=models.MessagePage.from_dict,
)

MARK_THREAD_READ = Operation(
    name="markThreadRead",
    method="PUT",
    path="/v1/messages/{message_id}/thread/read",
    answer=models.ThreadPosition.from_dict,
    acts="body",
)


class Threads(Resource):
    """Replies to a message, and what is unread in them."""

    def list(self, *, limit: int = 50, cursor: str | None = None, user_id: str | None = None) -> models.ThreadPage:
        """The threads that a user takes part in (it began one, replied, or was mentioned), with what is unread in each;
        the one with the latest reply first.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user.
        """
        return self._call(
            Call(
                operation=LIST_THREADS,
                query={"limit": limit, "cursor": cursor, "user_id": user_id},
            )
        )

    def iter(self, *, user_id: str | None = None, page_size: int = 100) -> Iterator[models.OwnThread]:
        """`threads` of all pages of `list`, each asked for when the one before is used up."""
        return pages(
            lambda cursor: self.list(user_id=user_id, cursor=cursor, limit=page_size),
            lambda page: page.threads,
        )

    def replies(
        self,
        message_id: str,
        *,
        limit: int = 50,
        before: str | int | None = None,
        after: str | int | None = None,
        around: str | int | None = None,
    ) -> models.MessagePage:
        """A page of the replies to a message, oldest first: the newest, or those before, after or around one of them.

        `before`: a message's id or a `seq`: the page holds messages older than it; `after`: a message's id or a `seq`:
        the page holds messages newer than it; `around`: a message's id or a `seq`: the page holds messages on both
        sides of it, and it itself. Give one of `before`, `after` and `around`.
        """
        return self._call(
            Call(
                operation=LIST_REPLIES,
                path={"message_id": message_id},
                query={"limit": limit, "before": before, "after": after, "around": around},
            )
        )

    def iter_replies(self, message_id: str, *, after: str | int = 0, page_size: int = 100) -> Iterator[models.Message]:
        """All messages, the oldest first, or those after a message or a `seq`; those said meanwhile, too."""
        return newer(lambda at: self.replies(message_id, after=at, limit=page_size), after)

    def iter_replies_back(
        self,
        message_id: str,
        *,
        before: str | int | None = None,
        page_size: int = 100,
    ) -> Iterator[models.Message]:
        """All messages, the newest first, or those before a message or a `seq`."""
        return older(lambda at: self.replies(message_id, before=at, limit=page_size), before)

    def mark_read(
        self,
        message_id: str,
        *,
        reply_id: str | None = None,
        user_id: str | None = None,
    ) -> models.ThreadPosition:
        """Mark a thread that one takes part in read, up to a reply or entirely. The position never goes back.

        Up to a reply, or all of it. `user_id`: for a server to name.
        """
        return self._call(
            Call(
                operation=MARK_THREAD_READ,
                path={"message_id": message_id},
                body={"reply_id": reply_id, "user_id": user_id},
            )
        )


class AsyncThreads(AsyncResource):
    """Replies to a message, and what is unread in them."""

    async def list(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        user_id: str | None = None,
    ) -> models.ThreadPage:
        """The threads that a user takes part in (it began one, replied, or was mentioned), with what is unread in each;
        the one with the latest reply first.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user.
        """
        return await self._call(
            Call(
                operation=LIST_THREADS,
                query={"limit": limit, "cursor": cursor, "user_id": user_id},
            )
        )

    def iter(self, *, user_id: str | None = None, page_size: int = 100) -> AsyncIterator[models.OwnThread]:
        """`threads` of all pages of `list`, each asked for when the one before is used up."""
        return async_pages(
            lambda cursor: self.list(user_id=user_id, cursor=cursor, limit=page_size),
            lambda page: page.threads,
        )

    async def replies(
        self,
        message_id: str,
        *,
        limit: int = 50,
        before: str | int | None = None,
        after: str | int | None = None,
        around: str | int | None = None,
    ) -> models.MessagePage:
        """A page of the replies to a message, oldest first: the newest, or those before, after or around one of them.

        `before`: a message's id or a `seq`: the page holds messages older than it; `after`: a message's id or a `seq`:
        the page holds messages newer than it; `around`: a message's id or a `seq`: the page holds messages on both
        sides of it, and it itself. Give one of `before`, `after` and `around`.
        """
        return await self._call(
            Call(
                operation=LIST_REPLIES,
                path={"message_id": message_id},
                query={"limit": limit, "before": before, "after": after, "around": around},
            )
        )

    def iter_replies(
        self,
        message_id: str,
        *,
        after: str | int = 0,
        page_size: int = 100,
    ) -> AsyncIterator[models.Message]:
        """All messages, the oldest first, or those after a message or a `seq`; those said meanwhile, too."""
        return async_newer(lambda at: self.replies(message_id, after=at, limit=page_size), after)

    def iter_replies_back(
        self,
        message_id: str,
        *,
        before: str | int | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[models.Message]:
        """All messages, the newest first, or those before a message or a `seq`."""
        return async_older(lambda at: self.replies(message_id, before=at, limit=page_size), before)

    async def mark_read(
        self,
        message_id: str,
        *,
        reply_id: str | None = None,
        user_id: str | None = None,
    ) -> models.ThreadPosition:
        """Mark a thread that one takes part in read, up to a reply or entirely. The position never goes back.

        Up to a reply, or all of it. `user_id`: for a server to name.
        """
        return await self._call(
            Call(
                operation=MARK_THREAD_READ,
                path={"message_id": message_id},
                body={"reply_id": reply_id, "user_id": user_id},
            )
        )
