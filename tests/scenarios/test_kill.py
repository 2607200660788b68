"""Nothing acknowledged is lost, doubled or disordered by `kill -9` of any part at any moment."""

import os
import random

import pytest

from tests.scenarios.delivery.checker import check
from tests.scenarios.delivery.nemesis import Nemesis
from tests.scenarios.delivery.world import report, world
from tests.scenarios.installation import Installation

RATE = 222.0
"""Things done a second; nine of ten are messages."""
SECONDS = 20.0
TARGETS = ("n1", "n2", "worker", "control", "valkey", "postgres")


@pytest.mark.scenario
@pytest.mark.timeout(180)
async def test_chat_survives_the_killing_of_any_part(whole: Installation):
    seed = int(os.environ.get("NATTER_TEST_SEED", random.SystemRandom().randrange(10**6)))
    print(f"NATTER_TEST_SEED={seed} repeats this run")
    async with world(whole, seed) as here:
        nemesis = Nemesis(whole, here.history, random.Random(seed), TARGETS)
        await here.live(RATE, nemesis.rage(SECONDS))
        await here.settle()
        history = await here.collect()
    violations = check(history)
    print(report(history, violations))
    assert violations == [], report(history, violations)
    sent = [o for o in history.operations if o.kind == "send" and o.outcome == "ok"]
    assert len(sent) > 1000, report(history, violations)
