"""REST: look at users' presence, and choose one's own."""

from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation
from litestar.types import ControllerRouterHandler

from data_plane.dependencies import (
    ANYBODY,
    READERS,
    CallerDependency,
    ChannelPath,
    Cursor,
    Limit,
    ReaderDependency,
    UserPath,
    require_scope,
)
from data_plane.members.errors import UnknownUsers
from data_plane.presence.schemas import PutPresence, QueryPresence
from data_plane.presence.service import PresenceService
from data_plane.presence.tracker import PresenceAway
from data_plane.presence.views import PresenceList, PresenceView, WatcherPage
from kernel.errors import NotFound
from kernel.http import answers

PresenceDependency = NamedDependency[SkipValidation[PresenceService]]
_TAGS = ["Presence"]


@get(
    "/v1/users/{user_id:str}/presence",
    operation_id="getPresence",
    summary="Get a user's presence",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, PresenceView, "Where the user is."), errors=(NotFound, PresenceAway)),
)
async def get_presence(user_id: UserPath, caller: CallerDependency, presence: PresenceDependency) -> PresenceView:
    """Where a user is, by the best of its devices, and the text it chose.

    Who is invisible looks offline, and so does who has blocked the caller or is blocked by it.
    """
    require_scope(caller, "users")
    return await presence.get(caller, user_id)


@put(
    "/v1/users/{user_id:str}/presence",
    operation_id="putPresence",
    summary="Choose a user's presence",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, PresenceView, "The presence as it is now."), errors=(NotFound, PresenceAway), in_read_only=True),
)
async def put_presence(
    user_id: UserPath, data: JSONBody[PutPresence], caller: CallerDependency, presence: PresenceDependency
) -> PresenceView:
    """Choose what a user shows, on all its devices, until it is chosen otherwise. Users choose for themselves."""
    return await presence.put(caller, user_id, data)


@post(
    "/v1/presence/query",
    status_code=200,
    operation_id="queryPresence",
    summary="Get the presence of many users",
    tags=_TAGS,
    security=ANYBODY,
    opt=answers((200, PresenceList, "In the order given."), errors=(UnknownUsers, PresenceAway), in_read_only=True),
)
async def query_presence(
    data: JSONBody[QueryPresence], caller: CallerDependency, presence: PresenceDependency
) -> PresenceList:
    """Where 1 to 100 users are."""
    require_scope(caller, "users")
    return {"presence": await presence.query(caller, list(dict.fromkeys(data.user_ids)))}


@get(
    "/v1/channels/{channel_id:str}/watchers",
    operation_id="listWatchers",
    summary="List who watches a channel",
    tags=_TAGS,
    security=READERS,
    opt=answers((200, WatcherPage, "A page of watchers."), errors=(PresenceAway,)),
)
async def list_watchers(
    channel_id: ChannelPath,
    reader: ReaderDependency,
    presence: PresenceDependency,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> WatcherPage:
    """How many users watch a channel, on any node, and who they are while they are at most 100."""
    require_scope(reader, "channels")
    return await presence.watchers(reader, channel_id, limit=limit, cursor=cursor)


ROUTES: list[ControllerRouterHandler] = [get_presence, put_presence, query_presence, list_watchers]
