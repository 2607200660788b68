"""`GET /v1/limits`."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import QueryParameter, SkipValidation

from data_plane.channels.access import visible_channel
from data_plane.dependencies import ANYBODY, ID_PATTERN, CallerDependency, ShardDependency
from data_plane.grants.permissions import Permission
from data_plane.limits.limiter import Limiter
from data_plane.limits.policies import CUSTOM_CHANNEL, EVENTS_CONNECTION, MESSAGES_CHANNEL, POLICIES
from data_plane.limits.views import LimitsView, LimitView
from kernel.errors import NotFound
from kernel.gcra import seconds
from kernel.http import answers


@get(
    "/v1/limits",
    operation_id="getLimits",
    summary="Get the caller's limits",
    tags=["Limits"],
    security=ANYBODY,
    opt=answers((200, LimitsView, "The limits."), errors=(NotFound,)),
)
async def get_limits(
    caller: CallerDependency,
    shard: ShardDependency,
    limiter: NamedDependency[SkipValidation[Limiter]],
    channel_id: Annotated[
        str | None,
        QueryParameter(pattern=ID_PATTERN, description="A channel of the caller's, whose own limits are told too."),
    ] = None,
) -> LimitsView:
    """The rate limits that the caller is under, and how much of each is left over all nodes.

    A user sees its own, a server those of the whole app. Asking counts as a request. Of a slow channel, `messages.slow`
    tells in `reset` after how many seconds the user may send there again.
    """
    wanted = "app" if caller.is_server else "user"
    buckets = [limiter.bucket(caller.app, p, caller.user_id or "") for p in POLICIES if p.key == wanted]
    if channel_id is not None:
        async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
            found = await visible_channel(shard, uow, caller, channel_id)
        wait = found.state.channel.slow_mode
        if wait and not caller.is_server and Permission.MESSAGE_SEND_SLOW not in found.sight.allowed:
            buckets.append(limiter.slow_bucket(caller.app, channel_id, caller.user_id or "", wait))
        buckets += [limiter.bucket(caller.app, policy, channel_id) for policy in (MESSAGES_CHANNEL, CUSTOM_CHANNEL)]
    await limiter.refresh(buckets)
    views: list[LimitView] = []
    for policy, rate, remaining, reset in map(limiter.standing, buckets):
        views.append(
            {
                "policy": policy.name,
                "key": policy.key,
                "counts": policy.counts,
                "quota": rate.burst,
                "per_second": round(rate.per_second, 3),
                "window": max(1, seconds(rate.window)),
                "remaining": remaining,
                "reset": reset,
            }
        )
    if not caller.is_server:
        rate = limiter.limits_of(caller.app).rates[EVENTS_CONNECTION.name]
        views.append(
            {
                "policy": EVENTS_CONNECTION.name,
                "key": EVENTS_CONNECTION.key,
                "counts": EVENTS_CONNECTION.counts,
                "quota": rate.burst,
                "per_second": round(rate.per_second, 3),
                "window": max(1, seconds(rate.window)),
                "remaining": None,
                "reset": None,
            }
        )
    return {"limits": views}


ROUTES = [get_limits]
