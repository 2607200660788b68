"""A small faultless history, for planting faults in."""

from dataclasses import replace

from ops.chaos.history import (
    Connection,
    Entry,
    History,
    Operation,
    Passing,
    SlowConsumer,
    StoredChannel,
    StoredMessage,
    Usage,
    User,
)

APPS = ("red", "blue")
USERS = ("ann", "ben", "cem")
MESSAGES = 12
EPOCH = "first"
LEFT, BACK = 6, 9
"""Seqs at which `cem` left the channel and came back."""


def faultless() -> History:
    """Two tenants with a channel of the same name; in each, three users take turns, and one leaves and comes back."""
    history = History(seed=0, epoch=EPOCH)
    for app in APPS:
        _play(history, app)
    history.slow.append(SlowConsumer("red", "dan", "n1", 1.0, 3.0, 2_000_000, "slow_consumer"))
    return history


def connection_of(history: History, app: str, user: str, number: int = -1) -> Connection:
    """A user's connection by place, the last one by default."""
    return [c for c in history.connections if (c.app, c.user) == (app, user)][number]


def _play(history: History, app: str) -> None:
    log: list[Entry] = []
    stored: list[StoredMessage] = []
    seq = 0
    for turn in range(MESSAGES):
        seq += 1
        now = float(seq)
        if seq in (LEFT, BACK):
            kind, type = ("leave", "member.removed") if seq == LEFT else ("join", "member.added")
            operation = Operation(kind, app, "cem", "room", began=now, ended=now + 0.1, outcome="ok")  # type: ignore[arg-type]
            history.operations.append(operation)
            log.append(Entry("c:room", seq, type, "cem", at=now, epoch=EPOCH))
            continue
        user = USERS[turn % 2]
        message = f"msg_{app}{turn}"
        number = len(stored) + 1
        log.append(Entry("c:room", seq, "message.created", message, f"{app} {turn}", at=now, epoch=EPOCH))
        stored.append(StoredMessage(message, seq, number, user, f"{app} {turn}"))
        history.operations.append(
            Operation(
                "send",
                app,
                user,
                "room",
                message,
                f"{app} {turn}",
                began=now,
                ended=now + 0.1,
                outcome="ok",
                answer={"seq": seq, "number": number},
                attempts=1,
            )
        )
    typing = Operation("type", app, "ann", "room", began=3.0, ended=3.1, outcome="ok")
    history.operations.append(typing)
    refused = Operation("send", app, "ann", "elsewhere", f"msg_{app}refused", "no", began=1, ended=2, outcome="failed")
    lost = Operation("send", app, "ann", "room", f"msg_{app}lost", "?", began=1, outcome="unknown")
    found = Operation("look", app, "ann", "room", f"msg_{app}0", outcome="ok", answer={"found": True, "node": "n1"})
    history.operations += [refused, lost, found]

    last_own = {user: max((m.number for m in stored if m.user == user), default=0) for user in USERS}
    standings = {user: (read, len(stored) - read) for user, read in last_own.items()}
    histories = {"n1": stored, "n2": list(stored)}
    history.channels.append(StoredChannel(app, "room", seq, len(stored), histories, standings))
    for user in USERS:
        mine = [e for e in log if user != "cem" or e.seq <= LEFT or e.seq >= BACK]
        history.users.append(User(app, user, {"room": 0}))
        history.replays[app, user] = [e for e in mine if user != "cem" or e.seq >= BACK]
        first = Connection(f"{app}/{user}#1", app, user, "n1", opened=0.0, recovered=True, heard=mine[:4], closed=4.5)
        # A resume may repeat what was heard already.
        second = Connection(f"{app}/{user}#2", app, user, "n2", opened=5.0, recovered=True, heard=mine[2:])
        second.heard = [replace(e, at=max(e.at, 5.0)) for e in second.heard]
        if user != "ann":
            first.passing = [Passing("room", "typing.started", "ann", 3.05)]
        history.connections += [first, second]
        history.online.add((app, user))
    history.usage[app] = Usage(len(stored), len(USERS), {"messages": len(stored), "mau": len(USERS)})
