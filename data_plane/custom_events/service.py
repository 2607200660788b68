"""Send an event of the app's own; nothing of it is stored, and whoever is not there misses it."""

from collections.abc import Callable, Iterable
from typing import Any, Final

import orjson

from data_plane.channels.access import visible_channel
from data_plane.custom import check_custom
from data_plane.fanout.hub import Hub
from data_plane.grants.permissions import Permission
from data_plane.identity.caller import Caller
from data_plane.limits.limiter import Limiter
from data_plane.limits.policies import CUSTOM_CHANNEL
from data_plane.log import Entry, channel_log, user_log
from data_plane.messages.access import named_actor
from data_plane.shard import Shard
from data_plane.users.repository import UserRepository
from kernel.clock import rfc3339
from kernel.errors import NotFound

SENT: Final = "event.sent"


class CustomEvents:
    """The use cases of one node. `publish` takes entries to this node's recipients and to the others'."""

    def __init__(self, shard: Shard, limiter: Limiter, hub: Hub, publish: Callable[[Iterable[Entry]], None]) -> None:
        self._shard = shard
        self._limiter = limiter
        self._hub = hub
        self._publish = publish
        hub.on_passing(SENT, self._heard)

    async def to_channel(
        self, caller: Caller, channel_id: str, *, type: str, data: dict[str, Any], user_id: str | None = None
    ) -> None:
        """Tell those who watch the channel now, but for the sender's own devices and those between whom and the sender
        there is a block.

        Raises `NotFound` for a channel that the caller does not see, `PermissionMissing`, `UnknownUsers` for one that a
        server names, `InvalidInput`, `RateLimited` for a busy channel.
        """
        checked = check_custom(data, field="data")
        async with self._shard.unit_of_work(caller.app_id, read_only=True) as uow:
            found = await visible_channel(self._shard, uow, caller, channel_id)
            found.require(Permission.EVENT_SEND)
            actor = await named_actor(uow, caller, user_id)
        bucket = self._limiter.bucket(caller.app, CUSTOM_CHANNEL, channel_id)
        if not self._limiter.try_pass((bucket,)):
            await self._limiter.admit((bucket,))
        self._tell(caller, channel_log(channel_id), channel_id, type, checked, actor)

    async def to_user(self, caller: Caller, user_id: str, *, type: str, data: dict[str, Any]) -> None:
        """Tell all connections that a user has now. Raises `NotFound`, `Forbidden` for users, `InvalidInput`."""
        caller.require_server("users")
        checked = check_custom(data, field="data")
        async with self._shard.unit_of_work(caller.app_id, read_only=True) as uow:
            if await UserRepository(uow.session, caller.app_id).get(user_id) is None:
                raise NotFound("There is no such user.")
        self._tell(caller, user_log(user_id), None, type, checked, None)

    def _tell(
        self, caller: Caller, log: str, channel_id: str | None, type: str, data: dict[str, Any], actor: str | None
    ) -> None:
        event = {
            "type": SENT,
            "channel_id": channel_id,
            "seq": None,
            "epoch": self._shard.epoch,
            "at": rfc3339(self._shard.clock.now()),
            "actor": actor,
            "data": {"type": type, "data": data, "user_id": actor},
        }
        self._publish([Entry(caller.app_id, log, 0, SENT, orjson.dumps(event), actor)])

    def _heard(self, entry: Entry) -> None:
        """A user's own log is heard by its connections, whatever they watch."""
        ears = self._hub.recipients(entry.key) if entry.key.channel_id is None else self._hub.watching(entry.key)
        self._hub.tell(tuple(ears), entry)
