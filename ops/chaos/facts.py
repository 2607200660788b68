"""A history arranged for looking things up: who saw what where, and who was a member of what when."""

from collections import defaultdict
from collections.abc import Iterator

from ops.chaos.history import Connection, Entry, History, Operation, StoredChannel, StoredMessage

Place = tuple[str, str, int]
"""App, log, seq."""


class Facts:
    """The history, arranged for looking things up."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.channels: dict[tuple[str, str], StoredChannel] = {(c.app, c.id): c for c in history.channels}
        self.stored: dict[tuple[str, str], list[tuple[StoredChannel, StoredMessage]]] = defaultdict(list)
        for channel in history.channels:
            for message in channel.messages:
                self.stored[channel.app, message.id].append((channel, message))
        self.sends: dict[str, Operation] = {
            o.message: o for o in history.operations if o.kind == "send" and o.message is not None
        }
        self.connections: dict[tuple[str, str], list[Connection]] = defaultdict(list)
        for connection in sorted(history.connections, key=lambda c: c.opened):
            self.connections[connection.app, connection.user].append(connection)
        self.places: dict[Place, tuple[str, str]] = {}
        """What the first observer of each place saw there."""
        for place, identity, _ in self.sightings():
            self.places.setdefault(place, identity)
        self.baselines = {(u.app, u.id): u.baseline for u in history.users}
        self.memberships = self._memberships()

    def sightings(self) -> Iterator[tuple[Place, tuple[str, str], str]]:
        """Every (place, identity, observer) there is."""
        for channel in self.history.channels:
            for node, messages in channel.histories.items():
                for m in messages:
                    yield (channel.app, f"c:{channel.id}", m.seq), ("message.created", m.id), f"history on {node}"
        for (app, user), entries in self.history.replays.items():
            for e in entries:
                yield (app, e.log, e.seq), e.identity, f"sync of {user}"
        for c in self.history.connections:
            for e in c.heard:
                yield (c.app, e.log, e.seq), e.identity, c.name
        for o in self.history.operations:
            if o.kind == "send" and o.outcome == "ok" and o.message is not None:
                place = (o.app, f"c:{o.channel}", o.answer["seq"])
                yield place, ("message.created", o.message), f"acknowledgement to {o.user}"

    def _memberships(self) -> dict[tuple[str, str, str], list[tuple[int, float]]]:
        """By app, channel and user: the stretches of the log that the user may see, both ends included."""
        stretches: dict[tuple[str, str, str], list[tuple[int, float]]] = defaultdict(list)
        for (app, user), baseline in self.baselines.items():
            for channel in baseline:
                stretches[app, channel, user].append((1, float("inf")))
        for (app, log, seq), (type, about) in sorted(self.places.items(), key=lambda item: item[0][2]):
            if not type.startswith("member.") or seq <= self.baselines.get((app, about), {}).get(log[2:], 0):
                continue
            mine = stretches[app, log[2:], about]
            if type == "member.added":
                mine.append((seq, float("inf")))
            elif type == "member.removed" and mine:
                mine[-1] = (mine[-1][0], seq)
        return stretches

    def present_from(self, app: str, user: str, channel: str) -> int:
        """From which seq on a user who is a member in the end must have been shown everything."""
        stretches = self.memberships.get((app, channel, user)) or [(1, float("inf"))]
        resets = [c.fresh[channel] for c in self.connections[app, user] if c.fresh is not None and channel in c.fresh]
        baseline = self.baselines[app, user].get(channel, 0)
        return max([stretches[-1][0], baseline + 1, *(seq + 1 for seq in resets)])

    def may_see(self, app: str, user: str, entry: Entry) -> bool:
        """Whether a user may hear a channel's entry."""
        stretches = self.memberships.get((app, entry.log[2:], user), [])
        return any(first <= entry.seq <= last for first, last in stretches)
