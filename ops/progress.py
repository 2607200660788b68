"""What a person at the terminal sees while Natter starts, runs and stops: short lines, no control codes."""

import sys
import time
from typing import TextIO

from ops.errors import CannotStart


class Progress:
    """Lines to `out`. Times are seconds since the start."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def say(self, text: str = "") -> None:
        """A line, or several."""
        print(text, file=self._out, flush=True)

    def step(self, what: str, outcome: str) -> None:
        """A thing that is done now."""
        self.say(f"  {what:<24} {outcome}")

    def event(self, text: str) -> None:
        """Something that happened while all is running."""
        self.say(f"{time.strftime('%H:%M:%S')}  {text}")


def explain(error: CannotStart) -> str:
    """An error and its way out, for a person."""
    return f"{error.message}\n{error.way_out}" if error.way_out else error.message
