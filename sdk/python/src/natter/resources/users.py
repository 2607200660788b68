"""`client.users`: profiles of your app's users.

Generated from the API's description by `make reference`. Do not edit.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

from .. import models, params
from .._given import NOT_GIVEN, NotGiven
from .._operation import Call, Operation, many, nothing
from .._resource import AsyncResource, Resource, async_pages, pages

UPSERT_USERS = Operation(
    name="upsertUsers",
    method="POST",
    path="/v1/users",
    answer=many("users", models.User),
)

UPDATE_USERS = Operation(
    name="updateUsers",
    method="PATCH",
    path="/v1/users",
    answer=many("users", models.User),
)

QUERY_USERS = Operation(
    name="queryUsers",
    method="POST",
    path="/v1/users/query",
    answer=models.QueriedUsers.from_dict,
)

DEACTIVATE_USER = Operation(
    name="deactivateUser",
    method="POST",
    path="/v1/users/{user_id}/deactivate",
    answer=models.User.from_dict,
)

REACTIVATE_USER = Operation(
    name="reactivateUser",
    method="POST",
    path="/v1/users/{user_id}/reactivate",
    answer=models.User.from_dict,
)

GET_USER = Operation(
    name="getUser",
    method="GET",
    path="/v1/users/{user_id}",
    answer=models.User.from_dict,
)

PUT_USER = Operation(
    name="putUser",
    method="PUT",
    path="/v1/users/{user_id}",
    answer=models.User.from_dict,
)

UPDATE_USER = Operation(
    name="updateUser",
    method="PATCH",
    path="/v1/users/{user_id}",
    answer=models.User.from_dict,
    nullable=frozenset({"image", "name"}),
)

SEND_USER_EVENT = Operation(
    name="sendUserEvent",
    method="POST",
    path="/v1/users/{user_id}/events",
    answer=nothing,
    repeatable=False,
)


class Users(Resource):
    """Profiles of your app's users."""

    def upsert(self, users: Sequence[params.UserInBatch]) -> list[models.User]:
        """Create or replace 1 to 100 users, all or none. A profile that is so already changes nothing.

        All are written, or none.
        """
        return self._call(
            Call(
                operation=UPSERT_USERS,
                body={"users": users},
            )
        )

    def update_many(self, users: Sequence[params.PatchInBatch]) -> list[models.User]:
        """Change some fields of 1 to 100 users, all or none. What is so already is no change.

        All are changed, or none.
        """
        return self._call(
            Call(
                operation=UPDATE_USERS,
                body={"users": users},
            )
        )

    def query(
        self,
        *,
        filter: Mapping[str, Any] | None = None,
        sort: Sequence[str] | None = None,
        limit: int = 25,
        cursor: str | None = None,
        explain: bool = False,
    ) -> models.QueriedUsers:
        """The users that match a filter. Deactivated ones are left out unless it speaks of `deactivated_at`.

        See the guide on queries.

        `sort` names fields, a `-` before one turns it round; `explain` adds how it is answered.
        """
        return self._call(
            Call(
                operation=QUERY_USERS,
                body={"filter": filter, "sort": sort, "limit": limit, "cursor": cursor, "explain": explain},
            )
        )

    def iter_query(
        self,
        *,
        filter: Mapping[str, Any] | None = None,
        sort: Sequence[str] | None = None,
        page_size: int = 100,
    ) -> Iterator[models.User]:
        """`users` of all pages of `query`, each asked for when the one before is used up."""
        return pages(
            lambda cursor: self.query(filter=filter, sort=sort, cursor=cursor, limit=page_size),
            lambda page: page.users,
        )

    def deactivate(self, user_id: str) -> models.User:
        """Take a user out of service: its tokens are revoked, its sockets closed, it gets no new ones and sends
        nothing.

        What it wrote, and where it is a member, stays.
        """
        return self._call(
            Call(
                operation=DEACTIVATE_USER,
                path={"user_id": user_id},
            )
        )

    def reactivate(self, user_id: str) -> models.User:
        """Serve a deactivated user again. Old tokens stay revoked: make new ones."""
        return self._call(
            Call(
                operation=REACTIVATE_USER,
                path={"user_id": user_id},
            )
        )

    def get(self, user_id: str) -> models.User:
        """The public profile of any user of the app."""
        return self._call(
            Call(
                operation=GET_USER,
                path={"user_id": user_id},
            )
        )

    def put(
        self,
        user_id: str,
        *,
        name: str | None = None,
        image: str | None = None,
        role: str = "user",
        custom: Mapping[str, Any] | None = None,
    ) -> models.User:
        """Create or replace one user: the whole profile; what is left out is empty afterwards.

        The whole profile; what is left out is empty afterwards.
        """
        return self._call(
            Call(
                operation=PUT_USER,
                path={"user_id": user_id},
                body={"name": name, "image": image, "role": role, "custom": custom},
            )
        )

    def update(
        self,
        user_id: str,
        *,
        name: str | NotGiven | None = NOT_GIVEN,
        image: str | NotGiven | None = NOT_GIVEN,
        role: str | NotGiven = NOT_GIVEN,
        custom: Mapping[str, Any] | NotGiven = NOT_GIVEN,
    ) -> models.User:
        """Change some fields of a user: a server of any, a user of itself, where only a server gives roles.

        What is left out stays; `custom` is replaced as a whole.
        """
        return self._call(
            Call(
                operation=UPDATE_USER,
                path={"user_id": user_id},
                body={"name": name, "image": image, "role": role, "custom": custom},
            )
        )

    def send_event(self, user_id: str, *, type: str, data: Mapping[str, Any] | None = None) -> None:
        """Tell a user's connections of something that your app has named, whatever they watch."""
        self._call(
            Call(
                operation=SEND_USER_EVENT,
                path={"user_id": user_id},
                body={"type": type, "data": data},
            )
        )


class AsyncUsers(AsyncResource):
    """Profiles of your app's users."""

    async def upsert(self, users: Sequence[params.UserInBatch]) -> list[models.User]:
        """Create or replace 1 to 100 users, all or none. A profile that is so already changes nothing.

        All are written, or none.
        """
        return await self._call(
            Call(
                operation=UPSERT_USERS,
                body={"users": users},
            )
        )

    async def update_many(self, users: Sequence[params.PatchInBatch]) -> list[models.User]:
        """Change some fields of 1 to 100 users, all or none. What is so already is no change.

        All are changed, or none.
        """
        return await self._call(
            Call(
                operation=UPDATE_USERS,
                body={"users": users},
            )
        )

    async def query(
        self,
        *,
        filter: Mapping[str, Any] | None = None,
        sort: Sequence[str] | None = None,
        limit: int = 25,
        cursor: str | None = None,
        explain: bool = False,
    ) -> models.QueriedUsers:
        """The users that match a filter. Deactivated ones are left out unless it speaks of `deactivated_at`.

        See the guide on queries.

        `sort` names fields, a `-` before one turns it round; `explain` adds how it is answered.
        """
        return await self._call(
            Call(
                operation=QUERY_USERS,
                body={"filter": filter, "sort": sort, "limit": limit, "cursor": cursor, "explain": explain},
            )
        )

    def iter_query(
        self,
        *,
        filter: Mapping[str, Any] | None = None,
        sort: Sequence[str] | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[models.User]:
        """`users` of all pages of `query`, each asked for when the one before is used up."""
        return async_pages(
            lambda cursor: self.query(filter=filter, sort=sort, cursor=cursor, limit=page_size),
            lambda page: page.users,
        )

    async def deactivate(self, user_id: str) -> models.User:
        """Take a user out of service: its tokens are revoked, its sockets closed, it gets no new ones and sends
        nothing.

        What it wrote, and where it is a member, stays.
        """
        return await self._call(
            Call(
                operation=DEACTIVATE_USER,
                path={"user_id": user_id},
            )
        )

    async def reactivate(self, user_id: str) -> models.User:
        """Serve a deactivated user again. Old tokens stay revoked: make new ones."""
        return await self._call(
            Call(
                operation=REACTIVATE_USER,
                path={"user_id": user_id},
            )
        )

    async def get(self, user_id: str) -> models.User:
        """The public profile of any user of the app."""
        return await self._call(
            Call(
                operation=GET_USER,
                path={"user_id": user_id},
            )
        )

    async def put(
        self,
        user_id: str,
        *,
        name: str | None = None,
        image: str | None = None,
        role: str = "user",
        custom: Mapping[str, Any] | None = None,
    ) -> models.User:
        """Create or replace one user: the whole profile; what is left out is empty afterwards.

        The whole profile; what is left out is empty afterwards.
        """
        return await self._call(
            Call(
                operation=PUT_USER,
                path={"user_id": user_id},
                body={"name": name, "image": image, "role": role, "custom": custom},
            )
        )

    async def update(
        self,
        user_id: str,
        *,
        name: str | NotGiven | None = NOT_GIVEN,
        image: str | NotGiven | None = NOT_GIVEN,
        role: str | NotGiven = NOT_GIVEN,
        custom: Mapping[str, Any] | NotGiven = NOT_GIVEN,
    ) -> models.User:
        """Change some fields of a user: a server of any, a user of itself, where only a server gives roles.

        What is left out stays; `custom` is replaced as a whole.
        """
        return await self._call(
            Call(
                operation=UPDATE_USER,
                path={"user_id": user_id},
                body={"name": name, "image": image, "role": role, "custom": custom},
            )
        )

    async def send_event(self, user_id: str, *, type: str, data: Mapping[str, Any] | None = None) -> None:
        """Tell a user's connections of something that your app has named, whatever they watch."""
        await self._call(
            Call(
                operation=SEND_USER_EVENT,
                path={"user_id": user_id},
                body={"type": type, "data": data},
            )
        )
