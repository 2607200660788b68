"""What happened in a run, as seen from outside: operations with their outcomes, and what each connection heard.

Nothing here judges; `checker` does. Times are seconds of one monotonic clock, the harness's own.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

Outcome = Literal["ok", "failed", "unknown"]
"""`failed`: refused for good. `unknown`: no answer came, or one that leaves open whether it was done."""

Kind = Literal["send", "edit", "delete", "leave", "join", "mark_read", "look", "type"]


@dataclass(slots=True)
class Operation:
    """One wish of a user, however many attempts it took."""

    kind: Kind
    app: str
    user: str
    channel: str
    message: str | None = None
    text: str = ""
    began: float = 0.0
    ended: float = float("inf")
    outcome: Outcome = "unknown"
    answer: dict[str, Any] = field(default_factory=dict)
    """What was acknowledged: `seq` and `number` of a send, `read_number` of a mark, `found` of a look."""
    attempts: int = 0

    def done(self, outcome: Outcome, **answer: Any) -> None:
        """Note how it ended, now."""
        self.outcome, self.answer, self.ended = outcome, answer, time.monotonic()


@dataclass(frozen=True, slots=True)
class Entry:
    """One log entry as somebody was shown it. `log` is `c:<channel>` or `u:<user>`.

    `about` is the message, user or channel that it is about; `text` is null for a deleted message.
    """

    log: str
    seq: int
    type: str
    about: str
    text: str | None = None
    position: int = 0
    """`from_seq` of a `membership.added`, `seq` of a `membership.removed`, `read_number` of an `unread.changed`."""
    at: float = 0.0
    epoch: str = ""
    """Which life of the log it is from."""

    @property
    def identity(self) -> tuple[str, str]:
        """What must be the same for all who see this place of the log."""
        return self.type, self.about


@dataclass(frozen=True, slots=True)
class Passing:
    """Something in no log as somebody was shown it: `by` types in a channel, or does not any more."""

    channel: str
    type: str
    by: str
    at: float


@dataclass(frozen=True, slots=True)
class Fault:
    """What the nemesis did to whom: a node or server, or a node's way to a server; seconds of the harness's clock.

    It ends when the cause has been removed, for a process that was killed when it answers again.
    """

    what: str
    nodes: tuple[str, ...]
    """The nodes that may have suffered."""
    began: float
    ended: float


@dataclass(frozen=True, slots=True)
class SlowConsumer:
    """A client that took one byte a second of a busy channel. `told` is what its node said of the end, null when it
    was not ended in `seconds`."""

    app: str
    user: str
    node: str
    began: float
    ended: float
    sent: int
    """Bytes of text sent to the channel meanwhile."""
    told: str | None


@dataclass(slots=True)
class Connection:
    """One connection of one user, from `connection.ready` to its end."""

    name: str
    app: str
    user: str
    node: str
    opened: float
    recovered: bool | None
    fresh: dict[str, int] | None = None
    """Where each channel stands in the fresh state that came instead of a replay."""
    heard: list[Entry] = field(default_factory=list)
    passing: list[Passing] = field(default_factory=list)
    closed: float | None = None


@dataclass(slots=True)
class User:
    """A user of the run. `baseline` is where its channels stood in the state that it began with."""

    app: str
    id: str
    baseline: dict[str, int]


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as REST's history shows it in the end."""

    id: str
    seq: int
    number: int
    user: str
    text: str | None


@dataclass(slots=True)
class StoredChannel:
    """A channel in the end: its history by node that was asked, the head of its log, and where its members stand."""

    app: str
    id: str
    head: int
    last_number: int
    histories: dict[str, list[StoredMessage]]
    standings: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By member: read position and unread count."""

    @property
    def messages(self) -> list[StoredMessage]:
        """The history as the first node shows it; that all show the same is checked once."""
        return next(iter(self.histories.values()))


@dataclass(slots=True)
class Usage:
    """What the control plane counted for one app: from its raw ledger, and as its rollup has it."""

    messages: int
    active_users: int
    rolled_up: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0


@dataclass(slots=True)
class History:
    """A whole run."""

    seed: int
    users: list[User] = field(default_factory=list)
    operations: list[Operation] = field(default_factory=list)
    connections: list[Connection] = field(default_factory=list)
    channels: list[StoredChannel] = field(default_factory=list)
    replays: dict[tuple[str, str], list[Entry]] = field(default_factory=dict)
    """By app and user: what `GET /v1/sync` answers in the end, from the user's first cursor on."""
    online: set[tuple[str, str]] = field(default_factory=set)
    """Who was connected in the end, by app and user."""
    usage: dict[str, Usage] = field(default_factory=dict)
    events: list[tuple[float, str]] = field(default_factory=list)
    """What the nemesis did, in words."""
    faults: list[Fault] = field(default_factory=list)
    slow: list[SlowConsumer] = field(default_factory=list)
    defects: list[str] = field(default_factory=list)
    """Answers that own up to a defect (500, `internal`), which nothing that is merely away excuses."""
    settle_seconds: float = 0.0
    """How long it took after healing until everybody was online and had everything up to what the logs held at that
    moment, or at the end of the run, whichever took longer; infinite when they never had."""
    epoch: str = ""
    """The life of the shard's logs, as its database says in the end."""
    on_note: Callable[[str], None] = lambda what: None

    def begin(self, kind: Kind, app: str, user: str, channel: str, **details: Any) -> Operation:
        """Record an operation before its first attempt, so that nothing that is tried goes unrecorded."""
        operation = Operation(kind, app, user, channel, began=time.monotonic(), **details)
        self.operations.append(operation)
        return operation

    def note(self, what: str) -> None:
        """Record something the nemesis did, and tell whoever follows the run."""
        self.events.append((time.monotonic(), what))
        self.on_note(what)
