"""The scenario itself fails when the product is broken: real processes with one bug at a time."""

import asyncio
import os
import sys

import pytest

from ops.chaos.checker import check
from ops.chaos.installation import Installation
from ops.chaos.report import report
from ops.chaos.world import Size, World, world

SECONDS = 3.0
RATE = 70.0
"""Things done a second: in that time more than ten times what the rarest of the bugs needs to strike."""

PLANTED = [
    ("drop", "H4"),
    ("double", "H4"),
    ("swap", "H4"),
    ("late", "H5"),
    ("linger", "H9"),
    ("deaf", "H5"),
    ("lose", "H1"),
    ("count_twice", "H13"),
    ("forget_usage", "H13"),
]


@pytest.mark.scenario
@pytest.mark.timeout(120)
@pytest.mark.skipif("NATTER_TEST_POSTGRES" in os.environ, reason="that the checker finds bugs is shown on one server")
@pytest.mark.parametrize(("bug", "rule"), [("", ""), *PLANTED], ids=["no bug", *(bug for bug, _ in PLANTED)])
async def test_a_planted_bug_makes_the_scenario_fail(shared: Installation, bug: str, rule: str):
    switch = shared.folder / "planted"
    switch.write_text(bug)
    program = (sys.executable, "-m", "ops.chaos.planted", str(switch))
    await shared.programs(n1=program, worker=program)
    async with world(shared, seed=1, size=Size(users=16, rooms=8)) as here:
        await here.live(RATE, _some_stay_away(here) if bug == "linger" else asyncio.sleep(SECONDS), restless=False)
        await here.settle()
        history = await here.collect()
    violations = check(history)
    print(report(history, violations))
    found = {violation.rule for violation in violations}
    assert rule in found if bug else not found, report(history, violations)


async def _some_stay_away(here: World) -> None:
    """Half of all leave a room, for longer than it may take until nothing reaches them any more."""
    await asyncio.sleep(SECONDS / 2)
    await asyncio.gather(*(here.stay_away(person, min(person.rooms), 2 * SECONDS) for person in here.people[::2]))
