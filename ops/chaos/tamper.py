"""Spoils the bus between Redis and one node: some messages never come, come twice, or after later ones.

Understands as much of Redis's protocol (RESP2 and RESP3, https://redis.io/docs/latest/develop/reference/protocol-spec/)
as it takes to find where a reply ends. Everything but the messages of sharded channels passes untouched.
"""

import asyncio
import random
import re
from collections import Counter
from collections.abc import Callable
from typing import Final

SHARE: Final = 0.3
"""Of the bus messages that something happens to, while it is switched on."""
LATE_SECONDS: Final = (0.01, 0.4)
"""How much later a message comes that is held back or repeated."""

_BUS_MESSAGE: Final = re.compile(rb"[*>]3\r\n\$8\r\nsmessage\r\n")
_BULK: Final = b"$=!"
_GROUP: Final = b"*>~"
_PAIRS: Final = b"%|"


def end_of_reply(data: bytes, at: int = 0) -> int | None:
    """Where the reply that begins `at` ends; null when it is not all there."""
    line = data.find(b"\r\n", at)
    if line < 0:
        return None
    kind, end = data[at], line + 2
    if kind in _BULK:
        size = int(data[at + 1 : line])
        end = end if size < 0 else end + size + 2
        return end if end <= len(data) else None
    if kind in _GROUP or kind in _PAIRS:
        for _ in range(max(0, int(data[at + 1 : line])) * (2 if kind in _PAIRS else 1)):
            inner = end_of_reply(data, end)
            if inner is None:
                return None
            end = inner
    return end


class Tampering:
    """What is done to one node's bus messages; `on` switches it for connections old and new."""

    def __init__(self, rng: random.Random) -> None:
        self.on = False
        self.done: Counter[str] = Counter()
        """How often each was done."""
        self.random = rng

    def filter(self, write: Callable[[bytes], None]) -> "BusFilter":
        """The filter of one connection."""
        return BusFilter(self, write)


class BusFilter:
    """One connection's replies. See `ops.chaos.proxy.Filter`."""

    def __init__(self, tampering: Tampering, write: Callable[[bytes], None]) -> None:
        self._tampering = tampering
        self._write = write
        self._rest = b""
        self._late: set[asyncio.TimerHandle] = set()

    def feed(self, data: bytes) -> bytes:
        data, at = self._rest + data, 0
        passed = []
        while at < len(data) and (end := end_of_reply(data, at)) is not None:
            passed.append(self._judge(data[at:end]))
            at = end
        self._rest = data[at:]
        return b"".join(passed)

    def close(self) -> None:
        for timer in self._late:
            timer.cancel()

    def _judge(self, reply: bytes) -> bytes:
        mine = self._tampering
        if not mine.on or _BUS_MESSAGE.match(reply) is None or mine.random.random() >= SHARE:
            return reply
        what = mine.random.choice(("drop", "double", "swap"))
        mine.done[what] += 1
        if what == "drop":
            return b""
        self._later(reply)
        return reply if what == "double" else b""

    def _later(self, reply: bytes) -> None:
        def send() -> None:
            self._late.discard(timer)
            self._write(reply)

        timer = asyncio.get_running_loop().call_later(self._tampering.random.uniform(*LATE_SECONDS), send)
        self._late.add(timer)
