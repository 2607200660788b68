"""When a call is made again, and after how long. Decides; never sleeps."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .errors import APIError, ConnectionFailed, NatterError

_UNCERTAIN: Final = frozenset({"unavailable"})
"""The code whose call may have been done."""


@dataclass(frozen=True, kw_only=True)
class Retry:
    """How patient a client is. `Retry(attempts=1)` never calls again."""

    attempts: int = 4
    """Calls at most, the first one included."""
    total: float = 60.0
    """Seconds after the first call began in which another one may begin. A wait that would end later is not begun."""
    first: float = 0.25
    """Seconds of the first wait at most; each further one doubles."""
    longest: float = 8.0
    """Seconds of a wait at most, unless the server asks for more."""

    def __post_init__(self) -> None:
        if self.attempts < 1 or min(self.total, self.first, self.longest) < 0:
            raise ValueError("attempts is 1 or more, total, first and longest are 0 or more")

    def wait(
        self, failure: NatterError, *, attempt: int, elapsed: float, repeatable: bool, random: Callable[[], float]
    ) -> float | None:
        """Seconds until the next call after the `attempt`-th failed; `None` to give up.

        Each wait is drawn anew, so that many clients do not come back together. `Retry-After` is the least of it.
        """
        if attempt >= self.attempts or not _worth(failure, repeatable):
            return None
        drawn = min(self.longest, self.first * 2 ** (attempt - 1)) * (0.5 + random() / 2)
        asked = failure.retry_after if isinstance(failure, APIError) else None
        seconds = drawn if asked is None else asked + drawn
        return seconds if elapsed + seconds <= self.total else None


def may_be_done(failure: NatterError) -> bool:
    """Whether the server may have done what was asked: a refusal of the API has done nothing, what a proxy says and one
    code leave that open, and so does an answer that never came."""
    if isinstance(failure, ConnectionFailed):
        return failure.sent
    return isinstance(failure, APIError) and failure.retryable and (failure.code is None or failure.code in _UNCERTAIN)


def _worth(failure: NatterError, repeatable: bool) -> bool:
    """Whether the same call may go better, and does nothing twice."""
    passing = isinstance(failure, ConnectionFailed) or (isinstance(failure, APIError) and failure.retryable)
    return passing and (repeatable or not may_be_done(failure))
