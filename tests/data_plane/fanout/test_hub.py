"""Whatever the bus does to entries, every recipient hears each entry of its stretch once and in order."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_plane.fanout import hub as hub_module
from data_plane.fanout.bus import slot_of
from data_plane.fanout.hub import Hub
from data_plane.fanout.stream import Stream
from data_plane.log import Entry, LogKey
from data_plane.log.entries import make_entry, profile_entry
from data_plane.log.reader import LogRange

APP = UUID(int=7)
CHANNEL = LogKey(APP, "c:general")
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def entry(seq: int, type: str = "message.created", log: str = "c:general", subject: str | None = None) -> Entry:
    return Entry(APP, log, seq, type, b"{}", subject, 0)


class Log:
    """The truth that the hub reads gaps from."""

    def __init__(self) -> None:
        self.entries: dict[tuple[LogKey, int], Entry] = {}
        self.reads = 0
        self.fail = 0

    def append(self, item: Entry) -> Entry:
        self.entries[item.key, item.seq] = item
        return item

    async def ranges(self, wanted: Sequence[LogRange]) -> list[Entry]:
        await asyncio.sleep(0)
        self.reads += 1
        if self.fail:
            self.fail -= 1
            raise ConnectionError("the database is away")
        return [
            self.entries[r.key, seq]
            for r in wanted
            for seq in range(r.first, r.last + 1)
            if (r.key, seq) in self.entries
        ]


class Ear:
    hidden: frozenset[str] = frozenset()

    def __init__(self, user_id: str = "alice") -> None:
        self.app_id = APP
        self.user_id = user_id
        self.heard: list[tuple[str, int]] = []

    def deliver(self, frame: list[Entry]) -> None:
        self.heard.extend((entry.log, entry.seq) for entry in frame)

    def seqs(self, log: str = "c:general") -> list[int]:
        return [seq for name, seq in self.heard if name == log]


@pytest.fixture(autouse=True)
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "GAP_PATIENCE", 0.001)


def make(log: Log) -> Hub:
    return Hub(log, encode=list)  # type: ignore[arg-type]


async def settle(hub: Hub, *ears: Ear) -> None:
    async with asyncio.timeout(5):
        await hub.settle()
        while not all(hub.settled(ear) for ear in ears):
            await asyncio.sleep(0.002)


async def test_entries_that_arrive_in_disorder_and_twice_pass_once_and_in_order() -> None:
    log, ear = Log(), Ear()
    hub = make(log)
    hub.join(ear, CHANNEL, 1)
    hub.deliver([entry(3), entry(1), entry(1), entry(2), entry(3), entry(2)])
    assert ear.seqs() == [1, 2, 3]
    assert log.reads == 0


async def test_a_lost_entry_is_read_from_the_log_before_anything_behind_it_passes() -> None:
    log, ear = Log(), Ear()
    hub = make(log)
    for seq in range(1, 6):
        log.append(entry(seq))
    hub.join(ear, CHANNEL, 1)
    hub.deliver([entry(1), entry(5)])
    assert ear.seqs() == [1]
    await settle(hub, ear)
    assert ear.seqs() == [1, 2, 3, 4, 5]


async def test_a_tail_that_the_bus_lost_entirely_comes_by_the_followers_word() -> None:
    log, ear = Log(), Ear()
    hub = make(log)
    for seq in range(1, 4):
        log.append(entry(seq))
    hub.join(ear, CHANNEL, 1)
    hub.committed_up_to([(CHANNEL, 3)])
    await settle(hub, ear)
    assert ear.seqs() == [1, 2, 3]


async def test_a_database_that_is_away_delays_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    log, ear = Log(), Ear()
    log.fail = 1
    hub = make(log)
    for seq in range(1, 4):
        log.append(entry(seq))
    hub.join(ear, CHANNEL, 1)
    hub.deliver([entry(3)])
    await settle(hub, ear)
    assert ear.seqs() == [1, 2, 3]


async def test_who_joins_behind_hears_first_what_it_missed() -> None:
    log, first, late = Log(), Ear(), Ear("bob")
    hub = make(log)
    hub.join(first, CHANNEL, 1)
    hub.deliver([log.append(entry(seq)) for seq in range(1, 101)])
    hub.join(late, CHANNEL, 3)  # further back than what is kept in memory
    hub.deliver([log.append(entry(seq)) for seq in range(101, 106)])
    assert late.seqs() == []
    await settle(hub, first, late)
    assert late.seqs() == list(range(3, 106))
    hub.deliver([log.append(entry(106))])
    assert late.seqs()[-1] == 106


async def test_who_joins_ahead_hears_nothing_from_before_its_membership() -> None:
    log, member, joiner = Log(), Ear(), Ear("bob")
    hub = make(log)
    hub.join(member, CHANNEL, 1)
    hub.join(joiner, CHANNEL, 4)
    hub.deliver([log.append(entry(seq)) for seq in range(1, 7)])
    assert member.seqs() == [1, 2, 3, 4, 5, 6]
    assert joiner.seqs() == [4, 5, 6]


async def test_nothing_above_a_removal_reaches_the_removed() -> None:
    log, stays, goes = Log(), Ear("alice"), Ear("bob")
    hub = make(log)
    for ear in (stays, goes):
        hub.join(ear, CHANNEL, 1)
    hub.deliver([entry(3), entry(2, "member.removed", subject="bob"), entry(1)])
    assert stays.seqs() == [1, 2, 3]
    assert goes.seqs() == [1, 2]


async def test_a_removal_ends_also_a_catching_up_that_contains_it() -> None:
    log, stays, goes = Log(), Ear("alice"), Ear("bob")
    hub = make(log)
    hub.join(stays, CHANNEL, 1)
    kinds = {50: ("member.removed", "bob")}
    for seq in range(1, 101):
        kind, subject = kinds.get(seq, ("message.created", None))
        hub.deliver([log.append(entry(seq, kind, subject=subject))])
    hub.join(goes, CHANNEL, 10)
    await settle(hub, stays, goes)
    hub.deliver([log.append(entry(101))])
    assert goes.seqs() == list(range(10, 51))


async def test_removed_and_added_again_hears_from_the_second_joining_on() -> None:
    log, ear = Log(), Ear("bob")
    hub = make(log)
    own = LogKey(APP, "u:bob")
    hub.join(ear, own, 1)
    hub.join(ear, CHANNEL, 1)
    # The user's own log overtakes the channel's: the second membership is known before the removal's turn.
    hub.deliver([Entry(APP, "u:bob", 1, "membership.removed", b"{}", "general", 0)])
    hub.deliver([Entry(APP, "u:bob", 2, "membership.added", b"{}", "general", 5)])
    hub.deliver([entry(1), entry(2, "member.removed", subject="bob"), *(entry(seq) for seq in range(3, 8))])
    assert ear.seqs() == [1, 2, 5, 6, 7]


async def test_a_stream_nobody_hears_is_dropped() -> None:
    slots: list[tuple[str, int]] = []
    hub = Hub(
        Log(),  # type: ignore[arg-type]
        encode=list,
        subscribe=lambda slot: slots.append(("+", slot)),
        unsubscribe=lambda slot: slots.append(("-", slot)),
    )
    ear = Ear()
    hub.join(ear, CHANNEL, 1)
    hub.leave_all(ear)
    assert [sign for sign, _ in slots] == ["+", "-"]
    assert not hub._streams


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), length=st.integers(1, 120), loss=st.floats(0, 0.6), ears=st.integers(1, 5))
def test_every_recipient_hears_its_stretch_whatever_the_bus_does(
    seed: int, length: int, loss: float, ears: int
) -> None:
    asyncio.run(_storm(random.Random(seed), length, loss, ears))


@pytest.mark.parametrize("bug", ["drop", "double", "swap"])
async def test_the_check_above_fails_with_a_planted_bug(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Stream.offer

    def drop(self: Stream, item: Entry) -> list[Entry]:
        return [e for e in honest(self, item) if e.seq % 10]

    def double(self: Stream, item: Entry) -> list[Entry]:
        return [e for e in honest(self, item) for _ in range(1 + (e.seq % 10 == 0))]

    def swap(self: Stream, item: Entry) -> list[Entry]:
        return honest(self, item)[::-1]

    monkeypatch.setattr(Stream, "offer", {"drop": drop, "double": double, "swap": swap}[bug])
    with pytest.raises(AssertionError):
        for seed in range(10):
            await _storm(random.Random(seed), 100, 0.3, 3)


async def _storm(dice: random.Random, length: int, loss: float, ears: int) -> None:
    log = Log()
    hub = make(log)
    listeners = [(Ear(f"user{i}"), dice.randint(1, length)) for i in range(ears)]
    waiting = list(listeners)
    flying: list[Entry] = []
    for seq in range(1, length + 1):
        flying += [log.append(entry(seq))] * dice.choice([1, 1, 1, 2])
        if waiting and dice.random() < 0.1:
            ear, first = waiting.pop()
            hub.join(ear, CHANNEL, first)
        dice.shuffle(flying)
        while len(flying) > dice.randint(0, 8):
            item = flying.pop()
            if dice.random() > loss:
                hub.deliver([item])
        if dice.random() < 0.2:
            await asyncio.sleep(0)
    for ear, first in waiting:
        hub.join(ear, CHANNEL, first)
    hub.committed_up_to([(CHANNEL, length)])
    await settle(hub, *(ear for ear, _ in listeners))
    for ear, first in listeners:
        assert ear.seqs() == list(range(first, length + 1))


def typed_by(user: str) -> Entry:
    return entry(0, "typing.started", subject=user)


async def test_what_is_in_no_log_passes_only_while_the_node_knows_who_was_removed() -> None:
    log, current = Log(), True
    hub = Hub(log, encode=list, is_current=lambda: current)
    ear = Ear()
    hub.join(ear, CHANNEL, 1)
    hub.watch(ear, CHANNEL)
    hub.deliver([typed_by("bob")])
    assert ear.seqs() == [0]
    current = False
    hub.deliver([typed_by("bob")])
    assert ear.seqs() == [0]
    hub.deliver([log.append(entry(1))])
    assert ear.seqs() == [0, 1], "what has a place in the log can wait for nobody"


async def test_who_joins_ahead_of_a_lost_entry_hears_who_types_as_soon_as_that_is_read() -> None:
    log = Log()
    hub = Hub(log, encode=list)
    early, late = Ear("carol"), Ear()
    hub.join(early, CHANNEL, 1)
    log.append(entry(1))  # committed, and the bus brings nothing
    hub.join(late, CHANNEL, 2)
    hub.watch(late, CHANNEL)
    await hub.settle()
    hub.deliver([typed_by("bob")])
    assert (early.seqs(), late.seqs()) == ([1], [0])
    assert hub.heard(late, CHANNEL) is not None, "and may type itself"
    hub.deliver([log.append(entry(2))])
    assert (early.seqs(), late.seqs()) == ([1, 2], [0, 2])


async def test_who_is_removed_while_it_asks_to_watch_does_not_hear_who_types() -> None:
    log = Log()
    hub = Hub(log, encode=list)
    ear, other = Ear(), Ear("carol")
    for each in (ear, other):
        hub.join(each, CHANNEL, 1)
        hub.watch(each, CHANNEL)
    hub.deliver([log.append(entry(1, "member.removed", subject="alice"))])
    hub.watch(ear, CHANNEL)  # its membership was read before the removal, and the answer comes after it
    hub.deliver([typed_by("bob")])
    assert ear.seqs() == [1]
    assert other.seqs() == [1, 0]


async def test_profiles_are_listened_to_while_a_channel_of_the_app_is_watched() -> None:
    slots: list[int] = []
    ear, key = Ear(), LogKey(APP, "p:")
    hub = Hub(Log(), encode=list, subscribe=slots.append, unsubscribe=slots.remove)  # type: ignore[arg-type]
    for log in (CHANNEL, LogKey(APP, "c:other")):
        hub.join(ear, log, 1)
        hub.watch(ear, log)
        hub.watch(ear, log)
    assert slot_of(key) in slots
    profile = profile_entry(
        app_id=APP, epoch="e", at=NOW, actor=None, user={"id": "bob"}, channels=["none", "general", "other"]
    )
    hub.deliver([profile])
    assert ear.heard == [("c:general", 0)], "once, though two channels are shared"
    hub.deliver([profile_entry(app_id=APP, epoch="e", at=NOW, actor=None, user={"id": "alice"}, channels=["general"])])
    ear.hidden = frozenset({"bob"})
    hub.deliver([profile])
    assert ear.heard == [("c:general", 0)], "neither its own nor that of somebody hidden"
    hub.unwatch(ear, LogKey(APP, "c:other"))
    assert slot_of(key) in slots
    hub.leave_all(ear)
    assert slots == []


async def test_a_change_of_a_message_from_before_says_nothing_to_who_joined_later() -> None:
    def change(seq: int, of: int) -> Entry:
        about = {"message": {"seq": of}}
        return make_entry(
            app_id=APP, log="c:general", seq=seq, epoch="t", type="message.updated", at=NOW, actor=None, data=about
        )

    class Typed(Ear):
        def deliver(self, frame: list[Entry]) -> None:
            self.heard.extend((each.type, each.seq) for each in frame)

    log, old, new, late = Log(), Typed(), Typed(), Typed()
    for each in [*map(entry, range(1, 4)), change(4, 2), change(5, 3)]:
        log.append(each)
    hub = make(log)
    hub.join(old, CHANNEL, 4)
    hub.join(new, CHANNEL, 4, first_seq=3)
    hub.deliver([change(4, 2), change(5, 3)])
    hub.join(late, CHANNEL, 4, first_seq=4)
    assert old.heard == [("message.updated", 4), ("message.updated", 5)]
    assert new.heard == [("event.skipped", 4), ("message.updated", 5)]
    assert late.heard == [("event.skipped", 4), ("event.skipped", 5)]
    own = LogKey(APP, "u:zoe")
    hub.join(old, own, 1)
    cleared = {"channel_id": "general", "history_from": 6}
    hub.deliver(
        [
            make_entry(
                app_id=APP, log="u:zoe", seq=1, epoch="t", type="membership.arranged", at=NOW, actor=None, data=cleared
            )
        ]
    )
    hub.deliver([change(6, 5)])
    assert [each[0] for each in old.heard[-2:]] == ["membership.arranged", "event.skipped"]
    assert new.heard[-1] == ("message.updated", 6)
