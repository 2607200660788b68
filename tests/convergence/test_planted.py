"""The machine finds what it is for: each test plants a defect that somebody could write."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from data_plane.gateway.session import SessionOpener
from data_plane.log.writer import LogWriter, NewEntry
from tests.convergence import base
from tests.convergence.base import Nodes
from tests.convergence.machine import Convergence
from tests.convergence.person import Person
from tests.convergence.reducer import REDUCERS, Json, State

Plant = Callable[[pytest.MonkeyPatch], None]


def lost_on_the_way(type: str) -> Plant:
    """An event of this type never reaches a client."""
    hear = Person.hear

    def planted(self: Person, name: str, payload: Json) -> None:
        if name != type:
            hear(self, name, payload)

    return lambda patch: patch.setattr(Person, "hear", planted)


def never_written(type: str) -> Plant:
    """What changes is not told in the log."""
    append = LogWriter.append

    async def planted(self: LogWriter, uow: Any, app_id: Any, entries: Sequence[NewEntry], *, at: Any) -> list[int]:
        kept = [entry for entry in entries if entry.type != type]
        return await append(self, uow, app_id, kept, at=at) if kept else []

    return lambda patch: patch.setattr(LogWriter, "append", planted)


def without(type: str, *path: str, instead: Any = ()) -> Plant:
    """The event says nothing of what it is about, or what was so before."""
    hear = Person.hear

    def planted(self: Person, name: str, payload: Json) -> None:
        if name == type:
            place = payload["data"]
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = {} if instead == () else instead
        hear(self, name, payload)

    return lambda patch: patch.setattr(Person, "hear", planted)


def forgotten(type: str) -> Plant:
    """The client does nothing about it."""
    return lambda patch: patch.setitem(REDUCERS, type, lambda state, event, data: None)


def nothing_replayed(patch: pytest.MonkeyPatch) -> None:
    """A resume says that it is one, and replays nothing."""
    read = SessionOpener._read_on

    async def planted(self: SessionOpener, connection: Any, page: Any) -> Any:
        _, reached = await read(self, connection, page)
        return [], reached

    patch.setattr(SessionOpener, "_read_on", planted)


def edited(m: Convergence) -> None:
    m.send("ann", "den", False)
    m.edit("ann", 0, "Good bye")


def restored(m: Convergence) -> None:
    m.send("ann", "den", False)
    m.take_back("ann", 0, False)
    m.restore("ann", 0)


def reacted_before(m: Convergence) -> None:
    m.send("ann", "den", False)
    m.react("bob", 0, "ok", "add")
    m.take_back("ann", 0, True)


def away(m: Convergence) -> None:
    m.go("bob")
    m.send("ann", "den", False)
    m.come_back("bob", 1, 0, False)


def read(m: Convergence) -> None:
    m.send("ann", "den", False)
    m.read("bob", "den", None)


DEFECTS: dict[str, tuple[Plant, Callable[[Convergence], None], str]] = {
    "an edit is lost": (lost_on_the_way("message.updated"), edited, "messages"),
    "what is deleted for oneself stays": (
        forgotten("message.hidden"),
        lambda m: (m.send("ann", "den", False), m.hide("bob", 0)),
        "bob's .*messages",
    ),
    "what is deleted for oneself is counted": (
        without("message.hidden", "number", instead=None),
        lambda m: (m.send("ann", "den", False), m.hide("bob", 0)),
        "bob's .*unread",
    ),
    "a restored message is lost": (lost_on_the_way("message.restored"), restored, "messages"),
    "a deletion for good is lost": (lost_on_the_way("message.deleted"), reacted_before, "messages"),
    "a message is lost": (lost_on_the_way("message.created"), edited, "messages"),
    "a read position is lost": (lost_on_the_way("unread.changed"), read, "channels"),
    "a place in a thread is lost": (
        lost_on_the_way("thread.changed"),
        lambda m: (m.send("ann", "den", False), m.answer("bob", "den", 0, "thread"), m.read_thread("ann", 0)),
        "totals",
    ),
    "a role changes in silence": (
        never_written("membership.updated"),
        lambda m: m.put_member("ann", "den", "bob", "moderator"),
        "bob's channels",
    ),
    "a pin is lost": (
        lost_on_the_way("membership.arranged"),
        lambda m: m.arrange("bob", "den", {"pinned": True}),
        "bob's channels",
    ),
    "a pinned message is lost": (
        lost_on_the_way("message.pinned"),
        lambda m: (m.send("ann", "den", False), m.pin("ann", 0, "for good")),
        "what is pinned",
    ),
    "a pin outlives its end": (
        lambda patch: patch.setattr(State, "pinned", lambda state, at: state.pins),
        lambda m: (m.send("ann", "den", False), m.pin("ann", 0, "for a moment")),
        "what is pinned",
    ),
    "somebody's going is lost": (
        lost_on_the_way("presence.changed"),
        lambda m: (m.follow("ann"), m.show("bob", {"status": "invisible"})),
        "ann's presence",
    ),
    "what somebody has read is lost": (
        lost_on_the_way("receipts.read"),
        lambda m: (m.watch("ann", "den"), m.send("ann", "den", False), m.read("bob", "den", None)),
        "ann's receipts",
    ),
    "settings are missing": (
        without("channel.updated", "channel", "grants"),
        lambda m: m.change("ann", "den", {"grants": {"member": []}}),
        "channels",
    ),
    "a row of grants is missing": (
        without("grants.updated", "types"),
        lambda m: m.grant("group", "member", ["message.send"]),
        "grants",
    ),
    "a block is not kept": (forgotten("block.added"), lambda m: m.block_or_not("ann", "bob", True), "blocks"),
    "a count is not kept": (forgotten("member.removed"), lambda m: m.remove_member(None, "lab", "cid"), "members"),
    "nothing is replayed": (nothing_replayed, away, "bob's messages"),
}


@pytest.mark.parametrize("what", DEFECTS)
async def test_a_defect_would_be_noticed(what: str, nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, history, said = DEFECTS[what]
    Convergence.nodes = nodes
    monkeypatch.setattr(base, "PATIENCE", 0.3)

    def live() -> None:
        machine = Convergence()
        try:
            machine.begin()
            plant(monkeypatch)
            with pytest.raises(AssertionError, match=f"{said}.* did not converge"):
                history(machine)
        finally:
            monkeypatch.undo()
            machine.teardown()

    await asyncio.to_thread(live)
