"""State fetched fresh = state at the start + events received, for random histories by several users on two nodes."""

import asyncio

from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.convergence.base import Nodes
from tests.convergence.machine import Convergence

# A failure names its steps; shrinking it would take minutes.
SUITE = settings(max_examples=4, stateful_step_count=20, phases=(Phase.generate,))
EXPLORE = settings(max_examples=200, stateful_step_count=40)


async def test_what_clients_know_is_what_fresh_readers_read(nodes: Nodes) -> None:
    Convergence.nodes = nodes
    explore = settings.get_current_profile_name() == "explore"
    await asyncio.to_thread(run_state_machine_as_test, Convergence, settings=EXPLORE if explore else SUITE)
