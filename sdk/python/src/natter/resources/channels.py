"""`client.channels`: rooms with members, settings and a log of events.

Generated from the API's description by `make reference`. Do not edit.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from .. import models, params
from .._given import NOT_GIVEN, NotGiven
from .._operation import Call, Operation, nothing
from .._resource import AsyncResource, Resource, async_pages, pages

LIST_CHANNELS = Operation(
    name="listChannels",
    method="GET",
    path="/v1/channels",
    answer=models.ChannelPage.from_dict,
    acts="query",
)

CREATE_CHANNEL = Operation(
    name="createChannel",
    method="POST",
    path="/v1/channels",
    answer=models.Channel.from_dict,
    acts="body",
    keyed=True,
)

QUERY_CHANNELS = Operation(
    name="queryChannels",
    method="POST",
    path="/v1/channels/query",
    answer=models.QueriedChannels.from_dict,
    acts="body",
)

GET_CHANNEL = Operation(
    name="getChannel",
    method="GET",
    path="/v1/channels/{channel_id}",
    answer=models.Channel.from_dict,
)

UPDATE_CHANNEL = Operation(
    name="updateChannel",
    method="PATCH",
    path="/v1/channels/{channel_id}",
    answer=models.Channel.from_dict,
    nullable=frozenset({"grants", "image", "name"}),
)

DELETE_CHANNEL = Operation(
    name="deleteChannel",
    method="DELETE",
    path="/v1/channels/{channel_id}",
    answer=nothing,
    removes=True,
)

TRUNCATE_CHANNEL = Operation(
    name="truncateChannel",
    method="POST",
    path="/v1/channels/{channel_id}/truncate",
    answer=models.Channel.from_dict,
    repeatable=False,
)

JOIN_CHANNEL = Operation(
    name="joinChannel",
    method="POST",
    path="/v1/channels/{channel_id}/join",
    answer=models.Channel.from_dict,
    acts="body",
    keyed=True,
)

LEAVE_CHANNEL = Operation(
    name="leaveChannel",
    method="POST",
    path="/v1/channels/{channel_id}/leave",
    answer=nothing,
    acts="body",
    keyed=True,
)

ARRANGE_CHANNEL = Operation(
    name="arrangeChannel",
    method="PATCH",
    path="/v1/channels/{channel_id}/membership",
    answer=models.Arrangement.from_dict,
    acts="body",
    nullable=frozenset({"muted_until", "pin_before"}),
)

SEND_EVENT = Operation(
    name="sendEvent",
    method="POST",
    path="/v1/channels/{channel_id}/events",
    answer=nothing,
    acts="body",
    repeatable=False,
)

MARK_READ = Operation(
    name="markRead",
    method="POST",
    path="/v1/channels/{channel_id}/read",
    answer=models.ReadPosition.from_dict,
    acts="body",
    keyed=True,
)

MARK_UNREAD = Operation(
    name="markUnread",
    method="POST",
    path="/v1/channels/{channel_id}/unread",
    answer=models.ReadPosition.from_dict,
    acts="body",
)

MARK_DELIVERED = Operation(
    name="markDelivered",
    method="POST",
    path="/v1/channels/{channel_id}/delivered",
    answer=models.DeliveredPosition.from_dict,
    acts="body",
)

READ_ALL = Operation(
    name="readAll",
    method="POST",
    path="/v1/read",
    answer=models.ReadAll.from_dict,
    acts="body",
)


class Channels(Resource):
    """Rooms with members, settings and a log of events."""

    def list(
        self,
        *,
        limit: int = 25,
        cursor: str | None = None,
        user_id: str | None = None,
        archived: bool | Literal["any"] | None = None,
        hidden: bool | Literal["any"] | None = None,
        muted: bool | Literal["any"] | None = None,
        pinned: bool | Literal["any"] | None = None,
    ) -> models.ChannelPage:
        """The caller's channels by id; for a server those of `user_id`, or all of the app.

        By how the user has arranged them: `true`, `false` or `any`. A user who does not say gets neither archived nor
        hidden ones. With `pinned=true` they come in the order of the pins.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user;
        `archived`: whether the user has arranged them so, or `any`; `hidden`: whether the user has arranged them so, or
        `any`; `muted`: whether the user has arranged them so, or `any`; `pinned`: whether the user has arranged them
        so, or `any`.
        """
        return self._call(
            Call(
                operation=LIST_CHANNELS,
                query={
                    "limit": limit,
                    "cursor": cursor,
                    "user_id": user_id,
                    "archived": archived,
                    "hidden": hidden,
                    "muted": muted,
                    "pinned": pinned,
                },
            )
        )

    def iter(
        self,
        *,
        user_id: str | None = None,
        archived: bool | Literal["any"] | None = None,
        hidden: bool | Literal["any"] | None = None,
        muted: bool | Literal["any"] | None = None,
        pinned: bool | Literal["any"] | None = None,
        page_size: int = 100,
    ) -> Iterator[models.Channel]:
        """`channels` of all pages of `list`, each asked for when the one before is used up."""
        return pages(
            lambda cursor: self.list(
                user_id=user_id,
                archived=archived,
                hidden=hidden,
                muted=muted,
                pinned=pinned,
                cursor=cursor,
                limit=page_size,
            ),
            lambda page: page.channels,
        )

    def create(
        self,
        *,
        id: str | None = None,
        type: str = "group",
        name: str | None = None,
        image: str | None = None,
        custom: Mapping[str, Any] | None = None,
        members: Sequence[str] | None = None,
        history: Literal["all", "joined"] | None = None,
        slow_mode: int | None = None,
        distinct: bool | None = None,
        user_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Create a channel with its first members. A user gets the type's creator role, `owner` in most; a server names
        a creator with `user_id`, or nobody. A user needs `channel.create` in the type by its app role.

        Choose the `id` yourself and the request is safe to send again: the very same one is answered with the channel.
        Deleted channels keep their id.

        A `distinct` channel is the one of its type with exactly these members: whoever asks again, on any node, gets it
        with 200, whatever else the request says. A `direct` one without `id` is distinct.

        `user_id`: the creator, for a server to name. What is left out of `history` and `slow_mode` is as the type has
        it.

        `distinct`: the one channel of this type with exactly these members; left out, so for a `direct` one without
        `id`.

        `idempotency_key`: the same for the same thing to do. The client makes one for each call.
        """
        return self._call(
            Call(
                operation=CREATE_CHANNEL,
                body={
                    "id": id,
                    "type": type,
                    "name": name,
                    "image": image,
                    "custom": custom,
                    "members": members,
                    "history": history,
                    "slow_mode": slow_mode,
                    "distinct": distinct,
                    "user_id": user_id,
                },
                idempotency_key=idempotency_key,
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
        user_id: str | None = None,
    ) -> models.QueriedChannels:
        """The caller's channels that match a filter; for a server those of `user_id`, or all of the app.

        A user finds its own channels, and livestreams when it asks for them by `id` or by `type`. See the guide on
        queries.

        `user_id`: whose channels, for a server to name.
        """
        return self._call(
            Call(
                operation=QUERY_CHANNELS,
                body={
                    "filter": filter,
                    "sort": sort,
                    "limit": limit,
                    "cursor": cursor,
                    "explain": explain,
                    "user_id": user_id,
                },
            )
        )

    def iter_query(
        self,
        *,
        filter: Mapping[str, Any] | None = None,
        sort: Sequence[str] | None = None,
        user_id: str | None = None,
        page_size: int = 100,
    ) -> Iterator[models.Channel]:
        """`channels` of all pages of `query`, each asked for when the one before is used up."""
        return pages(
            lambda cursor: self.query(filter=filter, sort=sort, user_id=user_id, cursor=cursor, limit=page_size),
            lambda page: page.channels,
        )

    def get(self, channel_id: str) -> models.Channel:
        """One channel, as you see it."""
        return self._call(
            Call(
                operation=GET_CHANNEL,
                path={"channel_id": channel_id},
            )
        )

    def update(
        self,
        channel_id: str,
        *,
        name: str | NotGiven | None = NOT_GIVEN,
        image: str | NotGiven | None = NOT_GIVEN,
        custom: Mapping[str, Any] | NotGiven = NOT_GIVEN,
        frozen: bool | NotGiven = NOT_GIVEN,
        history: Literal["all", "joined"] | NotGiven = NOT_GIVEN,
        slow_mode: int | NotGiven = NOT_GIVEN,
        grants: Mapping[str, Sequence[str] | None] | NotGiven | None = NOT_GIVEN,
    ) -> models.Channel:
        """Change name, image, custom data, `frozen`, what who joins from now on sees of before (`history`), the pace
        (`slow_mode`), or what roles may do here (`grants`). What is left out stays; the same change again changes
        nothing.

        Needs `channel.update`, `channel.freeze`, `channel.slow` or `channel.grants`, by what is given.

        What is left out stays; null takes a name or image away.

        `grants` says for each role it names what that role may do in this channel; null for a role, or for all of them,
        gives back what the type says.
        """
        return self._call(
            Call(
                operation=UPDATE_CHANNEL,
                path={"channel_id": channel_id},
                body={
                    "name": name,
                    "image": image,
                    "custom": custom,
                    "frozen": frozen,
                    "history": history,
                    "slow_mode": slow_mode,
                    "grants": grants,
                },
            )
        )

    def delete(self, channel_id: str) -> None:
        """Delete a channel for everybody, with its messages. Its id stays taken.

        Needs `channel.delete`.
        """
        self._call(
            Call(
                operation=DELETE_CHANNEL,
                path={"channel_id": channel_id},
            )
        )

    def truncate(
        self,
        channel_id: str,
        *,
        before: int | None = None,
        before_time: datetime | None = None,
        hard: bool = False,
        message: params.TruncationMessage | None = None,
    ) -> models.Channel:
        """Take messages away for everybody: all of them, or those before a `seq` or a moment. Members stay, unread
        counts are of what is left, and everybody gets `channel.truncated`.

        Your server's history ends there too. Without `hard` the content stays in the database, for you to ask of it
        there; with it the content is wiped within seconds. With `message`, the system's word on it is what follows, in
        the same transaction. Needs `channel.truncate`.

        `before` is a `seq`, `before_time` a moment: what is older goes; neither of them: everything there is. `hard`
        wipes the content, which nothing brings back. `message`: a message of the system, which is the channel's last
        and stays.
        """
        return self._call(
            Call(
                operation=TRUNCATE_CHANNEL,
                path={"channel_id": channel_id},
                body={"before": before, "before_time": before_time, "hard": hard, "message": message},
            )
        )

    def join(
        self,
        channel_id: str,
        *,
        user_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Become a member of a channel that the user's app role lets it join; a server names with `user_id` who joins,
        and joins nobody who may not.

        Answers with the channel as the caller sees it.

        `user_id`: who joins, for a server to name.

        `idempotency_key`: the same for the same thing to do. The client makes one for each call.
        """
        return self._call(
            Call(
                operation=JOIN_CHANNEL,
                path={"channel_id": channel_id},
                body={"user_id": user_id},
                idempotency_key=idempotency_key,
            )
        )

    def leave(self, channel_id: str, *, user_id: str | None = None, idempotency_key: str | None = None) -> None:
        """Leave a channel; a server names with `user_id` who leaves. Needs `channel.leave`.

        `user_id`: who leaves, for a server to name.

        `idempotency_key`: the same for the same thing to do. The client makes one for each call.
        """
        self._call(
            Call(
                operation=LEAVE_CHANNEL,
                path={"channel_id": channel_id},
                body={"user_id": user_id},
                idempotency_key=idempotency_key,
            )
        )

    def arrange(
        self,
        channel_id: str,
        *,
        archived: bool | NotGiven = NOT_GIVEN,
        hidden: bool | NotGiven = NOT_GIVEN,
        clear_history: bool = False,
        muted: bool | NotGiven = NOT_GIVEN,
        muted_until: datetime | NotGiven | None = NOT_GIVEN,
        pinned: bool | NotGiven = NOT_GIVEN,
        pin_before: str | NotGiven | None = NOT_GIVEN,
        user_id: str | None = None,
    ) -> models.Arrangement:
        """What a member does with a channel for itself alone; its devices hear of it, nobody else.

        A hidden channel comes back by itself with the next message that makes unread. `clear_history` lets everything
        that was said so far be gone for this member, and read. A server names the member with `user_id`.

        What is left out stays. `user_id`: whose, for a server to name.

        `muted_until` mutes, null for good. `pin_before` pins before another channel that is pinned, null behind them
        all; `pinned` alone pins before all.
        """
        return self._call(
            Call(
                operation=ARRANGE_CHANNEL,
                path={"channel_id": channel_id},
                body={
                    "archived": archived,
                    "hidden": hidden,
                    "clear_history": clear_history,
                    "muted": muted,
                    "muted_until": muted_until,
                    "pinned": pinned,
                    "pin_before": pin_before,
                    "user_id": user_id,
                },
            )
        )

    def send_event(
        self,
        channel_id: str,
        *,
        type: str,
        data: Mapping[str, Any] | None = None,
        user_id: str | None = None,
    ) -> None:
        """Tell those who watch a channel now of something that your app has named. It is kept nowhere, and is no
        message: nobody is billed for it, and whoever is not there misses it.

        `user_id`: for a server to name whose event it is; without, nobody's.
        """
        self._call(
            Call(
                operation=SEND_EVENT,
                path={"channel_id": channel_id},
                body={"type": type, "data": data, "user_id": user_id},
            )
        )

    def mark_read(
        self,
        channel_id: str,
        *,
        number: int | None = None,
        message_id: str | None = None,
        user_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.ReadPosition:
        """Mark a channel read up to a message, or entirely. The position never goes back.

        Up to a message, by number or id; neither means everything.

        `idempotency_key`: the same for the same thing to do. The client makes one for each call.
        """
        return self._call(
            Call(
                operation=MARK_READ,
                path={"channel_id": channel_id},
                body={"number": number, "message_id": message_id, "user_id": user_id},
                idempotency_key=idempotency_key,
            )
        )

    def mark_unread(
        self,
        channel_id: str,
        *,
        number: int | None = None,
        message_id: str | None = None,
        user_id: str | None = None,
    ) -> models.ReadPosition:
        """Mark a message and all after it unread: the one way for a read position to go back.

        The first message that shall be unread, by number or id.
        """
        return self._call(
            Call(
                operation=MARK_UNREAD,
                path={"channel_id": channel_id},
                body={"number": number, "message_id": message_id, "user_id": user_id},
            )
        )

    def mark_delivered(
        self,
        channel_id: str,
        *,
        number: int | None = None,
        message_id: str | None = None,
        user_id: str | None = None,
    ) -> models.DeliveredPosition:
        """Say that messages up to one, or all, have reached a device of the user. The position never goes back.

        Up to a message, by number or id; neither means everything.
        """
        return self._call(
            Call(
                operation=MARK_DELIVERED,
                path={"channel_id": channel_id},
                body={"number": number, "message_id": message_id, "user_id": user_id},
            )
        )

    def mark_all_read(self, *, type: str | None = None, user_id: str | None = None) -> models.ReadAll:
        """Mark all channels of a user read, or those of a type; up to 500 in one call.

        All channels, or those of a type.
        """
        return self._call(
            Call(
                operation=READ_ALL,
                body={"type": type, "user_id": user_id},
            )
        )


class AsyncChannels(AsyncResource):
    """Rooms with members, settings and a log of events."""

    async def list(
        self,
        *,
        limit: int = 25,
        cursor: str | None = None,
        user_id: str | None = None,
        archived: bool | Literal["any"] | None = None,
        hidden: bool | Literal["any"] | None = None,
        muted: bool | Literal["any"] | None = None,
        pinned: bool | Literal["any"] | None = None,
    ) -> models.ChannelPage:
        """The caller's channels by id; for a server those of `user_id`, or all of the app.

        By how the user has arranged them: `true`, `false` or `any`. A user who does not say gets neither archived nor
        hidden ones. With `pinned=true` they come in the order of the pins.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user;
        `archived`: whether the user has arranged them so, or `any`; `hidden`: whether the user has arranged them so, or
        `any`; `muted`: whether the user has arranged them so, or `any`; `pinned`: whether the user has arranged them
        so, or `any`.
        """
        return await self._call(
            Call(
                operation=LIST_CHANNELS,
                query={
                    "limit": limit,
                    "cursor": cursor,
                    "user_id": user_id,
                    "archived": archived,
                    "hidden": hidden,
                    "muted": muted,
                    "pinned": pinned,
                },
            )
        )

    def iter(
        self,
        *,
        user_id: str | None = None,
        archived: bool | Literal["any"] | None = None,
        hidden: bool | Literal["any"] | None = None,
        muted: bool | Literal["any"] | None = None,
        pinned: bool | Literal["any"] | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[models.Channel]:
        """`channels` of all pages of `list`, each asked for when the one before is used up."""
        return async_pages(
            lambda cursor: self.list(
                user_id=user_id,
                archived=archived,
                hidden=hidden,
                muted=muted,
                pinned=pinned,
                cursor=cursor,
                limit=page_size,
            ),
            lambda page: page.channels,
        )

    async def create(
        self,
        *,
        id: str | None = None,
        type: str = "group",
        name: str | None = None,
        image: str | None = None,
        custom: Mapping[str, Any] | None = None,
        members: Sequence[str] | None = None,
        history: Literal["all", "joined"] | None = None,
        slow_mode: int | None = None,
        distinct: bool | None = None,
        user_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Create a channel with its first members. A user gets the type's creator role, `owner` in most; a server names
        a creator with `user_id`, or nobody. A user needs `channel.create` in the type by its app role.

        Choose the `id` yourself and the request is safe to send again: the very same one is answered with the channel.
        Deleted channels keep their id.

        A `distinct` channel is the one of its type with exactly these members: whoever asks again, on any node, gets it
        with 200, whatever else the request says. A `direct` one without `id` is distinct.

        `user_id`: the creator, for a server to name. What is left out of `history` and `slow_mode` is as the type has
        it.

        `distinct`: the one channel of this type with exactly these members; left out, so for a `direct` one without
        `id`.

        `idempotency_key`: the same for the same thing to do. The client makes one for each call.
        """
        return await self._call(
            Call(
                operation=CREATE_CHANNEL,
                body={
                    "id": id,
                    "type": type,
                    "name": name,
                    "image": image,
                    "custom": custom,
                    "members": members,
                    "history": history,
                    "slow_mode": slow_mode,
                    "distinct": distinct,
                    "user_id": user_id,
                },
                idempotency_key=idempotency_key,
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
        user_id: str | None = None,
    ) -> models.QueriedChannels:
        """The caller's channels that match a filter; for a server those of `user_id`, or all of the app.

        A user finds its own channels, and livestreams when it asks for them by `id` or by `type`. See the guide on
        queries.

        `user_id`: whose channels, for a server to name.
        """
        return await self._call(
            Call(
                operation=QUERY_CHANNELS,
                body={
                    "filter": filter,
                    "sort": sort,
                    "limit": limit,
                    "cursor": cursor,
                    "explain": explain,
                    "user_id": user_id,
                },
            )
        )

    def iter_query(
        self,
        *,
        filter: Mapping[str, Any] | None = None,
        sort: Sequence[str] | None = None,
        user_id: str | None = None,
        page_size: int = 100,
    ) -> AsyncIterator[models.Channel]:
        """`channels` of all pages of `query`, each asked for when the one before is used up."""
        return async_pages(
            lambda cursor: self.query(filter=filter, sort=sort, user_id=user_id, cursor=cursor, limit=page_size),
            lambda page: page.channels,
        )

    async def get(self, channel_id: str) -> models.Channel:
        """One channel, as you see it."""
        return await self._call(
            Call(
                operation=GET_CHANNEL,
                path={"channel_id": channel_id},
            )
        )

    async def update(
        self,
        channel_id: str,
        *,
        name: str | NotGiven | None = NOT_GIVEN,
        image: str | NotGiven | None = NOT_GIVEN,
        custom: Mapping[str, Any] | NotGiven = NOT_GIVEN,
        frozen: bool | NotGiven = NOT_GIVEN,
        history: Literal["all", "joined"] | NotGiven = NOT_GIVEN,
        slow_mode: int | NotGiven = NOT_GIVEN,
        grants: Mapping[str, Sequence[str] | None] | NotGiven | None = NOT_GIVEN,
    ) -> models.Channel:
        """Change name, image, custom data, `frozen`, what who joins from now on sees of before (`history`), the pace
        (`slow_mode`), or what roles may do here (`grants`). What is left out stays; the same change again changes
        nothing.

        Needs `channel.update`, `channel.freeze`, `channel.slow` or `channel.grants`, by what is given.

        What is left out stays; null takes a name or image away.

        `grants` says for each role it names what that role may do in this channel; null for a role, or for all of them,
        gives back what the type says.
        """
        return await self._call(
            Call(
                operation=UPDATE_CHANNEL,
                path={"channel_id": channel_id},
                body={
                    "name": name,
                    "image": image,
                    "custom": custom,
                    "frozen": frozen,
                    "history": history,
                    "slow_mode": slow_mode,
                    "grants": grants,
                },
            )
        )

    async def delete(self, channel_id: str) -> None:
        """Delete a channel for everybody, with its messages. Its id stays taken.

        Needs `channel.delete`.
        """
        await self._call(
            Call(
                operation=DELETE_CHANNEL,
                path={"channel_id": channel_id},
            )
        )

    async def truncate(
        self,
        channel_id: str,
        *,
        before: int | None = None,
        before_time: datetime | None = None,
        hard: bool = False,
        message: params.TruncationMessage | None = None,
    ) -> models.Channel:
        """Take messages away for everybody: all of them, or those before a `seq` or a moment. Members stay, unread
        counts are of what is left, and everybody gets `channel.truncated`.

        Your server's history ends there too. Without `hard` the content stays in the database, for you to ask of it
        there; with it the content is wiped within seconds. With `message`, the system's word on it is what follows, in
        the same transaction. Needs `channel.truncate`.

        `before` is a `seq`, `before_time` a moment: what is older goes; neither of them: everything there is. `hard`
        wipes the content, which nothing brings back. `message`: a message of the system, which is the channel's last
        and stays.
        """
        return await self._call(
            Call(
                operation=TRUNCATE_CHANNEL,
                path={"channel_id": channel_id},
                body={"before": before, "before_time": before_time, "hard": hard, "message": message},
            )
        )

    async def join(
        self,
        channel_id: str,
        *,
        user_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.Channel:
        """Become a member of a channel that the user's app role lets it join; a server names with `user_id` who joins,
        and joins nobody who may not.

        Answers with the channel as the caller sees it.

        `user_id`: who joins, for a server to name.

        `idempotency_key`: the same for the same thing to do. The client makes one for each call.
        """
        return await self._call(
            Call(
                operation=JOIN_CHANNEL,
                path={"channel_id": channel_id},
                body={"user_id": user_id},
                idempotency_key=idempotency_key,
            )
        )

    async def leave(self, channel_id: str, *, user_id: str | None = None, idempotency_key: str | None = None) -> None:
        """Leave a channel; a server names with `user_id` who leaves. Needs `channel.leave`.

        `user_id`: who leaves, for a server to name.

        `idempotency_key`: the same for the same thing to do. The client makes one for each call.
        """
        await self._call(
            Call(
                operation=LEAVE_CHANNEL,
                path={"channel_id": channel_id},
                body={"user_id": user_id},
                idempotency_key=idempotency_key,
            )
        )

    async def arrange(
        self,
        channel_id: str,
        *,
        archived: bool | NotGiven = NOT_GIVEN,
        hidden: bool | NotGiven = NOT_GIVEN,
        clear_history: bool = False,
        muted: bool | NotGiven = NOT_GIVEN,
        muted_until: datetime | NotGiven | None = NOT_GIVEN,
        pinned: bool | NotGiven = NOT_GIVEN,
        pin_before: str | NotGiven | None = NOT_GIVEN,
        user_id: str | None = None,
    ) -> models.Arrangement:
        """What a member does with a channel for itself alone; its devices hear of it, nobody else.

        A hidden channel comes back by itself with the next message that makes unread. `clear_history` lets everything
        that was said so far be gone for this member, and read. A server names the member with `user_id`.

        What is left out stays. `user_id`: whose, for a server to name.

        `muted_until` mutes, null for good. `pin_before` pins before another channel that is pinned, null behind them
        all; `pinned` alone pins before all.
        """
        return await self._call(
            Call(
                operation=ARRANGE_CHANNEL,
                path={"channel_id": channel_id},
                body={
                    "archived": archived,
                    "hidden": hidden,
                    "clear_history": clear_history,
                    "muted": muted,
                    "muted_until": muted_until,
                    "pinned": pinned,
                    "pin_before": pin_before,
                    "user_id": user_id,
                },
            )
        )

    async def send_event(
        self,
        channel_id: str,
        *,
        type: str,
        data: Mapping[str, Any] | None = None,
        user_id: str | None = None,
    ) -> None:
        """Tell those who watch a channel now of something that your app has named. It is kept nowhere, and is no
        message: nobody is billed for it, and whoever is not there misses it.

        `user_id`: for a server to name whose event it is; without, nobody's.
        """
        await self._call(
            Call(
                operation=SEND_EVENT,
                path={"channel_id": channel_id},
                body={"type": type, "data": data, "user_id": user_id},
            )
        )

    async def mark_read(
        self,
        channel_id: str,
        *,
        number: int | None = None,
        message_id: str | None = None,
        user_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> models.ReadPosition:
        """Mark a channel read up to a message, or entirely. The position never goes back.

        Up to a message, by number or id; neither means everything.

        `idempotency_key`: the same for the same thing to do. The client makes one for each call.
        """
        return await self._call(
            Call(
                operation=MARK_READ,
                path={"channel_id": channel_id},
                body={"number": number, "message_id": message_id, "user_id": user_id},
                idempotency_key=idempotency_key,
            )
        )

    async def mark_unread(
        self,
        channel_id: str,
        *,
        number: int | None = None,
        message_id: str | None = None,
        user_id: str | None = None,
    ) -> models.ReadPosition:
        """Mark a message and all after it unread: the one way for a read position to go back.

        The first message that shall be unread, by number or id.
        """
        return await self._call(
            Call(
                operation=MARK_UNREAD,
                path={"channel_id": channel_id},
                body={"number": number, "message_id": message_id, "user_id": user_id},
            )
        )

    async def mark_delivered(
        self,
        channel_id: str,
        *,
        number: int | None = None,
        message_id: str | None = None,
        user_id: str | None = None,
    ) -> models.DeliveredPosition:
        """Say that messages up to one, or all, have reached a device of the user. The position never goes back.

        Up to a message, by number or id; neither means everything.
        """
        return await self._call(
            Call(
                operation=MARK_DELIVERED,
                path={"channel_id": channel_id},
                body={"number": number, "message_id": message_id, "user_id": user_id},
            )
        )

    async def mark_all_read(self, *, type: str | None = None, user_id: str | None = None) -> models.ReadAll:
        """Mark all channels of a user read, or those of a type; up to 500 in one call.

        All channels, or those of a type.
        """
        return await self._call(
            Call(
                operation=READ_ALL,
                body={"type": type, "user_id": user_id},
            )
        )
