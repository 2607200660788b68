"""The scenario itself fails when the product is broken: real processes, each with one bug planted."""

import asyncio
import sys

import pytest

from tests.scenarios.delivery.checker import check
from tests.scenarios.delivery.world import Size, report, world
from tests.scenarios.installation import Installation

SECONDS = 4.0

PLANTED = [
    ("drop", "n1", "H4"),
    ("double", "n1", "H4"),
    ("swap", "n1", "H4"),
    ("deaf", "n1", "H5"),
    ("lose", "n1", "H1"),
    ("count_twice", "worker", "H13"),
    ("forget_usage", "worker", "H13"),
]


@pytest.mark.scenario
@pytest.mark.timeout(120)
@pytest.mark.parametrize(("bug", "where", "rule"), PLANTED, ids=[bug for bug, _, _ in PLANTED])
async def test_a_planted_bug_makes_the_scenario_fail(shared: Installation, bug: str, where: str, rule: str):
    program = (sys.executable, "-m", "tests.scenarios.delivery.planted", bug)
    await shared.programs(**{where: program})
    async with world(shared, seed=1, size=Size(users=16, rooms=8)) as here:
        await here.live(150, asyncio.sleep(SECONDS), restless=False)
        await here.settle()
        history = await here.collect()
    violations = check(history)
    print(report(history, violations))
    assert rule in {violation.rule for violation in violations}, report(history, violations)
