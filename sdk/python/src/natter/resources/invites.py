"""`client.invites`: who is asked to become a member.

Generated from the API's description by `make reference`. Do not edit.
"""

import builtins
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Literal

from .. import models
from .._operation import Call, Operation, many, nothing
from .._resource import AsyncResource, Resource, async_pages, pages

LIST_INVITES = Operation(
    name="listInvites",
    method="GET",
    path="/v1/invites",
    answer=models.InvitePage.from_dict,
    acts="query",
)

LIST_CHANNEL_INVITES = Operation(
    name="listChannelInvites",
    method="GET",
    path="/v1/channels/{channel_id}/invites",
    answer=models.InvitePage.from_dict,
)

INVITE_MEMBERS = Operation(
    name="inviteMembers",
    method="POST",
    path="/v1/channels/{channel_id}/invites",
    answer=many("invites", models.Invite),
    keyed=True,
)

REVOKE_INVITE = Operation(
    name="revokeInvite",
    method="DELETE",
    path="/v1/channels/{channel_id}/invites/{user_id}",
    answer=nothing,
    removes=True,
)

ACCEPT_INVITE = Operation(
    name="acceptInvite",
    method="POST",
    path="/v1/invites/{channel_id}/accept",
    answer=models.Channel.from_dict,
    acts="body",
    repeatable=False,
)

REJECT_INVITE = Operation(
    name="rejectInvite",
    method="POST",
    path="/v1/invites/{channel_id}/reject",
    answer=nothing,
    acts="body",
    removes=True,
)


class Invites(Resource):
    """Who is asked to become a member."""

    def list(self, *, limit: int = 50, cursor: str | None = None, user_id: str | None = None) -> models.InvitePage:
        """What the user is invited to and has not answered, by channel; a server names the user with `user_id`.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user.
        """
        return self._call(
            Call(
                operation=LIST_INVITES,
                query={"limit": limit, "cursor": cursor, "user_id": user_id},
            )
        )

    def iter(self, *, user_id: str | None = None, page_size: int = 100) -> Iterator[models.Invite]:
        """`invites` of all pages of `list`, each asked for when the one before is used up."""
        return pages(
            lambda cursor: self.list(user_id=user_id, cursor=cursor, limit=page_size),
            lambda page: page.invites,
        )

    def of_channel(self, channel_id: str, *, limit: int = 50, cursor: str | None = None) -> models.InvitePage:
        """Who is invited to a channel and has not answered, by user id. Needs `member.add`."""
        return self._call(
            Call(
                operation=LIST_CHANNEL_INVITES,
                path={"channel_id": channel_id},
                query={"limit": limit, "cursor": cursor},
            )
        )

    def iter_of_channel(self, channel_id: str, *, page_size: int = 100) -> Iterator[models.Invite]:
        """`invites` of all pages of `of_channel`, each asked for when the one before is used up."""
        return pages(
            lambda cursor: self.of_channel(channel_id, cursor=cursor, limit=page_size),
            lambda page: page.invites,
        )

    def create(
        self,
        channel_id: str,
        *,
        user_ids: Sequence[str],
        role: str = "member",
        history: Literal["all", "joined"] | None = None,
        custom: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> builtins.list[models.Invite]:
        """Ask up to 100 users to become members, all or none; members are left out. They hear `invite.changed`, and
        receive nothing of the channel before they accept. Needs `member.add`; the role may do no more than whoever
        gives it.

        What they become, see of before and have kept with them once they accept, as for who is added.

        `idempotency_key`: the same for the same thing to do. The client makes one for each call.
        """
        return self._call(
            Call(
                operation=INVITE_MEMBERS,
                path={"channel_id": channel_id},
                body={"user_ids": user_ids, "role": role, "history": history, "custom": custom},
                idempotency_key=idempotency_key,
            )
        )

    def revoke(self, channel_id: str, user_id: str) -> None:
        """Take back an invite that was not answered. Needs `member.add`."""
        self._call(
            Call(
                operation=REVOKE_INVITE,
                path={"channel_id": channel_id, "user_id": user_id},
            )
        )

    def accept(self, channel_id: str, *, user_id: str | None = None) -> models.Channel:
        """Become a member of a channel that one was invited to; a server names with `user_id` who accepts. Answers with
        the channel as the caller sees it.

        `user_id`: who answers, for a server to name.
        """
        return self._call(
            Call(
                operation=ACCEPT_INVITE,
                path={"channel_id": channel_id},
                body={"user_id": user_id},
            )
        )

    def reject(self, channel_id: str, *, user_id: str | None = None) -> None:
        """Say no to an invite; a server names with `user_id` who does. One may be invited again.

        `user_id`: who answers, for a server to name.
        """
        self._call(
            Call(
                operation=REJECT_INVITE,
                path={"channel_id": channel_id},
                body={"user_id": user_id},
            )
        )


class AsyncInvites(AsyncResource):
    """Who is asked to become a member."""

    async def list(
        self,
        *,
        limit: int = 50,
        cursor: str | None = None,
        user_id: str | None = None,
    ) -> models.InvitePage:
        """What the user is invited to and has not answered, by channel; a server names the user with `user_id`.

        `user_id`: with a secret key: the user that is asked for or acts. With a user token only its own user.
        """
        return await self._call(
            Call(
                operation=LIST_INVITES,
                query={"limit": limit, "cursor": cursor, "user_id": user_id},
            )
        )

    def iter(self, *, user_id: str | None = None, page_size: int = 100) -> AsyncIterator[models.Invite]:
        """`invites` of all pages of `list`, each asked for when the one before is used up."""
        return async_pages(
            lambda cursor: self.list(user_id=user_id, cursor=cursor, limit=page_size),
            lambda page: page.invites,
        )

    async def of_channel(self, channel_id: str, *, limit: int = 50, cursor: str | None = None) -> models.InvitePage:
        """Who is invited to a channel and has not answered, by user id. Needs `member.add`."""
        return await self._call(
            Call(
                operation=LIST_CHANNEL_INVITES,
                path={"channel_id": channel_id},
                query={"limit": limit, "cursor": cursor},
            )
        )

    def iter_of_channel(self, channel_id: str, *, page_size: int = 100) -> AsyncIterator[models.Invite]:
        """`invites` of all pages of `of_channel`, each asked for when the one before is used up."""
        return async_pages(
            lambda cursor: self.of_channel(channel_id, cursor=cursor, limit=page_size),
            lambda page: page.invites,
        )

    async def create(
        self,
        channel_id: str,
        *,
        user_ids: Sequence[str],
        role: str = "member",
        history: Literal["all", "joined"] | None = None,
        custom: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> builtins.list[models.Invite]:
        """Ask up to 100 users to become members, all or none; members are left out. They hear `invite.changed`, and
        receive nothing of the channel before they accept. Needs `member.add`; the role may do no more than whoever
        gives it.

        What they become, see of before and have kept with them once they accept, as for who is added.

        `idempotency_key`: the same for the same thing to do. The client makes one for each call.
        """
        return await self._call(
            Call(
                operation=INVITE_MEMBERS,
                path={"channel_id": channel_id},
                body={"user_ids": user_ids, "role": role, "history": history, "custom": custom},
                idempotency_key=idempotency_key,
            )
        )

    async def revoke(self, channel_id: str, user_id: str) -> None:
        """Take back an invite that was not answered. Needs `member.add`."""
        await self._call(
            Call(
                operation=REVOKE_INVITE,
                path={"channel_id": channel_id, "user_id": user_id},
            )
        )

    async def accept(self, channel_id: str, *, user_id: str | None = None) -> models.Channel:
        """Become a member of a channel that one was invited to; a server names with `user_id` who accepts. Answers with
        the channel as the caller sees it.

        `user_id`: who answers, for a server to name.
        """
        return await self._call(
            Call(
                operation=ACCEPT_INVITE,
                path={"channel_id": channel_id},
                body={"user_id": user_id},
            )
        )

    async def reject(self, channel_id: str, *, user_id: str | None = None) -> None:
        """Say no to an invite; a server names with `user_id` who does. One may be invited again.

        `user_id`: who answers, for a server to name.
        """
        await self._call(
            Call(
                operation=REJECT_INVITE,
                path={"channel_id": channel_id},
                body={"user_id": user_id},
            )
        )
