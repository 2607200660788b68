"""Growing, jittered waits for what is tried for ever, so that a fleet does not knock in step."""

import random


class Backoff:
    """Waits in seconds that double from `first` to `most`, each drawn between its half and its whole."""

    def __init__(self, first: float = 0.2, most: float = 10.0) -> None:
        self._first = first
        self._most = most
        self._next = first

    def reset(self) -> None:
        """Begin again with the shortest wait; call it after a success."""
        self._next = self._first

    def next(self) -> float:
        """How long to wait now."""
        wait, self._next = self._next, min(self._next * 2, self._most)
        return wait * random.uniform(0.5, 1.0)  # noqa: S311 - spreading, not secrecy
