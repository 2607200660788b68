"""Children that die come back; children that shall end do so in order."""

import asyncio
import io
import os
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ops.embedded.process import Launch
from ops.errors import CannotStart
from ops.progress import Progress
from ops.supervisor import Child, Supervisor


class Trial:
    """A supervisor over shell scripts, which log to `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.out = io.StringIO()
        self.supervisor = Supervisor(Progress(self.out), lambda name: folder / f"{name}.log", lambda _: None)

    def child(self, name: str, script: str, *, rank: int = 0, patience: float = 5, stop=signal.SIGTERM) -> Child:
        async def start(log: Path):
            launch = Launch(
                argv=("/bin/sh", "-c", script), env=os.environ, cwd=self.folder, death_signal=signal.SIGKILL
            )
            return launch.start(log)

        async def is_ready(pid: int) -> bool:
            return "ready" in self.log(name)

        return Child(
            name=name,
            title=name,
            rank=rank,
            start=start,
            is_ready=is_ready,
            patience=patience,
            stop_signals=((stop, 1.0),),
        )

    def log(self, name: str) -> str:
        try:
            return (self.folder / f"{name}.log").read_text()
        except FileNotFoundError:
            return ""

    async def until(self, text: str) -> None:
        async with asyncio.timeout(10):
            while text not in self.out.getvalue():
                await asyncio.sleep(0.02)


@pytest.fixture
async def trial(tmp_path):
    trial = Trial(tmp_path)
    yield trial
    await trial.supervisor.stop()


STEADY = "trap 'echo ended; exit 0' TERM; echo ready; while :; do sleep 0.05; done"


async def test_a_killed_child_is_started_again_and_the_person_is_told(trial):
    await trial.supervisor.start([trial.child("server", STEADY)])
    first = trial.supervisor.processes()["server"]
    os.kill(first, signal.SIGKILL)
    await trial.until("server is ready again")
    assert "server ended (killed by SIGKILL); starting it again" in trial.out.getvalue()
    assert trial.supervisor.processes()["server"] != first


async def test_a_child_that_dies_while_it_starts_is_shown_with_its_last_words(trial):
    with pytest.raises(CannotStart, match=r"server ended while it started \(exit code 3\):\s+the reason"):
        await trial.supervisor.start([trial.child("server", "echo the reason; exit 3")])


async def test_a_child_that_never_gets_ready_is_given_up(trial):
    with pytest.raises(CannotStart, match="not ready after"):
        await trial.supervisor.start([trial.child("server", "sleep 30", patience=0.2)])
    await trial.supervisor.stop()
    assert trial.supervisor.processes() == {}


async def test_a_child_that_keeps_dying_is_tried_at_growing_intervals(trial):
    await trial.supervisor.start([trial.child("server", "echo ready; sleep 0.1")])
    await trial.until("starting it again")
    before = trial.log("server").count("ready")
    await asyncio.sleep(1.5)
    assert 1 <= trial.log("server").count("ready") - before <= 3


async def test_a_stop_ends_the_highest_rank_first(trial):
    script = "trap 'echo {} >> order; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    ranks = {"engine": 0, "control": 1, "node": 2}
    await trial.supervisor.start([trial.child(name, script.format(name), rank=rank) for name, rank in ranks.items()])
    await trial.supervisor.stop()
    assert (trial.folder / "order").read_text().split() == ["node", "control", "engine"]


async def test_a_child_that_does_not_listen_is_killed_in_the_end(trial):
    await trial.supervisor.start([trial.child("server", "trap '' TERM; echo ready; while :; do sleep 0.05; done")])
    await trial.supervisor.stop()
    assert trial.supervisor.processes() == {}


@asynccontextmanager
async def impatience(limit: float):
    began = asyncio.get_running_loop().time()
    yield
    assert asyncio.get_running_loop().time() - began < limit


async def test_a_second_ctrl_c_makes_the_stop_impatient(trial, monkeypatch):
    child = trial.child("server", "trap '' TERM; echo ready; while :; do sleep 0.05; done")
    patient = Child(
        **{**{name: getattr(child, name) for name in child.__slots__}, "stop_signals": ((signal.SIGTERM, 60),)}
    )
    await trial.supervisor.start([patient])
    trial.supervisor.hurry()
    async with impatience(10):
        await trial.supervisor.stop()
