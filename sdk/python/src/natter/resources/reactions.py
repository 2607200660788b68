"""`client.reactions`: what others feel about a message.

Generated from the API's description by `make reference`. Do not edit.
"""

from collections.abc import AsyncIterator, Iterator

from .. import models
from .._operation import Call, Operation, one
from .._resource import AsyncResource, Resource, async_pages, pages

ADD_REACTION = Operation(
    name="addReaction",
    method="PUT",
    path="/v1/messages/{message_id}/reactions/{emoji}",
    answer=one("message", models.Message),
    acts="body",
)

REMOVE_REACTION = Operation(
    name="removeReaction",
    method="DELETE",
    path="/v1/messages/{message_id}/reactions/{emoji}",
    answer=one("message", models.Message),
    acts="query",
)

LIST_REACTIONS = Operation(
    name="listReactions",
    method="GET",
    path="/v1/messages/{message_id}/reactions",
    answer=models.ReactionPage.from_dict,
)


class Reactions(Resource):
    """What others feel about a message."""

    def add(self, message_id: str, emoji: str, *, unique: bool = False, user_id: str | None = None) -> models.Message:
        """React to a message with an emoji. Needs `reaction.add`; not in a frozen channel.

        A user may react with several, once with each; with `unique` this one takes the place of all others of the user.

        `unique`: in the place of whatever else the user reacted with. `user_id`: who reacts, for a server to name.
        """
        return self._call(
            Call(
                operation=ADD_REACTION,
                path={"message_id": message_id, "emoji": emoji},
                body={"unique": unique, "user_id": user_id},
            )
        )

    def remove(self, message_id: str, emoji: str, *, user_id: str | None = None) -> models.Message:
        """Take one's reaction back, whether it was there or not; also in a frozen channel.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user.
        """
        return self._call(
            Call(
                operation=REMOVE_REACTION,
                path={"message_id": message_id, "emoji": emoji},
                query={"user_id": user_id},
            )
        )

    def list(
        self,
        message_id: str,
        *,
        emoji: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> models.ReactionPage:
        """Who reacted with what, emoji by emoji, the earliest first; or with one emoji alone.

        `emoji`: one emoji, or a name of 1–32 of `a-z0-9_+-`.
        """
        return self._call(
            Call(
                operation=LIST_REACTIONS,
                path={"message_id": message_id},
                query={"emoji": emoji, "limit": limit, "cursor": cursor},
            )
        )

    def iter(self, message_id: str, *, emoji: str | None = None, page_size: int = 100) -> Iterator[models.Reaction]:
        """`reactions` of all pages of `list`, each asked for when the one before is used up."""
        return pages(
            lambda cursor: self.list(message_id, emoji=emoji, cursor=cursor, limit=page_size),
            lambda page: page.reactions,
        )


class AsyncReactions(AsyncResource):
    """What others feel about a message."""

    async def add(
        self,
        message_id: str,
        emoji: str,
        *,
        unique: bool = False,
        user_id: str | None = None,
    ) -> models.Message:
        """React to a message with an emoji. Needs `reaction.add`; not in a frozen channel.

        A user may react with several, once with each; with `unique` this one takes the place of all others of the user.

        `unique`: in the place of whatever else the user reacted with. `user_id`: who reacts, for a server to name.
        """
        return await self._call(
            Call(
                operation=ADD_REACTION,
                path={"message_id": message_id, "emoji": emoji},
                body={"unique": unique, "user_id": user_id},
            )
        )

    async def remove(self, message_id: str, emoji: str, *, user_id: str | None = None) -> models.Message:
        """Take one's reaction back, whether it was there or not; also in a frozen channel.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user.
        """
        return await self._call(
            Call(
                operation=REMOVE_REACTION,
                path={"message_id": message_id, "emoji": emoji},
                query={"user_id": user_id},
            )
        )

    async def list(
        self,
        message_id: str,
        *,
        emoji: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> models.ReactionPage:
        """Who reacted with what, emoji by emoji, the earliest first; or with one emoji alone.

        `emoji`: one emoji, or a name of 1–32 of `a-z0-9_+-`.
        """
        return await self._call(
            Call(
                operation=LIST_REACTIONS,
                path={"message_id": message_id},
                query={"emoji": emoji, "limit": limit, "cursor": cursor},
            )
        )

    def iter(
        self,
        message_id: str,
        *,
        emoji: str | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[models.Reaction]:
        """`reactions` of all pages of `list`, each asked for when the one before is used up."""
        return async_pages(
            lambda cursor: self.list(message_id, emoji=emoji, cursor=cursor, limit=page_size),
            lambda page: page.reactions,
        )
