"""`natter chaos`: an installation of its own, broken for minutes on end, and a verdict."""

import asyncio
import dataclasses
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from ops.chaos.checker import Violation, check
from ops.chaos.history import History
from ops.chaos.installation import Installation, installation
from ops.chaos.nemesis import Nemesis
from ops.chaos.planted import IN_WORKER
from ops.chaos.world import Size, world
from ops.embedded.temporary import Engines, reachable_folder

ROUND_SECONDS: Final = 60.0
"""After about so long everything is let become whole, and everybody must have everything within 10 s."""
CALM_SECONDS: Final = 10.0
"""How long everybody just talks at the beginning and, after all is whole again, at the end."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    """A finished run. `kept` is the file that holds the history, written when something is wrong."""

    history: History
    violations: list[Violation]
    seconds: float
    kept: Path | None

    def summary(self) -> dict[str, Any]:
        """For `--json`."""
        history = self.history
        return {
            "seed": history.seed,
            "seconds": round(self.seconds, 1),
            "clean": not self.violations,
            "violations": [str(violation) for violation in self.violations],
            "operations": _nested(Counter((o.kind, o.outcome) for o in history.operations)),
            "faults": dict(Counter(fault.what.partition(" for ")[0] for fault in history.faults)),
            "connections": len(history.connections),
            "heard": sum(len(c.heard) for c in history.connections),
            "settle_seconds": None if history.settle_seconds == float("inf") else round(history.settle_seconds, 2),
            "history": str(self.kept) if self.kept is not None else None,
        }


async def run_chaos(
    *, minutes: float, seed: int, rate: float, plant: str | None, keep: Path, say: Callable[[str], None]
) -> Outcome:
    """Start two nodes and all they need, let two tenants' users live on them while the nemesis strikes, and judge.

    `plant` runs one node, or the worker, with a bug (`ops.chaos.planted`). `say` is told what happens as it happens.
    """
    began = time.monotonic()
    async with installation(Engines(reachable_folder("chaos"))) as whole:
        say(f"installation in {whole.folder} is up after {time.monotonic() - began:.1f} s; seed {seed}")
        if plant is not None:
            await _plant(whole, plant)
            say(f"planted: {plant}")
        async with world(whole, seed, Size()) as here:
            here.history.on_note = say
            nemesis = Nemesis(whole, here.history, be_slow=here.be_slow, long=True)
            try:
                await here.live(rate, asyncio.sleep(CALM_SECONDS))
                # Healing is looked at again and again, not in the end alone.
                rounds = max(1, round(minutes * 60 / ROUND_SECONDS))
                for _ in range(rounds):
                    await here.live(rate, nemesis.rage(minutes * 60 / rounds))
                await here.live(rate, asyncio.sleep(CALM_SECONDS))
                await here.settle()
                say(f"settled within {here.history.settle_seconds:.1f} s of healing; looking at what is stored")
                history = await here.collect()
            finally:
                await nemesis.stop()
                if sys.exc_info()[0] is not None:
                    keep_history(here.history, keep)
                    say(f"the history so far is in {keep}")
    violations = check(history)
    if violations:
        keep_history(history, keep)
    return Outcome(history, violations, time.monotonic() - began, keep if violations else None)


async def _plant(whole: Installation, bug: str) -> None:
    switch = whole.folder / "planted"
    switch.write_text(bug)
    program = (sys.executable, "-m", "ops.chaos.planted", str(switch))
    await whole.programs(**{("worker" if bug in IN_WORKER else "n1"): program})


def keep_history(history: History, file: Path) -> None:
    """Write everything down, one JSON object a line: the fields of the history, then its parts by kind."""
    with file.open("wb") as out:
        head = {"seed": history.seed, "epoch": history.epoch, "settle_seconds": str(history.settle_seconds)}
        out.write(msgspec.json.encode({"kind": "history"} | head) + b"\n")
        parts: dict[str, Any] = {
            "user": history.users,
            "event": [{"at": at, "what": what} for at, what in history.events],
            "fault": history.faults,
            "slow": history.slow,
            "operation": history.operations,
            "connection": history.connections,
            "channel": history.channels,
            "replay": [
                {"app": app, "user": user, "entries": entries} for (app, user), entries in history.replays.items()
            ],
            "usage": [{"app": app, "usage": usage} for app, usage in history.usage.items()],
        }
        for kind, things in parts.items():
            for thing in things:
                out.write(msgspec.json.encode([kind, thing], enc_hook=str) + b"\n")


def _nested(counts: Counter[tuple[str, str]]) -> dict[str, dict[str, int]]:
    nested: dict[str, dict[str, int]] = {}
    for (kind, outcome), count in sorted(counts.items()):
        nested.setdefault(kind, {})[outcome] = count
    return nested
