"""One log as a node passes it on: strictly in order, each entry once, to whoever has joined.

The bus may lose, double and reorder, so entries wait here until their turn. The wait is short: a gap that stays for
50 ms is read from the log by the hub.
"""

from collections import deque
from collections.abc import Container
from typing import Any, Final, Protocol
from uuid import UUID

from data_plane.log import Entry, LogKey

RECENT: Final = 32
"""Entries kept for recipients that join a little behind, so that most joins need no read."""


class Recipient(Protocol):
    """A connection as the fan-out sees it. Hashable by identity."""

    @property
    def app_id(self) -> UUID: ...

    @property
    def user_id(self) -> str | None:
        """Whose connection this is; null for nobody's."""
        ...

    @property
    def hidden(self) -> Container[str]:
        """Users of whose doings in passing it hears nothing: it has blocked them, or they it."""
        ...

    def deliver(self, frame: Any) -> None:
        """Pass encoded entries to the client. Must not block, raise, join or leave: the fan-out is in mid-loop."""
        ...


class Stream:
    """The state of one log on one node.

    `next` is the seq that is passed on next. `held` are entries that came too early. Recipients in `joining` start at
    a seq still to come; those in `catching` are being brought up to `next` from the log, and what passes meanwhile is
    kept for them. `first_seqs` is from where on recipients see messages who do not see all of them.
    """

    __slots__ = ("catching", "first_seqs", "held", "joining", "key", "next", "recent", "recipients", "wanted")

    def __init__(self, key: LogKey, next: int) -> None:
        self.key = key
        self.next = next
        self.wanted = next - 1
        """The last seq known to be committed; above `next - 1` there is a gap to fill."""
        self.held: dict[int, Entry] = {}
        self.recipients: set[Recipient] = set()
        self.first_seqs: dict[Recipient, int] = {}
        self.joining: dict[int, set[Recipient]] = {}
        self.catching: dict[Recipient, list[Entry]] = {}
        self.recent: deque[Entry] = deque(maxlen=RECENT)

    @property
    def idle(self) -> bool:
        """Whether nobody is left to pass anything to."""
        return not (self.recipients or self.joining or self.catching)

    @property
    def behind(self) -> bool:
        """Whether something committed is known that has not been passed on."""
        return self.wanted >= self.next

    def offer(self, entry: Entry) -> list[Entry]:
        """Take an entry in; return those whose turn has come, in order. Doubles and the past are dropped."""
        if entry.seq < self.next:
            return []
        self.wanted = max(self.wanted, entry.seq)
        if entry.seq > self.next:
            self.held[entry.seq] = entry
            return []
        ready = [entry]
        self.next += 1
        while self.held and (follower := self.held.pop(self.next, None)) is not None:
            ready.append(follower)
            self.next += 1
        return ready

    def since(self, first: int) -> list[Entry] | None:
        """The entries from `first` to the present when all are at hand, else null."""
        if first >= self.next:
            return []
        if not self.recent or self.recent[0].seq > first:
            return None
        return [entry for entry in self.recent if entry.seq >= first]

    def unseen(self, entry: Entry, recipient: Recipient) -> int:
        """What the entry has of messages that are older than what the recipient sees; as `Entry.unseen`."""
        return entry.unseen(self.first_seqs.get(recipient, 0))

    def drop(self, recipient: Recipient) -> None:
        """Forget a recipient in every state."""
        self.recipients.discard(recipient)
        self.first_seqs.pop(recipient, None)
        self.catching.pop(recipient, None)
        for seq in [seq for seq, waiting in self.joining.items() if recipient in waiting]:
            self.joining[seq].discard(recipient)
            if not self.joining[seq]:
                del self.joining[seq]

    def drop_user(self, user_id: str) -> None:
        """A removal's turn has come: its user's recipients hear nothing after it, unless they join again later."""
        for recipient in [r for r in self.recipients if r.user_id == user_id]:
            self.recipients.discard(recipient)
            self.first_seqs.pop(recipient, None)
