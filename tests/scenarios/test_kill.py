"""Nothing acknowledged is lost, doubled or disordered, whatever is killed, stopped or cut off, at any moment."""

import os
import random

import pytest

from ops.chaos.checker import check
from ops.chaos.installation import Installation
from ops.chaos.nemesis import Nemesis
from ops.chaos.report import report
from ops.chaos.world import Size, world

RATE = 160.0
"""Things done a second; nine of ten are messages."""
SECONDS = 14.0
SIZE = Size(users=16, rooms=4)


def errors_logged(whole: Installation) -> list[str]:
    """What the nodes themselves call errors, so that an answer of 500 has its cause beside it."""
    return [
        f"{name}: {line[-3000:]}"
        for name in whole.node_urls
        for line in (whole.folder / f"{name}.log").read_text(errors="replace").splitlines()
        if '"level":"error"' in line and '"internal"' in line
    ][-10:]


@pytest.mark.scenario
@pytest.mark.timeout(180)
async def test_chat_survives_whatever_happens_to_its_parts_and_the_ways_between_them(whole: Installation):
    seed = int(os.environ.get("NATTER_TEST_SEED", random.SystemRandom().randrange(10**6)))
    print(f"NATTER_TEST_SEED={seed} repeats this run")
    async with world(whole, seed, SIZE) as here:
        nemesis = Nemesis(whole, here.history, be_slow=here.be_slow, long=False)
        await here.live(RATE, nemesis.rage(SECONDS))
        await here.settle()
        history = await here.collect()
    violations = check(history)
    print(report(history, violations))
    assert violations == [], "\n".join([report(history, violations), *errors_logged(whole)])
    sent = [o for o in history.operations if o.kind == "send" and o.outcome == "ok"]
    assert len(sent) > 700, report(history, violations)
