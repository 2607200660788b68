"""Judges a recorded history against the delivery contract. A pure function: the same history, the same findings.

The rules, by the names they are known under:

H1   an acknowledged send is in the final history exactly once, as it was acknowledged
H2   a failed send never is, one of unknown outcome at most once, and nothing that nobody sent
H3   a place (log, seq) holds one thing, whoever looks: connections, sync, history on every node, acknowledgements
H4   on one connection a log's seqs are consecutive; a resumed connection goes on where the user stood, or before
H5   everybody is online and has what its channels held at healing within 10 s; in the end everything
H6   what was acknowledged before something else was sent stands before it
H7   a message can be read over REST, on any node, once its send is acknowledged
H8   the last that a user heard of a message is what REST shows in the end
H9   no entry above a removal reaches the removed, and nothing at all, what is in no log included, from 2 s after the
     removal's acknowledgement on; nothing ever crosses tenants
H10  unread counts and read positions equal a recount, and positions never go back
H13  the ledger's messages are the stored messages, its active users the users who were active
H14  no epoch is used twice: a log's life is one stretch of its seqs, and the last one is the shard's own
ERR  nobody is told of a defect: what is away says so, and that trying again helps
SLOW a consumer that does not keep up is closed as `slow_consumer`, and others hear as promptly as ever meanwhile
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ops.chaos.facts import Facts, Place
from ops.chaos.history import Connection, Entry, History, Operation

HEALING_SECONDS = 10.0
REMOVAL_SECONDS = 2.0
PROMPT_SECONDS = 2.0
"""Within which 99 of 100 deliveries come while one consumer is slow and nothing is broken."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken rule, in a sentence that names who and what."""

    rule: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.sentence}"


def check(history: History) -> list[Violation]:
    """Every violation that the history shows, by rule."""
    facts = Facts(history)
    return [Violation(rule, sentence) for rule, find in _RULES for sentence in find(facts)]


def _acknowledged(facts: Facts) -> Iterator[str]:
    for o in facts.sends.values():
        if o.outcome != "ok":
            continue
        copies = facts.stored[o.app, o.message or ""]
        if len(copies) != 1:
            yield f"{_send(o)} was acknowledged at seq {o.answer['seq']} and is stored {len(copies)} times."
            continue
        channel, m = copies[0]
        wanted = (o.channel, o.user, o.answer["seq"], o.answer["number"])
        if (channel.id, m.user, m.seq, m.number) != wanted:
            yield f"{_send(o)} was acknowledged as {wanted} and is stored as {(channel.id, m.user, m.seq, m.number)}."


def _not_acknowledged(facts: Facts) -> Iterator[str]:
    for (app, message_id), copies in facts.stored.items():
        o = facts.sends.get(message_id)
        if not copies:
            continue
        if o is None or o.app != app:
            yield f"{message_id} in {app}/{copies[0][0].id} was sent by nobody there."
        elif o.outcome == "failed":
            yield f"{_send(o)} was refused ({o.answer.get('code')}) and is stored."
        elif len(copies) > 1 and o.outcome == "unknown":
            yield f"{_send(o)} had an unknown outcome and is stored {len(copies)} times."


def _one_truth(facts: Facts) -> Iterator[str]:
    first: dict[Place, str] = {}
    homes: dict[tuple[str, str], tuple[Place, str]] = {}
    for place, identity, observer in facts.sightings():
        known = facts.places[place]
        first.setdefault(place, observer)
        if identity != known:
            yield (f"{_place(place)} is {' '.join(known)} for {first[place]} and {' '.join(identity)} for {observer}.")
        if identity[0] == "message.created":
            home = homes.setdefault((place[0], identity[1]), (place, observer))
            if home[0] != place:
                yield f"{identity[1]} is at {_place(home[0])} for {home[1]} and at {_place(place)} for {observer}."
    for channel in facts.history.channels:
        views = list(channel.histories.items())
        for node, messages in views[1:]:
            if messages != views[0][1]:
                yield f"history of {channel.app}/{channel.id} differs between {views[0][0]} and {node}."


def _no_holes(facts: Facts) -> Iterator[str]:
    for connection in facts.history.connections:
        yield from _consecutive(connection)
    for (app, user), connections in facts.connections.items():
        stood = {f"c:{channel}": seq for channel, seq in facts.baselines[app, user].items()}
        for connection in connections:
            if connection.recovered is False and connection.fresh is not None:
                stood.update({f"c:{channel}": seq for channel, seq in connection.fresh.items()})
            begun: set[str] = set()
            for e in connection.heard:
                if e.log not in begun:
                    begun.add(e.log)
                    if e.log in stood and e.seq > stood[e.log] + 1 and not _joins(e, user):
                        yield (
                            f"{app}/{user} stood at seq {stood[e.log]} of {e.log}, and {connection.name} "
                            f"({_resumption(connection)}) went on at {e.seq}."
                        )
                stood[e.log] = max(stood.get(e.log, 0), e.seq)


def _consecutive(connection: Connection) -> Iterator[str]:
    last: dict[str, Entry] = {}
    left: set[str] = set()
    for e in connection.heard:
        if e.type == "membership.removed":
            left.add(f"c:{e.about}")
        before = last.get(e.log)
        last[e.log] = e
        # Who is removed while what it missed is read does not hear the rest of its time there, and is told why.
        told = connection.recovered is True and e.log in left
        left.discard(e.log)
        if before is None or e.seq == before.seq + 1:
            continue
        # Between leaving and coming back there is nothing for this user to hear.
        if e.seq > before.seq and (_leaves(before, connection.user) or told) and _joins(e, connection.user):
            continue
        what = "twice" if e.seq == before.seq else "in disorder" if e.seq < before.seq else "with a hole"
        yield f"{connection.name} heard {e.log} {what}: {e.seq} ({e.type} {e.about}) after {before.seq}."


def _tails(facts: Facts) -> Iterator[str]:
    if facts.history.settle_seconds > HEALING_SECONDS:
        yield f"not everybody online had everything {HEALING_SECONDS:.0f} s after healing."
    for app, user in sorted(facts.history.online):
        connections = facts.connections[app, user]
        for channel in facts.history.channels:
            if channel.app != app or user not in channel.standings:
                continue
            log = f"c:{channel.id}"
            heard = {e.seq for c in connections for e in c.heard if e.log == log}
            first = facts.present_from(app, user, channel.id)
            missing = [seq for seq in range(first, channel.head + 1) if seq not in heard]
            if missing:
                yield (
                    f"{app}/{user} is online and never heard {len(missing)} entries of {channel.id}: "
                    f"{missing[:5]} of {first}–{channel.head}."
                )


def _order(facts: Facts) -> Iterator[str]:
    by_channel: dict[tuple[str, str], list[Operation]] = defaultdict(list)
    for o in facts.sends.values():
        if o.outcome == "ok":
            by_channel[o.app, o.channel].append(o)
    for sends in by_channel.values():
        ended = sorted(sends, key=lambda o: o.ended)
        highest: Operation | None = None
        at = 0
        for o in sorted(sends, key=lambda o: o.began):
            while at < len(ended) and ended[at].ended < o.began:
                if highest is None or ended[at].answer["seq"] > highest.answer["seq"]:
                    highest = ended[at]
                at += 1
            if highest is not None and highest.answer["seq"] > o.answer["seq"]:
                yield (
                    f"{_send(o)} got seq {o.answer['seq']}, though {_send(highest)} "
                    f"had been acknowledged at {highest.answer['seq']} before."
                )


def _read_your_writes(facts: Facts) -> Iterator[str]:
    for o in facts.history.operations:
        if o.kind == "look" and o.outcome == "ok" and not o.answer["found"]:
            yield f"{o.message} was acknowledged to {o.app}/{o.user}, and {o.answer['node']} did not find it after."


def _convergence(facts: Facts) -> Iterator[str]:
    for (app, user), connections in facts.connections.items():
        latest: dict[str, Entry] = {}
        for e in (e for c in connections for e in c.heard if e.type.startswith("message.")):
            if e.about not in latest or e.seq >= latest[e.about].seq:
                latest[e.about] = e
        if (app, user) not in facts.history.online:
            continue
        for message_id, e in latest.items():
            copies = facts.stored.get((app, message_id))
            if not copies or user not in copies[0][0].standings:
                continue
            # What changed while the user was away from the channel is no news that it should have heard.
            if e.seq < facts.present_from(app, user, copies[0][0].id):
                continue
            if e.text != copies[0][1].text:
                yield f"{app}/{user} last heard {message_id} as {e.text!r}, and it is {copies[0][1].text!r}."
    edits: dict[str, list[Operation]] = defaultdict(list)
    for o in facts.history.operations:
        if o.kind in ("edit", "delete") and o.message is not None:
            edits[o.message].append(o)
    for message_id, changes in edits.items():
        copies = facts.stored.get((changes[0].app, message_id), [])
        if not copies or any(o.outcome == "unknown" for o in changes):
            continue
        done = [o for o in changes if o.outcome == "ok"]
        if done and copies[0][1].text != (None if done[-1].kind == "delete" else done[-1].text):
            yield f"{message_id} was changed to {done[-1].text!r} and is {copies[0][1].text!r}."


def _privacy(facts: Facts) -> Iterator[str]:
    away = _absences(facts)
    typed: dict[tuple[str, str, str], float] = {}
    for o in facts.history.operations:
        if o.kind == "type":
            typed.setdefault((o.app, o.channel, o.user), o.began)
    for c in facts.history.connections:
        for p in c.passing:
            if p.type.startswith("typing.") and typed.get((c.app, p.channel, p.by), float("inf")) > p.at:
                yield f"{c.name} heard {p.type} of {p.by} in {p.channel}, where {p.by} had never typed."
            for gone, back in away.get((c.app, c.user, p.channel), ()):
                if gone + REMOVAL_SECONDS < p.at < back:
                    yield f"{c.name} heard {p.type} in {p.channel} {p.at - gone:.1f} s after it had left."
        for e in c.heard:
            if e.type.startswith("message."):
                sender = facts.sends.get(e.about)
                if sender is not None and sender.app != c.app:
                    yield f"{c.name} heard {e.about}, which belongs to {sender.app}/{sender.channel}."
                    continue
            if e.log.startswith("u:"):
                if e.log != f"u:{c.user}":
                    yield f"{c.name} heard {e.type} of {e.log}."
                continue
            if not facts.may_see(c.app, c.user, e):
                yield f"{c.name} heard {e.log} {e.seq} ({e.type} {e.about}), outside of its membership."
            for gone, back in away.get((c.app, c.user, e.log[2:]), ()):
                if gone + REMOVAL_SECONDS < e.at < back and not _catches_up(facts, c, gone, e.at):
                    yield f"{c.name} heard {e.log} {e.seq} {e.at - gone:.1f} s after it had left."


def _absences(facts: Facts) -> dict[tuple[str, str, str], list[tuple[float, float]]]:
    """By app, user and channel: from when a removal was acknowledged until the next joining began."""
    joins: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for o in facts.history.operations:
        if o.kind == "join":
            joins[o.app, o.user, o.channel].append(o.began)
    away: dict[tuple[str, str, str], list[tuple[float, float]]] = defaultdict(list)
    for o in facts.history.operations:
        if o.kind == "leave" and o.outcome == "ok":
            mine = (o.app, o.user, o.channel)
            away[mine].append((o.ended, min((at for at in joins[mine] if at > o.began), default=float("inf"))))
    return away


def _catches_up(facts: Facts, c: Connection, gone: float, at: float) -> bool:
    """Whether this may be what was missed before the removal: after a resume, or on a node that something had befallen.

    Only logs have a past that can be caught up with, and never beyond the removal's own seq (`may_see`).
    """
    return c.opened > gone or any(
        c.node in fault.nodes and fault.began < at and fault.ended > gone - HEALING_SECONDS
        for fault in facts.history.faults
    )


def _unread(facts: Facts) -> Iterator[str]:
    marks: dict[tuple[str, str, str], int] = defaultdict(int)
    for o in facts.history.operations:
        if o.kind == "mark_read" and o.outcome == "ok":
            mine = (o.app, o.channel, o.user)
            marks[mine] = max(marks[mine], o.answer["read_number"])
    for channel in facts.history.channels:
        numbers = [m.number for m in channel.messages]
        if numbers != list(range(1, len(numbers) + 1)) or channel.last_number != len(numbers):
            yield f"{channel.app}/{channel.id} counts {channel.last_number} messages and has {len(numbers)}."
        for user, (read, unread) in channel.standings.items():
            count = sum(1 for number in numbers if number > read)
            if unread != count:
                yield f"{channel.app}/{user} has {unread} unread in {channel.id}; a recount finds {count}."
            own = max((m.number for m in channel.messages if m.user == user), default=0)
            least = max(own, marks[channel.app, channel.id, user])
            if read < least:
                yield f"{channel.app}/{user} had read {channel.id} up to {least}, and stands at {read}."
    for (app, user), entries in facts.history.replays.items():
        highest: dict[str, int] = {}
        for e in entries:
            if e.type == "unread.changed":
                if e.position < highest.get(e.about, 0):
                    yield f"{app}/{user}: the read position of {e.about} went back to {e.position}."
                highest[e.about] = max(e.position, highest.get(e.about, 0))


def _usage(facts: Facts) -> Iterator[str]:
    for app, usage in facts.history.usage.items():
        stored = sum(len(c.messages) for c in facts.history.channels if c.app == app)
        active = {c.user for c in facts.history.connections if c.app == app}
        if usage.messages != stored:
            yield f"the ledger has {usage.messages} messages of {app}; {stored} are stored."
        if usage.active_users != len(active):
            yield f"the ledger has {usage.active_users} active users of {app}; {len(active)} were active."
        for meter, quantity in usage.rolled_up.items():
            ledger = {"messages": usage.messages, "mau": usage.active_users}.get(meter)
            if ledger is not None and quantity != ledger:
                yield f"the rollup has {quantity} {meter} of {app}; its ledger has {ledger}."
        if usage.quarantined:
            yield f"{usage.quarantined} usage rows of {app} were quarantined."


def _epochs(facts: Facts) -> Iterator[str]:
    lives: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    seen = [(c.app, c.name, e) for c in facts.history.connections for e in c.heard]
    seen += [(app, f"sync of {user}", e) for (app, user), entries in facts.history.replays.items() for e in entries]
    for app, observer, e in seen:
        known = lives[app, e.log].setdefault(e.seq, e.epoch)
        if known != e.epoch:
            yield f"{_place((app, e.log, e.seq))} is of epoch {e.epoch} for {observer}, and was of {known}."
    for (app, log), by_seq in lives.items():
        over: set[str] = set()
        current = ""
        for seq in sorted(by_seq):
            if by_seq[seq] != current:
                if by_seq[seq] in over:
                    yield f"{_place((app, log, seq))} is of epoch {by_seq[seq]}, which had ended before."
                over.add(current)
                current = by_seq[seq]
        if current and current != facts.history.epoch:
            yield f"{app}/{log} ends in epoch {current}; the shard is in {facts.history.epoch}."


def _defects(facts: Facts) -> Iterator[str]:
    yield from facts.history.defects
    for o in facts.history.operations:
        if o.answer.get("code") == "internal":
            yield f"{o.app}/{o.user} wanted to {o.kind} in {o.channel} and was told of an internal error."


def _slow(facts: Facts) -> Iterator[str]:
    for slow in facts.history.slow:
        who = f"{slow.app}/{slow.user} on {slow.node}"
        if slow.told is None:
            yield f"{who} took a byte a second of {slow.sent:,} for {slow.ended - slow.began:.0f} s and was not closed."
            continue
        if slow.told != "slow_consumer":
            yield f"{who} was closed as {slow.told}, not as slow_consumer."
        disturbed = {
            node for fault in facts.history.faults if fault.began < slow.ended and fault.ended > slow.began
            for node in fault.nodes
        }  # fmt: skip
        waits = []
        for c in facts.history.connections:
            if c.node in disturbed:
                continue
            for e in c.heard:
                sent = facts.sends.get(e.about) if e.type == "message.created" else None
                if sent is not None and slow.began < max(sent.began, c.opened) == sent.began < slow.ended:
                    waits.append(e.at - sent.began)
        # Where a send itself takes long, the machine is busy with what pours; a slow client holds up deliveries alone.
        acks = [o.ended - o.began for o in facts.sends.values()
                if o.outcome == "ok" and slow.began < o.began < slow.ended]  # fmt: skip
        if waits and (p99 := _p99(waits)) > PROMPT_SECONDS + 2 * _p99(acks):
            yield f"while {who} was slow, a hundredth of {len(waits)} deliveries to others took {p99:.1f} s or more."


def _p99(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) * 99 // 100] if seconds else 0.0


def _joins(e: Entry, user: str) -> bool:
    return e.type == "member.added" and e.about == user


def _leaves(e: Entry, user: str) -> bool:
    return e.type == "member.removed" and e.about == user


def _resumption(connection: Connection) -> str:
    return {True: "resumed", False: "not resumed", None: "without a cursor"}[connection.recovered]


def _send(o: Operation) -> str:
    return f"{o.message} of {o.app}/{o.user} to {o.channel}"


def _place(place: Place) -> str:
    return f"{place[0]}/{place[1]} {place[2]}"


_RULES: list[tuple[str, Callable[[Facts], Iterator[str]]]] = [
    ("H1", _acknowledged),
    ("H2", _not_acknowledged),
    ("H3", _one_truth),
    ("H4", _no_holes),
    ("H5", _tails),
    ("H6", _order),
    ("H7", _read_your_writes),
    ("H8", _convergence),
    ("H9", _privacy),
    ("H10", _unread),
    ("H13", _usage),
    ("H14", _epochs),
    ("ERR", _defects),
    ("SLOW", _slow),
]
