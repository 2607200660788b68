"""What happens in passing on one node: who watches which log, and what those hear that is in no log."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol
from uuid import UUID

from data_plane.fanout.stream import Recipient
from data_plane.log import Entry, LogKey, channel_log
from data_plane.log.entries import PROFILES, profile_in_channels


class Audience(Protocol):
    """Hears who watches what. Called in the middle of the fan-out: must not block, raise, or call back."""

    def watched(self, recipient: Recipient, key: LogKey) -> None:
        """Somebody began to watch a channel."""
        ...

    def unwatched(self, recipient: Recipient, key: LogKey, *, last: bool) -> None:
        """Somebody stopped; `last`: nobody on this node watches it any more."""
        ...

    def member_moved(self, entry: Entry) -> None:
        """An entry of a watched channel, in its turn: somebody joined or left."""
        ...


class _Nobody:
    def watched(self, recipient: Recipient, key: LogKey) -> None:
        pass

    def unwatched(self, recipient: Recipient, key: LogKey, *, last: bool) -> None:
        pass

    def member_moved(self, entry: Entry) -> None:
        pass


class Passing:
    """Of one hub, whose `encode` and `is_current` these are. `recipients`: who hears a log here. `open_profiles` and
    `close_profiles` are called with an app of which somebody begins to watch something, and nobody does any more."""

    def __init__(
        self,
        *,
        encode: Callable[[Sequence[Entry]], object],
        is_current: Callable[[], bool],
        recipients: Callable[[LogKey], Collection[Recipient]],
        open_profiles: Callable[[UUID], None],
        close_profiles: Callable[[UUID], None],
    ) -> None:
        self._encode = encode
        self._is_current = is_current
        self._recipients = recipients
        self._open_profiles = open_profiles
        self._close_profiles = close_profiles
        self._handlers: dict[str, Callable[[Entry], None]] = {}
        self._apps: dict[UUID, int] = {}
        """How many watches there are of an app's channels; while there are any, its profiles are listened to."""
        self.audience: Audience = _Nobody()
        self.watchers: dict[LogKey, set[Recipient]] = {}
        """Who watches a log, whether it is passed on to them or not. Not to be changed by others."""

    def handle(self, type: str, handle: Callable[[Entry], None]) -> None:
        """Give entries of this type to a feature, which tells whom they are for, instead of to all who watch."""
        self._handlers[type] = handle

    # -- entries -----------------------------------------------------------------------------------------------------

    def take(self, entry: Entry) -> None:
        """What is in no log: for those who watch and still hear the log, and not for its own author."""
        if not self._is_current():
            return
        if (handle := self._handlers.get(entry.type)) is not None:
            handle(entry)
        elif entry.log == PROFILES:
            self._take_profile(entry)
        elif ears := self.watching(entry.key):
            self.tell(ears, entry)

    def _take_profile(self, entry: Entry) -> None:
        """To everybody who watches a channel that the user is in, once, whatever number of them it watches."""
        told: set[Recipient] = set()
        for channel_id, made in profile_in_channels(entry):
            ears = self.watching(LogKey(entry.app_id, channel_log(channel_id))) - told
            if ears:
                told |= ears
                self.tell(ears, made())

    def tell(self, ears: Iterable[Recipient], entry: Entry, *, users_only: bool = False) -> None:
        """As `Hub.tell`."""
        frame, subject = self._encode([entry]), entry.subject
        for recipient in ears:
            if users_only and recipient.user_id is None:
                continue
            if subject is None or (recipient.user_id != subject and subject not in recipient.hidden):
                recipient.deliver(frame)

    # -- watching ----------------------------------------------------------------------------------------------------

    def watching(self, key: LogKey) -> set[Recipient]:
        """Who hears what happens in passing in this log."""
        # Who was removed while it asked to watch is a watcher and no recipient.
        watchers = self.watchers.get(key)
        return watchers.intersection(self._recipients(key)) if watchers else set()

    def watch(self, recipient: Recipient, key: LogKey) -> None:
        """Pass on what happens in passing, too."""
        watchers = self.watchers.setdefault(key, set())
        if recipient in watchers:
            return
        watchers.add(recipient)
        self.follow_people(key.app_id)
        self.audience.watched(recipient, key)

    def unwatch(self, recipient: Recipient, key: LogKey) -> None:
        """The end of `watch`."""
        watchers = self.watchers.get(key)
        if watchers is None or recipient not in watchers:
            return
        watchers.discard(recipient)
        if not watchers:
            del self.watchers[key]
        self.unfollow_people(key.app_id)
        self.audience.unwatched(recipient, key, last=not watchers)

    def stop_watching(self, key: LogKey, user_id: str) -> None:
        """The end of it for all connections of a user."""
        for recipient in [r for r in self.watchers.get(key, ()) if r.user_id == user_id]:
            self.unwatch(recipient, key)

    def follow_people(self, app_id: UUID) -> None:
        """Hear what concerns the app's users wherever they are: profiles, presence. Once more for each call."""
        count = self._apps[app_id] = self._apps.get(app_id, 0) + 1
        if count == 1:
            self._open_profiles(app_id)

    def unfollow_people(self, app_id: UUID) -> None:
        """The end of one `follow_people`."""
        self._apps[app_id] -= 1
        if not self._apps[app_id]:
            del self._apps[app_id]
            self._close_profiles(app_id)
