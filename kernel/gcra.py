"""The generic cell rate algorithm (ITU-T I.371, virtual scheduling) in whole microseconds.

A bucket's state is one time, its theoretical arrival time `tat`: how far it lies ahead of now is the backlog. A unit
adds `every` to it, and may pass while the backlog stays within `burst` units. So within any time t no more than
`burst + t / every` units pass.
"""

import math

import msgspec

SECOND = 1_000_000


class Rate(msgspec.Struct, frozen=True):
    """`burst` units at once and one more each `every` microseconds."""

    every: int
    burst: int
    window: int = 0
    """Microseconds in which an empty bucket is full again; also the most backlog that it may have. It follows from the
    other two."""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "window", self.every * self.burst)

    @property
    def per_second(self) -> float:
        """Units a second in the long run."""
        return SECOND / self.every


def rate(per_second: float, burst: int) -> Rate:
    """A rate in the units that people think in. Raises `ValueError` for what would let nothing or anything through."""
    if not (math.isfinite(per_second) and 0 < per_second <= SECOND) or burst < 1:
        raise ValueError(f"a rate of {per_second} a second with a burst of {burst}")
    return Rate(math.ceil(SECOND / per_second), burst)


def take(tat: int, now: int, limit: Rate, cost: int = 1) -> tuple[int, int]:
    """`(tat, wait)` after asking for `cost` units: a wait of 0 says that they pass, otherwise the state is as before
    and the wait is the microseconds after which they would."""
    start = max(tat, now)
    wait = start + cost * limit.every - limit.window - now
    return (start, wait) if wait > 0 else (start + cost * limit.every, 0)


def remaining(tat: int, now: int, limit: Rate) -> int:
    """Units that would pass at once."""
    return max(0, (limit.window - max(0, tat - now)) // limit.every)


def seconds(microseconds: int) -> int:
    """Whole seconds, so that nobody comes too early."""
    return -(-max(0, microseconds) // SECOND)
