"""`client.messages`: sending, history, editing.

Generated from the API's description by `make reference`. Do not edit.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from .. import models, params
from .._given import NOT_GIVEN, NotGiven
from .._operation import Call, Operation, one
from .._resource import AsyncResource, Resource, async_newer, async_older, async_pages, newer, older, pages

SEND_MESSAGE = Operation(
    name="sendMessage",
    method="POST",
    path="/v1/channels/{channel_id}/messages",
    answer=one("message", models.Message),
    acts="body",
    fresh_id="msg",
)

LIST_MESSAGES = Operation(
    name="listMessages",
    method="GET",
    path="/v1/channels/{channel_id}/messages",
    answer=models.MessagePage.from_dict,
)

GET_MESSAGE = Operation(
    name="getMessage",
    method="GET",
    path="/v1/messages/{message_id}",
    answer=one("message", models.Message),
)

EDIT_MESSAGE = Operation(
    name="editMessage",
    method="PATCH",
    path="/v1/messages/{message_id}",
    answer=one("message", models.Message),
    acts="body",
)

DELETE_MESSAGE = Operation(
    name="deleteMessage",
    method="DELETE",
    path="/v1/messages/{message_id}",
    answer=one("message", models.Message),
    acts="query",
)

RESTORE_MESSAGE = Operation(
    name="restoreMessage",
    method="POST",
    path="/v1/messages/{message_id}/restore",
    answer=one("message", models.Message),
    acts="body",
)

HIDE_MESSAGE = Operation(
    name="hideMessage",
    method="POST",
    path="/v1/messages/{message_id}/hide",
    answer=models.HiddenMessage.from_dict,
    acts="body",
)

LIST_VERSIONS = Operation(
    name="listVersions",
    method="GET",
    path="/v1/messages/{message_id}/versions",
    answer=models.VersionPage.from_dict,
)


class Messages(Resource):
    """Sending, history, editing."""

    def send(
        self,
        channel_id: str,
        *,
        id: str | None = None,
        text: str | None = None,
        attachments: Sequence[Mapping[str, Any]] | None = None,
        custom: Mapping[str, Any] | None = None,
        silent: bool = False,
        thread_id: str | None = None,
        also_in_channel: bool = False,
        quoted_id: str | None = None,
        mentions: params.Mentions | models.Mentions | None = None,
        system: bool = False,
        user_id: str | None = None,
    ) -> models.Message:
        """Send a message as a user who has `message.send` in the channel. The answer means that it is committed.

        Make the `id` yourself (UUIDv7) and the request is safe to send again: the same id with the same content is
        answered with the message that was stored, once. It needs `text` that is not blank, or an attachment.

        `user_id` is for a server alone; `id` makes a retry safe.

        `id`: the client makes one when you do not (`natter.new_message_id`).
        """
        return self._call(
            Call(
                operation=SEND_MESSAGE,
                path={"channel_id": channel_id},
                body={
                    "id": id,
                    "text": text,
                    "attachments": attachments,
                    "custom": custom,
                    "silent": silent,
                    "thread_id": thread_id,
                    "also_in_channel": also_in_channel,
                    "quoted_id": quoted_id,
                    "mentions": mentions,
                    "system": system,
                    "user_id": user_id,
                },
            )
        )

    def list(
        self,
        channel_id: str,
        *,
        limit: int = 50,
        before: str | int | None = None,
        after: str | int | None = None,
        around: str | int | None = None,
    ) -> models.MessagePage:
        """A page of messages, oldest first: the newest, or those before, after or around a message.

        Deleted messages keep their place.

        `before`: a message's id or a `seq`: the page holds messages older than it; `after`: a message's id or a `seq`:
        the page holds messages newer than it; `around`: a message's id or a `seq`: the page holds messages on both
        sides of it, and it itself. Give one of `before`, `after` and `around`.
        """
        return self._call(
            Call(
                operation=LIST_MESSAGES,
                path={"channel_id": channel_id},
                query={"limit": limit, "before": before, "after": after, "around": around},
            )
        )

    def iter(self, channel_id: str, *, after: str | int = 0, page_size: int = 100) -> Iterator[models.Message]:
        """All messages, the oldest first, or those after a message or a `seq`; those said meanwhile, too."""
        return newer(lambda at: self.list(channel_id, after=at, limit=page_size), after)

    def iter_back(
        self,
        channel_id: str,
        *,
        before: str | int | None = None,
        page_size: int = 100,
    ) -> Iterator[models.Message]:
        """All messages, the newest first, or those before a message or a `seq`."""
        return older(lambda at: self.list(channel_id, before=at, limit=page_size), before)

    def get(self, message_id: str) -> models.Message:
        """One message of a channel that you see; a server gets any."""
        return self._call(
            Call(
                operation=GET_MESSAGE,
                path={"message_id": message_id},
            )
        )

    def edit(
        self,
        message_id: str,
        *,
        text: str | NotGiven = NOT_GIVEN,
        attachments: Sequence[Mapping[str, Any]] | NotGiven = NOT_GIVEN,
        custom: Mapping[str, Any] | NotGiven = NOT_GIVEN,
        set: Mapping[str, Any] | None = None,
        unset: Sequence[str] | None = None,
        user_id: str | None = None,
    ) -> models.Message:
        """Replace parts of a message's content. What is left out stays; the same edit again changes nothing.

        `custom` replaces all of the custom data, `set` and `unset` fields of it. What the message said before is kept,
        see `GET /v1/messages/{message_id}/versions`.

        Needs `message.edit.own`, or `message.edit.any` where it is somebody else's.

        What is left out stays as it is. `user_id` is for a server alone.

        `custom` replaces all of the custom data; `set` and `unset` name fields of it to set and to take away.
        """
        return self._call(
            Call(
                operation=EDIT_MESSAGE,
                path={"message_id": message_id},
                body={
                    "text": text,
                    "attachments": attachments,
                    "custom": custom,
                    "set": set,
                    "unset": unset,
                    "user_id": user_id,
                },
            )
        )

    def delete(self, message_id: str, *, user_id: str | None = None, hard: bool = False) -> models.Message:
        """Delete a message: its place and number stay, its content is gone. Deleting again changes nothing.

        Whoever may can restore it. With `hard` its content, what it said before and its reactions are gone from the
        database, too. Needs `message.delete.own`, or `message.delete.any` where it is somebody else's; with `hard`
        `message.purge.own` or `message.purge.any`; also in a frozen channel.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user; `hard`:
        for good: nobody can restore it.
        """
        return self._call(
            Call(
                operation=DELETE_MESSAGE,
                path={"message_id": message_id},
                query={"user_id": user_id, "hard": hard},
            )
        )

    def restore(self, message_id: str, *, user_id: str | None = None) -> models.Message:
        """Bring a deleted message back, in its place, with what it said and said before, but without its reactions.

        Needs `message.restore.own` where the caller has written and deleted it, else `message.restore.any`. A message
        that is there is no error.

        `user_id`: in whose name, for a server.
        """
        return self._call(
            Call(
                operation=RESTORE_MESSAGE,
                path={"message_id": message_id},
                body={"user_id": user_id},
            )
        )

    def hide(self, message_id: str, *, user_id: str | None = None) -> models.HiddenMessage:
        """Delete a message for oneself alone: on none of one's devices it is in history, threads, what is unread.

        Members may; others see it as before. It does not come back, unless one leaves the channel and joins again. To
        say it again changes nothing.

        `user_id`: from whom, for a server to name.
        """
        return self._call(
            Call(
                operation=HIDE_MESSAGE,
                path={"message_id": message_id},
                body={"user_id": user_id},
            )
        )

    def versions(self, message_id: str, *, limit: int = 50, cursor: str | None = None) -> models.VersionPage:
        """What a message said before it was edited, the latest first: each edit keeps what it replaced, up to 100 of
        them.

        Needs `message.versions.own`, or `message.versions.any` where it is somebody else's.
        """
        return self._call(
            Call(
                operation=LIST_VERSIONS,
                path={"message_id": message_id},
                query={"limit": limit, "cursor": cursor},
            )
        )

    def iter_versions(self, message_id: str, *, page_size: int = 100) -> Iterator[models.MessageVersion]:
        """`versions` of all pages of `versions`, each asked for when the one before is used up."""
        return pages(
            lambda cursor: self.versions(message_id, cursor=cursor, limit=page_size),
            lambda page: page.versions,
        )


class AsyncMessages(AsyncResource):
    """Sending, history, editing."""

    async def send(
        self,
        channel_id: str,
        *,
        id: str | None = None,
        text: str | None = None,
        attachments: Sequence[Mapping[str, Any]] | None = None,
        custom: Mapping[str, Any] | None = None,
        silent: bool = False,
        thread_id: str | None = None,
        also_in_channel: bool = False,
        quoted_id: str | None = None,
        mentions: params.Mentions | models.Mentions | None = None,
        system: bool = False,
        user_id: str | None = None,
    ) -> models.Message:
        """Send a message as a user who has `message.send` in the channel. The answer means that it is committed.

        Make the `id` yourself (UUIDv7) and the request is safe to send again: the same id with the same content is
        answered with the message that was stored, once. It needs `text` that is not blank, or an attachment.

        `user_id` is for a server alone; `id` makes a retry safe.

        `id`: the client makes one when you do not (`natter.new_message_id`).
        """
        return await self._call(
            Call(
                operation=SEND_MESSAGE,
                path={"channel_id": channel_id},
                body={
                    "id": id,
                    "text": text,
                    "attachments": attachments,
                    "custom": custom,
                    "silent": silent,
                    "thread_id": thread_id,
                    "also_in_channel": also_in_channel,
                    "quoted_id": quoted_id,
                    "mentions": mentions,
                    "system": system,
                    "user_id": user_id,
                },
            )
        )

    async def list(
        self,
        channel_id: str,
        *,
        limit: int = 50,
        before: str | int | None = None,
        after: str | int | None = None,
        around: str | int | None = None,
    ) -> models.MessagePage:
        """A page of messages, oldest first: the newest, or those before, after or around a message.

        Deleted messages keep their place.

        `before`: a message's id or a `seq`: the page holds messages older than it; `after`: a message's id or a `seq`:
        the page holds messages newer than it; `around`: a message's id or a `seq`: the page holds messages on both
        sides of it, and it itself. Give one of `before`, `after` and `around`.
        """
        return await self._call(
            Call(
                operation=LIST_MESSAGES,
                path={"channel_id": channel_id},
                query={"limit": limit, "before": before, "after": after, "around": around},
            )
        )

    def iter(self, channel_id: str, *, after: str | int = 0, page_size: int = 100) -> AsyncIterator[models.Message]:
        """All messages, the oldest first, or those after a message or a `seq`; those said meanwhile, too."""
        return async_newer(lambda at: self.list(channel_id, after=at, limit=page_size), after)

    def iter_back(
        self,
        channel_id: str,
        *,
        before: str | int | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[models.Message]:
        """All messages, the newest first, or those before a message or a `seq`."""
        return async_older(lambda at: self.list(channel_id, before=at, limit=page_size), before)

    async def get(self, message_id: str) -> models.Message:
        """One message of a channel that you see; a server gets any."""
        return await self._call(
            Call(
                operation=GET_MESSAGE,
                path={"message_id": message_id},
            )
        )

    async def edit(
        self,
        message_id: str,
        *,
        text: str | NotGiven = NOT_GIVEN,
        attachments: Sequence[Mapping[str, Any]] | NotGiven = NOT_GIVEN,
        custom: Mapping[str, Any] | NotGiven = NOT_GIVEN,
        set: Mapping[str, Any] | None = None,
        unset: Sequence[str] | None = None,
        user_id: str | None = None,
    ) -> models.Message:
        """Replace parts of a message's content. What is left out stays; the same edit again changes nothing.

        `custom` replaces all of the custom data, `set` and `unset` fields of it. What the message said before is kept,
        see `GET /v1/messages/{message_id}/versions`.

        Needs `message.edit.own`, or `message.edit.any` where it is somebody else's.

        What is left out stays as it is. `user_id` is for a server alone.

        `custom` replaces all of the custom data; `set` and `unset` name fields of it to set and to take away.
        """
        return await self._call(
            Call(
                operation=EDIT_MESSAGE,
                path={"message_id": message_id},
                body={
                    "text": text,
                    "attachments": attachments,
                    "custom": custom,
                    "set": set,
                    "unset": unset,
                    "user_id": user_id,
                },
            )
        )

    async def delete(self, message_id: str, *, user_id: str | None = None, hard: bool = False) -> models.Message:
        """Delete a message: its place and number stay, its content is gone. Deleting again changes nothing.

        Whoever may can restore it. With `hard` its content, what it said before and its reactions are gone from the
        database, too. Needs `message.delete.own`, or `message.delete.any` where it is somebody else's; with `hard`
        `message.purge.own` or `message.purge.any`; also in a frozen channel.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user; `hard`:
        for good: nobody can restore it.
        """
        return await self._call(
            Call(
                operation=DELETE_MESSAGE,
                path={"message_id": message_id},
                query={"user_id": user_id, "hard": hard},
            )
        )

    async def restore(self, message_id: str, *, user_id: str | None = None) -> models.Message:
        """Bring a deleted message back, in its place, with what it said and said before, but without its reactions.

        Needs `message.restore.own` where the caller has written and deleted it, else `message.restore.any`. A message
        that is there is no error.

        `user_id`: in whose name, for a server.
        """
        return await self._call(
            Call(
                operation=RESTORE_MESSAGE,
                path={"message_id": message_id},
                body={"user_id": user_id},
            )
        )

    async def hide(self, message_id: str, *, user_id: str | None = None) -> models.HiddenMessage:
        """Delete a message for oneself alone: on none of one's devices it is in history, threads, what is unread.

        Members may; others see it as before. It does not come back, unless one leaves the channel and joins again. To
        say it again changes nothing.

        `user_id`: from whom, for a server to name.
        """
        return await self._call(
            Call(
                operation=HIDE_MESSAGE,
                path={"message_id": message_id},
                body={"user_id": user_id},
            )
        )

    async def versions(self, message_id: str, *, limit: int = 50, cursor: str | None = None) -> models.VersionPage:
        """What a message said before it was edited, the latest first: each edit keeps what it replaced, up to 100 of
        them.

        Needs `message.versions.own`, or `message.versions.any` where it is somebody else's.
        """
        return await self._call(
            Call(
                operation=LIST_VERSIONS,
                path={"message_id": message_id},
                query={"limit": limit, "cursor": cursor},
            )
        )

    def iter_versions(self, message_id: str, *, page_size: int = 100) -> AsyncIterator[models.MessageVersion]:
        """`versions` of all pages of `versions`, each asked for when the one before is used up."""
        return async_pages(
            lambda cursor: self.versions(message_id, cursor=cursor, limit=page_size),
            lambda page: page.versions,
        )
