"""State fetched fresh = state at the start + events received, for random histories by several users on two nodes."""

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from data_plane.fanout import follower
from data_plane.pins import service
from kernel.clock import rfc3339
from tests.convergence.base import Nodes
from tests.convergence.machine import Convergence

# A failure names its steps; shrinking it would take minutes.
SUITE = settings(max_examples=4, stateful_step_count=20, phases=(Phase.generate,))
EXPLORE = settings(max_examples=200, stateful_step_count=40)


async def test_what_clients_know_is_what_fresh_readers_read(nodes: Nodes) -> None:
    Convergence.nodes = nodes
    explore = settings.get_current_profile_name() == "explore"
    await asyncio.to_thread(run_state_machine_as_test, Convergence, settings=EXPLORE if explore else SUITE)


async def test_pins_end_with_whatever_ends_them(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history by hand: random ones seldom have so many pins at once."""
    monkeypatch.setattr(service, "MAX_PINNED", 3)
    Convergence.nodes = nodes

    def live() -> None:
        m = Convergence()
        do = m.loop.run_until_complete

        def pin(*which: int, mode: str = "for good") -> None:
            for each in which:
                do(m._pin("ann", m.sent[each], mode))

        def pinned() -> set[int]:
            do(m.settle())
            pins = m.people["bob"].known.pinned(rfc3339(datetime.now(UTC)))["den"]
            return {m.sent.index(id) for id in pins}

        try:
            m.begin()
            for _ in range(4):
                do(m._send("bob", "den", False))
            do(m._send("ann", "den", False, thread_id=m.sent[0]))
            do(m._send("ann", "show", False))
            last, reply, shown = 3, 4, 5
            do(m._pin("bob", m.sent[0], "for good"))
            assert pinned() == set(), "bob may not"
            pin(0, reply, 1, 2)
            assert pinned() == {0, reply, 1}, "no more than three"
            pin(1, mode="for a moment")
            pin(2)
            assert pinned() == {0, reply, 2}, "what has ended leaves its place"
            do(m.people["bob"].disconnect())
            m.take_back("ann", reply, False)
            pin(reply, last)
            m.come_back("bob", 1, 0, False)
            assert pinned() == {0, 2, last}
            m.truncate("ann", "den", {"before": m.people["ann"].known.messages["den"][m.sent[last]]["seq"]})
            assert pinned() == {last}, "what is older is gone"
            m.watch("cid", "show")
            pin(shown)
            m.run(m.act("cid", "GET", "/v1/channels/show/pins"))
            assert set(m.people["cid"].known.pins["show"]) == {m.sent[shown]}
            do(m.by("ann", "PATCH", "/v1/channels/show", {"history": "joined"}))
            pin(shown, mode="for a century")
            assert pinned() == {last}
            assert m.people["cid"].known.pins["show"] == {}, "who only watches sees nothing that is stored"
        finally:
            m.teardown()

    await asyncio.to_thread(live)


async def test_what_passes_by_is_told_to_whom_it_concerns(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A history by hand: random ones seldom have somebody follow, watch and block at once."""
    monkeypatch.setattr(follower, "PERIOD", 0.1)  # blocks are looked for every second
    Convergence.nodes = nodes

    def live() -> None:
        m = Convergence()
        do = m.loop.run_until_complete

        def until(status: str) -> None:
            """What ann is told of bob."""
            while m.people["ann"].known.followed()["bob"]["status"] != status:
                do(m.settle())

        try:
            m.begin()
            do(m.people["ann"].follow("bob", "cid"))
            do(m.people["ann"].watch("den"))
            for _ in range(3):
                do(m._send("ann", "den", False))
            m.show("bob", {"text": "Back soon"})
            m.receive("bob", "den", 2)
            assert m.people["ann"].known.receipts["den"]["bob"] == {"read_number": 0, "delivered_number": 2}
            m.read("bob", "den", None)
            m.mark_unread("bob", "den", 2)
            m.arrange("bob", "den", {"clear_history": True})
            assert m.people["ann"].known.receipts["den"]["bob"]["read_number"] == 3
            m.block_or_not("bob", "ann", True)
            until("offline")
            do(m._send("ann", "den", False))
            m.read("bob", "den", None)
            assert m.people["ann"].known.receipts["den"]["bob"]["read_number"] == 3, "it is hidden"
            m.block_or_not("bob", "ann", False)
            until("online")
            m.run(m.people["cid"].disconnect())
            assert m.people["ann"].known.receipts["den"]["bob"]["read_number"] == 4
        finally:
            m.teardown()

    await asyncio.to_thread(live)
