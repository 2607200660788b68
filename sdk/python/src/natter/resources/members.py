"""`client.members`: who is in a channel, and as what.

Generated from the API's description by `make reference`. Do not edit.
"""

import builtins
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Literal

from .. import models
from .._operation import Call, Operation, many, nothing
from .._resource import AsyncResource, Resource, async_pages, pages

LIST_MEMBERS = Operation(
    name="listMembers",
    method="GET",
    path="/v1/channels/{channel_id}/members",
    answer=models.MemberPage.from_dict,
)

ADD_MEMBERS = Operation(
    name="addMembers",
    method="POST",
    path="/v1/channels/{channel_id}/members",
    answer=many("members", models.Member),
    keyed=True,
)

QUERY_MEMBERS = Operation(
    name="queryMembers",
    method="POST",
    path="/v1/channels/{channel_id}/members/query",
    answer=models.QueriedMembers.from_dict,
)

PUT_MEMBER = Operation(
    name="putMember",
    method="PUT",
    path="/v1/channels/{channel_id}/members/{user_id}",
    answer=models.Member.from_dict,
)

UPDATE_MEMBER = Operation(
    name="updateMember",
    method="PATCH",
    path="/v1/channels/{channel_id}/members/{user_id}",
    answer=models.Member.from_dict,
)

REMOVE_MEMBER = Operation(
    name="removeMember",
    method="DELETE",
    path="/v1/channels/{channel_id}/members/{user_id}",
    answer=nothing,
    removes=True,
)


class Members(Resource):
    """Who is in a channel, and as what."""

    def list(self, channel_id: str, *, limit: int = 50, cursor: str | None = None) -> models.MemberPage:
        """The members of a channel by user id."""
        return self._call(
            Call(
                operation=LIST_MEMBERS,
                path={"channel_id": channel_id},
                query={"limit": limit, "cursor": cursor},
            )
        )

    def iter(self, channel_id: str, *, page_size: int = 100) -> Iterator[models.Member]:
        """`members` of all pages of `list`, each asked for when the one before is used up."""
        return pages(lambda cursor: self.list(channel_id, cursor=cursor, limit=page_size), lambda page: page.members)

    def add(
        self,
        channel_id: str,
        *,
        user_ids: Sequence[str],
        role: str = "member",
        history: Literal["all", "joined"] | None = None,
        custom: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> builtins.list[models.Member]:
        """Add up to 100 users, all or none. Needs `member.add`; the role may do no more than whoever gives it.

        With `history` `joined` they see nothing of what was said before, with `all` everything, left out as the channel
        says. Who does not see everything itself shows no more than it sees: its own beginning is theirs.

        `history`: what the new ones see of before; left out, as the channel says. `custom` is kept with each new
        membership.

        `idempotency_key`: the same for the same thing to do. The client makes one for each call.
        """
        return self._call(
            Call(
                operation=ADD_MEMBERS,
                path={"channel_id": channel_id},
                body={"user_ids": user_ids, "role": role, "history": history, "custom": custom},
                idempotency_key=idempotency_key,
            )
        )

    def query(
        self,
        channel_id: str,
        *,
        filter: Mapping[str, Any] | None = None,
        sort: Sequence[str] | None = None,
        limit: int = 25,
        cursor: str | None = None,
        explain: bool = False,
    ) -> models.QueriedMembers:
        """The members of a channel that match a filter. See the guide on queries.

        `sort` names fields, a `-` before one turns it round; `explain` adds how it is answered.
        """
        return self._call(
            Call(
                operation=QUERY_MEMBERS,
                path={"channel_id": channel_id},
                body={"filter": filter, "sort": sort, "limit": limit, "cursor": cursor, "explain": explain},
            )
        )

    def iter_query(
        self,
        channel_id: str,
        *,
        filter: Mapping[str, Any] | None = None,
        sort: Sequence[str] | None = None,
        page_size: int = 100,
    ) -> Iterator[models.Member]:
        """`members` of all pages of `query`, each asked for when the one before is used up."""
        return pages(
            lambda cursor: self.query(channel_id, filter=filter, sort=sort, cursor=cursor, limit=page_size),
            lambda page: page.members,
        )

    def put(
        self,
        channel_id: str,
        user_id: str,
        *,
        role: str | None = None,
        history: Literal["all", "joined"] | None = None,
        custom: Mapping[str, Any] | None = None,
    ) -> models.Member:
        """Add one user, or change a member's role. Needs `member.add`, or `member.role` for a change.

        The role, and the one that is taken, may do no more than whoever gives and takes. The last owner stays one.

        Without a role, a member keeps the one it has.

        `history` and `custom` are for who is no member yet.
        """
        return self._call(
            Call(
                operation=PUT_MEMBER,
                path={"channel_id": channel_id, "user_id": user_id},
                body={"role": role, "history": history, "custom": custom},
            )
        )

    def update(
        self,
        channel_id: str,
        user_id: str,
        *,
        set: Mapping[str, Any] | None = None,
        unset: Sequence[str] | None = None,
    ) -> models.Member:
        """Set and take away fields of a membership's custom data: one's own, or with `member.custom` another's.

        Everybody in the channel sees it, and gets `member.updated`.

        Fields of the membership's custom data to set, and to take away; what is named in neither stays.
        """
        return self._call(
            Call(
                operation=UPDATE_MEMBER,
                path={"channel_id": channel_id, "user_id": user_id},
                body={"set": set, "unset": unset},
            )
        )

    def remove(self, channel_id: str, user_id: str) -> None:
        """Remove a member. Needs `member.remove`, for oneself `channel.leave`.

        Nobody removes who may do more. The last owner does not go while others stay.
        """
        self._call(
            Call(
                operation=REMOVE_MEMBER,
                path={"channel_id": channel_id, "user_id": user_id},
            )
        )


class AsyncMembers(AsyncResource):
    """Who is in a channel, and as what."""

    async def list(self, channel_id: str, *, limit: int = 50, cursor: str | None = None) -> models.MemberPage:
        """The members of a channel by user id."""
        return await self._call(
            Call(
                operation=LIST_MEMBERS,
                path={"channel_id": channel_id},
                query={"limit": limit, "cursor": cursor},
            )
        )

    def iter(self, channel_id: str, *, page_size: int = 100) -> AsyncIterator[models.Member]:
        """`members` of all pages of `list`, each asked for when the one before is used up."""
        return async_pages(
            lambda cursor: self.list(channel_id, cursor=cursor, limit=page_size),
            lambda page: page.members,
        )

    async def add(
        self,
        channel_id: str,
        *,
        user_ids: Sequence[str],
        role: str = "member",
        history: Literal["all", "joined"] | None = None,
        custom: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> builtins.list[models.Member]:
        """Add up to 100 users, all or none. Needs `member.add`; the role may do no more than whoever gives it.

        With `history` `joined` they see nothing of what was said before, with `all` everything, left out as the channel
        says. Who does not see everything itself shows no more than it sees: its own beginning is theirs.

        `history`: what the new ones see of before; left out, as the channel says. `custom` is kept with each new
        membership.

        `idempotency_key`: the same for the same thing to do. The client makes one for each call.
        """
        return await self._call(
            Call(
                operation=ADD_MEMBERS,
                path={"channel_id": channel_id},
                body={"user_ids": user_ids, "role": role, "history": history, "custom": custom},
                idempotency_key=idempotency_key,
            )
        )

    async def query(
        self,
        channel_id: str,
        *,
        filter: Mapping[str, Any] | None = None,
        sort: Sequence[str] | None = None,
        limit: int = 25,
        cursor: str | None = None,
        explain: bool = False,
    ) -> models.QueriedMembers:
        """The members of a channel that match a filter. See the guide on queries.

        `sort` names fields, a `-` before one turns it round; `explain` adds how it is answered.
        """
        return await self._call(
            Call(
                operation=QUERY_MEMBERS,
                path={"channel_id": channel_id},
                body={"filter": filter, "sort": sort, "limit": limit, "cursor": cursor, "explain": explain},
            )
        )

    def iter_query(
        self,
        channel_id: str,
        *,
        filter: Mapping[str, Any] | None = None,
        sort: Sequence[str] | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[models.Member]:
        """`members` of all pages of `query`, each asked for when the one before is used up."""
        return async_pages(
            lambda cursor: self.query(channel_id, filter=filter, sort=sort, cursor=cursor, limit=page_size),
            lambda page: page.members,
        )

    async def put(
        self,
        channel_id: str,
        user_id: str,
        *,
        role: str | None = None,
        history: Literal["all", "joined"] | None = None,
        custom: Mapping[str, Any] | None = None,
    ) -> models.Member:
        """Add one user, or change a member's role. Needs `member.add`, or `member.role` for a change.

        The role, and the one that is taken, may do no more than whoever gives and takes. The last owner stays one.

        Without a role, a member keeps the one it has.

        `history` and `custom` are for who is no member yet.
        """
        return await self._call(
            Call(
                operation=PUT_MEMBER,
                path={"channel_id": channel_id, "user_id": user_id},
                body={"role": role, "history": history, "custom": custom},
            )
        )

    async def update(
        self,
        channel_id: str,
        user_id: str,
        *,
        set: Mapping[str, Any] | None = None,
        unset: Sequence[str] | None = None,
    ) -> models.Member:
        """Set and take away fields of a membership's custom data: one's own, or with `member.custom` another's.

        Everybody in the channel sees it, and gets `member.updated`.

        Fields of the membership's custom data to set, and to take away; what is named in neither stays.
        """
        return await self._call(
            Call(
                operation=UPDATE_MEMBER,
                path={"channel_id": channel_id, "user_id": user_id},
                body={"set": set, "unset": unset},
            )
        )

    async def remove(self, channel_id: str, user_id: str) -> None:
        """Remove a member. Needs `member.remove`, for oneself `channel.leave`.

        Nobody removes who may do more. The last owner does not go while others stay.
        """
        await self._call(
            Call(
                operation=REMOVE_MEMBER,
                path={"channel_id": channel_id, "user_id": user_id},
            )
        )
