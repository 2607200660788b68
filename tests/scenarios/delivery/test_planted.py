"""The scenario itself fails when the product is broken: real processes with one bug at a time."""

import asyncio
import os
import sys

import pytest

from ops.chaos.checker import check
from ops.chaos.installation import Installation
from ops.chaos.report import report
from ops.chaos.world import Size, world

SECONDS = 3.0

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
    # Whether the removed hear on shows only when some are removed for a while, and many type where they were.
    comes_and_goes = bug == "linger"
    size = Size(users=16, rooms=2 if comes_and_goes else 8)
    async with world(shared, seed=1, size=size) as here:
        await here.live(150, asyncio.sleep(4 * SECONDS if comes_and_goes else SECONDS), restless=comes_and_goes)
        await here.settle()
        history = await here.collect()
    violations = check(history)
    print(report(history, violations))
    found = {violation.rule for violation in violations}
    assert rule in found if bug else not found, report(history, violations)
