"""The scenario itself fails when the product is broken: real processes with a bug or two at a time."""

import asyncio
import os
import sys
from typing import Final

import pytest

from ops.chaos.checker import check
from ops.chaos.installation import Installation
from ops.chaos.planted import BUGS
from ops.chaos.report import report
from ops.chaos.world import Size, World, world

SECONDS = 3.0
RATE = 70.0
"""Things done a second: in that time more than ten times what the rarest of the bugs needs to strike."""
SIZE = Size(users=8, rooms=4)
"""As many members of a room as with more of both, so as many frames for a message."""
MANY = Size(users=16, rooms=8)
"""For what only some of those who left can hear, on one of two nodes."""

RULES: Final = {
    "drop": ("H4", "H5"),
    "double": ("H4",),
    "swap": ("H4",),
    "late": ("H5", "H8"),
    "linger": ("H9",),
    "deaf": ("H5",),
    "lose": ("H1", "H10", "H13"),
    "count_twice": ("H13",),
    "forget_usage": ("H13",),
}
"""By which rules each bug is seen when it is on alone, and the one first that must see it. Bugs that are on together
have none in common, so that each is seen for itself."""
TOGETHER: Final = ("", "drop count_twice", "double lose", "swap forget_usage", "late", "deaf", "linger")


def test_every_bug_is_tried_and_told_from_what_is_on_with_it():
    tried = [bugs.split() for bugs in TOGETHER]
    assert sorted(bug for bugs in tried for bug in bugs) == sorted(BUGS) == sorted(RULES)
    for bugs in tried:
        rules = [rule for bug in bugs for rule in RULES[bug]]
        assert len(rules) == len(set(rules))


@pytest.mark.scenario
@pytest.mark.timeout(120)
@pytest.mark.skipif("NATTER_TEST_POSTGRES" in os.environ, reason="that the checker finds bugs is shown on one server")
@pytest.mark.parametrize("bugs", TOGETHER, ids=[bugs.replace(" ", " and ") or "no bug" for bugs in TOGETHER])
async def test_a_planted_bug_makes_the_scenario_fail(shared: Installation, bugs: str):
    switch = shared.folder / "planted"
    switch.write_text(bugs)
    program = (sys.executable, "-m", "ops.chaos.planted", str(switch))
    await shared.programs(n1=program, worker=program)
    async with world(shared, seed=1, size=MANY if bugs == "linger" else SIZE) as here:
        await here.live(RATE, _some_stay_away(here) if bugs == "linger" else asyncio.sleep(SECONDS), restless=False)
        await here.settle()
        history = await here.collect()
    violations = check(history)
    print(report(history, violations))
    found = {violation.rule for violation in violations}
    for bug in bugs.split():
        assert RULES[bug][0] in found, report(history, violations)
    if not bugs:
        assert not found, report(history, violations)


async def _some_stay_away(here: World) -> None:
    """Half of all leave a room, for longer than it may take until nothing reaches them any more."""
    await asyncio.sleep(SECONDS / 2)
    await asyncio.gather(*(here.stay_away(person, min(person.rooms), 2 * SECONDS) for person in here.people[::2]))
