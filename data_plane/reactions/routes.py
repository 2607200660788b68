"""`/v1/messages/{id}/reactions`."""

from typing import Annotated

from litestar import Response, delete, get, put
from litestar.params import JSONBody, PathParameter, QueryParameter
from litestar.types import ControllerRouterHandler

from data_plane.blocks.errors import Blocked
from data_plane.channels.errors import ChannelFrozen
from data_plane.dependencies import (
    ANYBODY,
    READERS,
    CallerDependency,
    Cursor,
    Limit,
    MessagePath,
    OptionalUser,
    ReaderDependency,
    ShardDependency,
    require_scope,
)
from data_plane.grants.errors import PermissionMissing
from data_plane.idempotency import Answer
from data_plane.members.errors import UnknownUsers
from data_plane.messages.errors import MessageDeleted
from data_plane.messages.views import OneMessage
from data_plane.reactions.errors import TooManyReactions
from data_plane.reactions.schemas import PutReaction
from data_plane.reactions.service import Reactions
from data_plane.reactions.views import ReactionPage
from kernel.http import answers

_TAGS = ["Reactions"]
_EMOJI = "One emoji, or a name of 1–32 of `a-z0-9_+-`."
EmojiPath = Annotated[str, PathParameter(min_length=1, max_length=64, description=_EMOJI)]


@put(
    "/v1/messages/{message_id:str}/reactions/{emoji:str}",
    operation_id="addReaction",
    summary="React to a message",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers(
        (201, OneMessage, "The reaction is new; the message as it is now."),
        (200, OneMessage, "The user had reacted with it already."),
        errors=(PermissionMissing, ChannelFrozen, Blocked, MessageDeleted, TooManyReactions, UnknownUsers),
    ),
)
async def add_reaction(
    message_id: MessagePath,
    emoji: EmojiPath,
    caller: CallerDependency,
    shard: ShardDependency,
    data: JSONBody[PutReaction | None] = None,
) -> Response[bytes]:
    """React to a message with an emoji. Needs `reaction.add`; not in a frozen channel.

    A user may react with several, once with each; with `unique` this one takes the place of all others of the user.
    """
    require_scope(caller, "messages")
    wish = data or PutReaction()
    async with shard.unit_of_work(caller.app_id) as uow:
        message, fresh = await Reactions(shard).add(
            uow, caller, message_id, emoji, unique=wish.unique, user_id=wish.user_id
        )
    return Answer(201 if fresh else 200, OneMessage(message=message)).response()


@delete(
    "/v1/messages/{message_id:str}/reactions/{emoji:str}",
    status_code=200,
    operation_id="removeReaction",
    summary="Take a reaction back",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, OneMessage, "The message as it is now."), errors=(UnknownUsers,)),
)
async def remove_reaction(
    message_id: MessagePath,
    emoji: EmojiPath,
    caller: CallerDependency,
    shard: ShardDependency,
    user_id: OptionalUser = None,
) -> OneMessage:
    """Take one's reaction back, whether it was there or not; also in a frozen channel."""
    require_scope(caller, "messages")
    async with shard.unit_of_work(caller.app_id) as uow:
        return {"message": await Reactions(shard).remove(uow, caller, message_id, emoji, user_id=user_id)}


@get(
    "/v1/messages/{message_id:str}/reactions",
    operation_id="listReactions",
    summary="List who reacted",
    tags=_TAGS,
    security=READERS,
    opt=answers((200, ReactionPage, "A page of reactions.")),
)
async def list_reactions(
    message_id: MessagePath,
    reader: ReaderDependency,
    shard: ShardDependency,
    emoji: Annotated[str | None, QueryParameter(min_length=1, max_length=64, description=_EMOJI)] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> ReactionPage:
    """Who reacted with what, emoji by emoji, the earliest first; or with one emoji alone."""
    require_scope(reader, "messages")
    async with shard.unit_of_work(reader.app_id, read_only=True) as uow:
        return await Reactions(shard).page(uow, reader, message_id, emoji=emoji, limit=limit, cursor=cursor)


ROUTES: list[ControllerRouterHandler] = [add_reaction, remove_reaction, list_reactions]
