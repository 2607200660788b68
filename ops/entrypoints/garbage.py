"""When a node looks for garbage that counting references does not find.

A look stands in everybody's way, for as long as what it looks at is much. Python looks at the newest objects, and now
and then at all that survived: 90 ms in the middle of 5,000 clients that come back, who are no garbage. Here what has
survived one look is put aside (`gc.freeze`), so that a look is as long as `NEW` objects make it. What became garbage
only later is found by a look at everything, at a moment in which little is made.

Python counts what came less what went. While 5,000 clients come back, whose former connections go at the same time,
that is next to nothing, until the last of those have gone: then a single look was at all the new, for 33 to 47 ms.
"""

import asyncio
import gc
import time
from typing import Any, Final

from kernel.logging import get_logger

NEW: Final = 10_000
"""New containers, less those that went, between two looks. Next to nothing here is in a cycle."""
PERIOD: Final = 10.0
"""Seconds between two thoughts of looking at everything."""
WORTH: Final = 100
"""Looks at new objects after which everything is looked at once nothing new was looked at for a period."""
AT_LAST: Final = 2_000
"""The same without waiting for such a moment."""
HERD: Final = 50
"""Calls of `newcomer` after which what is new is put aside without a look."""
HERD_SECONDS: Final = 0.5
"""If so many came within this."""
_NEVER: Final = 1_000_000
_log = get_logger(__name__)


class Garbage:
    """Of one process, from `start` on."""

    def __init__(self) -> None:
        self.looks = 0
        """At new objects, since everything was looked at."""
        self._seen = 0
        self._newcomers = 0
        self._since = 0.0

    def start(self) -> None:
        """Put aside all that is there, and look at new objects alone."""
        gc.collect()
        gc.freeze()
        gc.set_threshold(NEW, _NEVER, _NEVER)
        gc.callbacks.append(self._looked)

    def stop(self) -> None:
        """Leave it to Python again."""
        gc.callbacks.remove(self._looked)
        gc.unfreeze()

    def newcomer(self) -> None:
        """A client has come, or its connection is open. What a herd is made of is put aside as it is made."""
        self._newcomers += 1
        if self._newcomers >= HERD:
            now, began = time.monotonic(), self._since
            self._newcomers, self._since = 0, now
            if now - began < HERD_SECONDS:
                self.looks += 1  # for what it leaves to the look at everything
                gc.freeze()

    async def run(self) -> None:
        """Look at everything when it is time, for ever."""
        while True:
            await asyncio.sleep(PERIOD)
            self.think()

    def think(self) -> None:
        """Look at everything if that is worth it and few would notice, or if it has been put off for long."""
        quiet, self._seen = self.looks == self._seen, self.looks
        if self.looks >= AT_LAST or (quiet and self.looks >= WORTH):
            began = asyncio.get_running_loop().time()
            gc.unfreeze()
            found = gc.collect()
            gc.freeze()
            self.looks = self._seen = 0
            _log.info("node.garbage", found=found, ms=round((asyncio.get_running_loop().time() - began) * 1000))

    def _looked(self, phase: str, info: dict[str, Any]) -> None:
        if phase == "stop" and info["generation"] < 2:
            self.looks += 1
            gc.freeze()
