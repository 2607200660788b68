"""`client.presence`: who is there, what users show of themselves, who watches a channel.

Generated from the API's description by `make reference`. Do not edit.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime
from typing import Literal

from .. import models
from .._given import NOT_GIVEN, NotGiven
from .._operation import Call, Operation, many
from .._resource import AsyncResource, Resource, async_pages, pages

GET_PRESENCE = Operation(
    name="getPresence",
    method="GET",
    path="/v1/users/{user_id}/presence",
    answer=models.Presence.from_dict,
)

PUT_PRESENCE = Operation(
    name="putPresence",
    method="PUT",
    path="/v1/users/{user_id}/presence",
    answer=models.Presence.from_dict,
    nullable=frozenset({"text"}),
)

QUERY_PRESENCE = Operation(
    name="queryPresence",
    method="POST",
    path="/v1/presence/query",
    answer=many("presence", models.Presence),
)

LIST_WATCHERS = Operation(
    name="listWatchers",
    method="GET",
    path="/v1/channels/{channel_id}/watchers",
    answer=models.WatcherPage.from_dict,
)


class Presence(Resource):
    """Who is there, what users show of themselves, who watches a channel."""

    def get(self, user_id: str) -> models.Presence:
        """Where a user is, by the best of its devices, and the text it chose.

        Who is invisible looks offline, and so does who has blocked the caller or is blocked by it.
        """
        return self._call(
            Call(
                operation=GET_PRESENCE,
                path={"user_id": user_id},
            )
        )

    def put(
        self,
        user_id: str,
        *,
        status: Literal["away", "invisible", "online"] | NotGiven = NOT_GIVEN,
        text: str | NotGiven | None = NOT_GIVEN,
        text_expires_at: datetime | None = None,
    ) -> models.Presence:
        """Choose what a user shows, on all its devices, until it is chosen otherwise. Users choose for themselves.

        What is left out stays; a null `text` takes it away.

        `status` is for all of the user's devices: `online` shows it as its devices are. `text_expires_at` belongs to
        the text given with it.
        """
        return self._call(
            Call(
                operation=PUT_PRESENCE,
                path={"user_id": user_id},
                body={"status": status, "text": text, "text_expires_at": text_expires_at},
            )
        )

    def query(self, user_ids: Sequence[str]) -> list[models.Presence]:
        """Where 1 to 100 users are."""
        return self._call(
            Call(
                operation=QUERY_PRESENCE,
                body={"user_ids": user_ids},
            )
        )

    def watchers(self, channel_id: str, *, limit: int = 50, cursor: str | None = None) -> models.WatcherPage:
        """How many users watch a channel, on any node, and who they are while they are at most 100."""
        return self._call(
            Call(
                operation=LIST_WATCHERS,
                path={"channel_id": channel_id},
                query={"limit": limit, "cursor": cursor},
            )
        )

    def iter_watchers(self, channel_id: str, *, page_size: int = 100) -> Iterator[str]:
        """`user_ids` of all pages of `watchers`, each asked for when the one before is used up."""
        return pages(
            lambda cursor: self.watchers(channel_id, cursor=cursor, limit=page_size),
            lambda page: page.user_ids,
        )


class AsyncPresence(AsyncResource):
    """Who is there, what users show of themselves, who watches a channel."""

    async def get(self, user_id: str) -> models.Presence:
        """Where a user is, by the best of its devices, and the text it chose.

        Who is invisible looks offline, and so does who has blocked the caller or is blocked by it.
        """
        return await self._call(
            Call(
                operation=GET_PRESENCE,
                path={"user_id": user_id},
            )
        )

    async def put(
        self,
        user_id: str,
        *,
        status: Literal["away", "invisible", "online"] | NotGiven = NOT_GIVEN,
        text: str | NotGiven | None = NOT_GIVEN,
        text_expires_at: datetime | None = None,
    ) -> models.Presence:
        """Choose what a user shows, on all its devices, until it is chosen otherwise. Users choose for themselves.

        What is left out stays; a null `text` takes it away.

        `status` is for all of the user's devices: `online` shows it as its devices are. `text_expires_at` belongs to
        the text given with it.
        """
        return await self._call(
            Call(
                operation=PUT_PRESENCE,
                path={"user_id": user_id},
                body={"status": status, "text": text, "text_expires_at": text_expires_at},
            )
        )

    async def query(self, user_ids: Sequence[str]) -> list[models.Presence]:
        """Where 1 to 100 users are."""
        return await self._call(
            Call(
                operation=QUERY_PRESENCE,
                body={"user_ids": user_ids},
            )
        )

    async def watchers(self, channel_id: str, *, limit: int = 50, cursor: str | None = None) -> models.WatcherPage:
        """How many users watch a channel, on any node, and who they are while they are at most 100."""
        return await self._call(
            Call(
                operation=LIST_WATCHERS,
                path={"channel_id": channel_id},
                query={"limit": limit, "cursor": cursor},
            )
        )

    def iter_watchers(self, channel_id: str, *, page_size: int = 100) -> AsyncIterator[str]:
        """`user_ids` of all pages of `watchers`, each asked for when the one before is used up."""
        return async_pages(
            lambda cursor: self.watchers(channel_id, cursor=cursor, limit=page_size),
            lambda page: page.user_ids,
        )
