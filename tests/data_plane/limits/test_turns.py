"""The turns of a node's reads."""

import asyncio
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_plane.limits import turns as module
from data_plane.limits.turns import COMPANY_FOR, Turns
from tests.clients.installation import Installation

ONE, OTHER = uuid4(), uuid4()


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def company(clock: Clock | None = None) -> Turns:
    turns = Turns(clock or Clock())
    turns.seen(ONE)
    turns.seen(OTHER)
    return turns


async def soon() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_is_alone_takes_no_turns() -> None:
    clock = Clock()
    turns = Turns(clock)
    assert [await turns.enter(ONE) for _ in range(20)] == [False] * 20
    turns.seen(OTHER)
    clock.now += COMPANY_FOR
    turns.seen(OTHER)
    assert not turns.shared, "the first has not been seen for a while"


async def test_beside_others_each_app_reads_one_after_another_in_order_and_waits_for_nobody_else() -> None:
    turns, order = company(), list[int]()

    async def read(app_id: UUID, n: int) -> None:
        assert await turns.enter(app_id)
        order.append(n)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        turns.leave(app_id)

    tasks = [asyncio.create_task(read(ONE, n)) for n in range(4)]
    await asyncio.sleep(0)
    assert order == [0]
    assert await turns.enter(OTHER)
    turns.leave(OTHER)
    assert order == [0]
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3]
    assert turns._lines == {}


async def test_when_the_others_have_gone_all_that_wait_go_on() -> None:
    clock = Clock()
    turns = company(clock)
    await turns.enter(ONE)
    tasks = [asyncio.create_task(turns.enter(ONE)) for _ in range(3)]
    await soon()
    clock.now += COMPANY_FOR
    turns.leave(ONE)
    assert await asyncio.gather(*tasks) == [True] * 3
    for _ in range(3):
        turns.leave(ONE)
    assert turns._lines == {}


async def test_a_slow_read_does_not_hold_up_the_others_of_its_app_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST", 0.001)
    turns = company()
    await turns.enter(ONE)
    async with asyncio.timeout(5):
        assert await turns.enter(ONE)
    turns.leave(ONE)
    turns.leave(ONE)
    assert turns._lines == {}


@given(
    st.lists(st.tuples(st.sampled_from(["enter", "leave", "cancel", "cancel at once"]), st.integers(0, 9)), max_size=30)
)
async def test_whatever_is_given_up_and_when_turns_are_neither_lost_nor_held_twice(
    steps: list[tuple[str, int]],
) -> None:
    turns = company()
    waiting: list[asyncio.Task[bool]] = []
    inside = 0
    for step, n in steps:
        if step == "enter":
            waiting.append(asyncio.create_task(turns.enter(ONE)))
        elif step == "leave" and inside:
            turns.leave(ONE)
            inside -= 1
        elif step.startswith("cancel") and waiting:
            if step == "cancel at once" and inside:
                turns.leave(ONE)  # it may just have been let in
                inside -= 1
            waiting[n % len(waiting)].cancel()
        await soon()
        inside += sum(task.done() and not task.cancelled() for task in waiting)
        waiting = [task for task in waiting if not task.done()]
        assert inside == (turns._lines[ONE].inside if ONE in turns._lines else 0)
        assert inside == (1 if waiting else min(inside, 1))
    while inside:
        turns.leave(ONE)
        await soon()
        inside += sum(task.done() for task in waiting) - 1
        waiting = [task for task in waiting if not task.done()]
    assert not waiting
    assert turns._lines == {}


async def test_reads_over_rest_take_turns_and_give_them_back(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST", 60.0)
    monkeypatch.setattr(module, "COMPANY_FOR", 60.0)
    one, other = await installation.tenant(), await installation.tenant()
    await one.channel("general", "ada")
    turns = installation.nodes[0].node.limiter.turns
    await other.http.get("/v1/channels")
    assert (await one.http.get("/v1/channels/general/messages")).status_code == 200
    assert turns.shared
    app_id = turns._last
    assert app_id is not None
    for path, status in (
        ("/v1/channels/general/messages", 200),
        ("/v1/channels/nowhere/messages", 404),
        ("/v1/channels", 200),
        ("/v1/users/nobody", 404),
    ):
        assert await turns.enter(app_id)
        asking = asyncio.create_task(one.http.get(path))
        writing = await one.http.post("/v1/users", json={"users": [{"id": "bob"}]})
        assert writing.status_code == 200, "what writes waits for nobody"
        assert (await other.http.get("/v1/channels")).status_code == 200
        assert not asking.done()
        turns.leave(app_id)
        assert (await asking).status_code == status
        assert turns._lines == {}
    await one.close()
    await other.close()
