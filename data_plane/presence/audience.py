"""Whom a node must tell of a user: those who watch a channel that the user is in, and those who asked for the user.

Of each small channel that is watched here the members are kept in memory, from a snapshot on by the channel's own
entries, so that a change of presence costs no look at the database, and nobody hears of it who shares no channel.
"""

from collections.abc import Callable, Iterable
from typing import Final
from uuid import UUID

import msgspec
import orjson

from data_plane.fanout.hub import Hub, Recipient
from data_plane.log import Entry, LogKey

LARGE: Final = 100
"""Members beyond which a channel's presence, watchers and receipts are told as numbers."""

User = tuple[UUID, str]
Listener = Callable[[Recipient, LogKey], None]


class Watched(msgspec.Struct, gc=False):
    """A channel that somebody watches here. `members` is null while it is not known, or the channel is large."""

    as_of: int = -1
    """The entry of the channel's log up to which this is true; -1 before the first snapshot."""
    size: int = 0
    members: set[str] | None = None
    type: str = ""
    early: list[tuple[int, bool, str]] = []
    """What passed before the snapshot came: place, whether somebody joined, who."""

    @property
    def large(self) -> bool:
        """Whether it is told as numbers."""
        return self.size > LARGE


class Audience:
    """Of one node. The hub keeps it up to date; `loaded` gives it snapshots."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self.channels: dict[LogKey, Watched] = {}
        self.unknown: set[LogKey] = set()
        """Channels that became small and whose members must be read."""
        self._in: dict[User, set[LogKey]] = {}
        self._asked: dict[User, set[Recipient]] = {}
        self._listeners: list[tuple[Listener, Listener]] = []

    def listen(self, watched: Listener, unwatched: Listener) -> None:
        """Let these hear of every connection that begins to watch a channel, and that stops."""
        self._listeners.append((watched, unwatched))

    # -- channels ----------------------------------------------------------------------------------------------------

    def watched(self, recipient: Recipient, key: LogKey) -> None:
        if key not in self.channels:
            self.channels[key] = Watched(early=[])
        for hears, _ in self._listeners:
            hears(recipient, key)

    def unwatched(self, recipient: Recipient, key: LogKey, *, last: bool) -> None:
        if last and (gone := self.channels.pop(key, None)) is not None:
            self.unknown.discard(key)
            self._forget(key, gone)
        for _, hears in self._listeners:
            hears(recipient, key)

    def member_moved(self, entry: Entry) -> None:
        watched = self.channels.get(entry.key)
        if watched is not None:
            user_id = orjson.loads(entry.event)["data"]["user_id"]
            move = (entry.seq, entry.type == "member.added", user_id)
            if watched.as_of < 0:
                watched.early.append(move)
            else:
                self._move(entry.key, watched, move)

    def loaded(self, key: LogKey, *, seq: int, size: int, members: Iterable[str] | None, type: str) -> None:
        """A snapshot of a channel as of `seq` of its log; `members` null when it is large."""
        watched = self.channels.get(key)
        if watched is not None:
            watched.type = type
        if watched is None or (seq <= watched.as_of and (watched.members is not None or watched.large)):
            return
        self.unknown.discard(key)
        self._forget(key, watched)
        watched.as_of, watched.size = seq, size
        watched.members = set(members) if members is not None and size <= LARGE else None
        for user_id in watched.members or ():
            self._in.setdefault((key.app_id, user_id), set()).add(key)
        early, watched.early = watched.early, []
        for move in early:
            self._move(key, watched, move)

    def _move(self, key: LogKey, watched: Watched, move: tuple[int, bool, str]) -> None:
        seq, joined, user_id = move
        if seq <= watched.as_of:
            return
        watched.as_of = seq
        watched.size += 1 if joined else -1
        if watched.members is None:
            if not watched.large:
                self.unknown.add(key)
        elif watched.large:
            self._forget(key, watched)
            watched.members = None
        elif joined:
            watched.members.add(user_id)
            self._in.setdefault((key.app_id, user_id), set()).add(key)
        else:
            watched.members.discard(user_id)
            self._out((key.app_id, user_id), key)

    def _forget(self, key: LogKey, watched: Watched) -> None:
        for user_id in watched.members or ():
            self._out((key.app_id, user_id), key)

    def _out(self, user: User, key: LogKey) -> None:
        where = self._in.get(user)
        if where is not None:
            where.discard(key)
            if not where:
                del self._in[user]

    # -- users -------------------------------------------------------------------------------------------------------

    def ask(self, recipient: Recipient, user_id: str) -> None:
        """Tell this connection of this user from now on."""
        asking = self._asked.setdefault((recipient.app_id, user_id), set())
        if recipient not in asking:
            asking.add(recipient)
            self._hub.follow_people(recipient.app_id)

    def ask_no_more(self, recipient: Recipient, user_id: str) -> None:
        """The end of `ask`."""
        user = (recipient.app_id, user_id)
        asking = self._asked.get(user)
        if asking is None or recipient not in asking:
            return
        asking.discard(recipient)
        if not asking:
            del self._asked[user]
        self._hub.unfollow_people(recipient.app_id)

    def of(self, user: User) -> set[Recipient]:
        """Who hears of this user here."""
        ears = set(self._asked.get(user, ()))
        for key in self._in.get(user, ()):
            ears |= self._hub.watching(key)
        return ears

    def follows(self, user: User) -> bool:
        """Whether anybody hears of this user here."""
        return user in self._in or user in self._asked

    def people(self) -> list[User]:
        """Everybody of whom somebody hears here."""
        return list({*self._in, *self._asked})
