"""What is broken, when and for how long: the same for the same seed."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ops.chaos.installation import NODES, SERVERS

PARTS: Final = (*NODES, *SERVERS, "worker", "control")
BREAKS: Final = ("cut", "swallow", "forget", "slow")
"""See `ops.chaos.proxy.Fault`."""


@dataclass(frozen=True, slots=True)
class Strike:
    """One blow, `gap` seconds after the one before.

    `what`: `kill` (-9; back after `seconds`), `restart` (in good order), `stop` (SIGSTOP for `seconds`), one of
    `BREAKS` on the way from a node to a server for `seconds`, `tamper` with a node's bus messages for `seconds`,
    `flush` all of Redis, or `slow_consumer`.
    """

    what: str
    target: str
    server: str = ""
    seconds: float = 0.0
    gap: float = 0.0

    def __str__(self) -> str:
        way = f"{self.target} ↔ {self.server}" if self.server else self.target
        return f"{self.what} {way}" + (f" for {self.seconds:.1f} s" if self.seconds else "")


@dataclass(frozen=True, slots=True)
class Lengths:
    """From and to, in seconds."""

    gap: tuple[float, float]
    dead: tuple[float, float]
    stopped: tuple[float, float]
    broken: tuple[float, float]


SHORT: Final = Lengths(gap=(0.1, 0.6), dead=(0.0, 0.8), stopped=(0.5, 2.0), broken=(0.8, 2.0))
LONG: Final = Lengths(gap=(0.5, 4.0), dead=(0.0, 5.0), stopped=(2.0, 30.0), broken=(2.0, 15.0))


def strikes(seed: int, lengths: Lengths, *, everything: bool) -> Iterator[list[Strike]]:
    """Rounds without end, each in an order of its own. In each: every part is killed, Redis flushed, a consumer slow;
    with `everything`, also every part restarted and stopped and every way broken in every manner; otherwise some."""
    rng = random.Random(f"strikes of {seed}")

    def strike(what: str, target: str, span: tuple[float, float] | None = None, server: str = "") -> Strike:
        seconds = rng.uniform(*span) if span is not None else 0.0
        return Strike(what, target, server, seconds, rng.uniform(*lengths.gap))

    while True:
        ways = [(what, node, server) for what in BREAKS for node in NODES for server in SERVERS]
        stopped = [*NODES, *SERVERS, "worker"]
        restarted = list(PARTS)
        tampered = list(NODES)
        if not everything:
            silent = [rng.choice([w for w in ways if w[0] in ("swallow", "forget") and w[2] == s]) for s in SERVERS]
            ways = [*silent, rng.choice([way for way in ways if way not in silent])]
            stopped = [rng.choice(NODES), rng.choice(SERVERS)]
            restarted = []
            tampered = [rng.choice(NODES)]
        made = [strike("kill", part, lengths.dead) for part in PARTS]
        made += [strike("restart", part) for part in restarted]
        made += [strike("stop", part, lengths.stopped) for part in stopped]
        made += [strike(what, node, lengths.broken, server) for what, node, server in ways]
        made += [strike("tamper", node, (2 * lengths.broken[1], 3 * lengths.broken[1])) for node in tampered]
        made += [strike("flush", "valkey"), strike("slow_consumer", rng.choice(NODES))]
        rng.shuffle(made)
        yield made
