"""A node is told to stop: its clients move elsewhere, spread over time, and no call that it received goes unanswered.

Every client hears at once when it shall go (`connection.closing`, `after_ms`). Until then its calls are answered as
ever, and for `GRACE` seconds more, because what it sent before its time may still be on the way. Later calls are
refused with a retryable error; once those before them are answered, the transport closes. Clients that have gone by
themselves are not waited for.
"""

import asyncio
import random
from collections import deque
from typing import Final, Protocol

from data_plane.gateway import closing
from data_plane.gateway.connection import Connection, Registry
from kernel.logging import get_logger

RATE: Final = 500
"""Clients a second that are sent to the other nodes."""
GRACE: Final = 1.0
"""Seconds after a client's time in which its calls still count."""
ANSWERS: Final = 4.0
"""Seconds that calls in flight get after that."""
FLUSH: Final = 2.5
"""Seconds in which the last transports may send what they hold."""
LONGEST: Final = closing.SHUTDOWN.spread_ms / 1000 + GRACE + ANSWERS + FLUSH
"""Seconds that a drain can take."""

_TICK: Final = 0.05
_log = get_logger(__name__)


class Draining(Protocol):
    """What a drain needs of a gateway."""

    registry: Registry
    draining: bool

    @property
    def open_transports(self) -> int:
        """Transports that are there, with a connection or without."""
        ...

    def turn_away_unconnected(self) -> None:
        """Tell everybody who has no connection yet to come again, elsewhere."""
        ...


async def drain(gateway: Draining, seconds: float = LONGEST) -> None:
    """Accept nobody new and let everybody go. Returns when all are gone, or after `seconds`, whichever is first."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    deadline = began + seconds
    gateway.draining = True
    gateway.turn_away_unconnected()
    waiting = await _tell(list(gateway.registry), seconds)
    ending: list[tuple[Connection, float]] = []
    while waiting or ending:
        await asyncio.sleep(_TICK)
        now = loop.time()
        # What has become ready in this round counts: a call that was read just now is in flight after this.
        await asyncio.sleep(0)
        ending = [each for each in ending if not _ended(*each, now, deadline)]
        while waiting and (waiting[0][0].closed or waiting[0][1] + GRACE <= now or deadline <= now):
            connection, _ = waiting.popleft()
            if not connection.closed:
                connection.leaving = True
                ending.append((connection, now + ANSWERS))
    # Bounded waits for a counter, once in a node's life.
    last = min(loop.time() + FLUSH, deadline)
    while gateway.open_transports and loop.time() < last:  # noqa: ASYNC110
        await asyncio.sleep(_TICK)
    _log.info("gateway.drained", seconds=round(loop.time() - began, 1), left=gateway.open_transports)


async def depart(connection: Connection, after_ms: int) -> None:
    """Let one client go, by the same rules."""
    loop = asyncio.get_running_loop()
    connection.tell(closing.SHUTDOWN, after_ms=after_ms)
    await asyncio.sleep(after_ms / 1000 + GRACE)
    connection.leaving = True
    patience = loop.time() + ANSWERS
    await asyncio.sleep(_TICK)
    while not _ended(connection, patience, loop.time(), patience):  # noqa: ASYNC110 - a counter
        await asyncio.sleep(_TICK)


async def _tell(connections: list[Connection], seconds: float) -> deque[tuple[Connection, float]]:
    """Tell each when to go; returns them with those times, the earliest first."""
    loop = asyncio.get_running_loop()
    count = len(connections)
    room = max(0.0, seconds - GRACE - ANSWERS)
    spread = min(count / RATE, closing.SHUTDOWN.spread_ms / 1000, room)
    random.shuffle(connections)
    told: deque[tuple[Connection, float]] = deque()
    for place, connection in enumerate(connections):
        after = spread * (place + random.random()) / count  # noqa: S311 - spreading, not secrecy
        connection.tell(closing.SHUTDOWN, after_ms=round(after * 1000))
        told.append((connection, loop.time() + after))
        if place % 200 == 199:
            await asyncio.sleep(0)  # calls go on being answered meanwhile
    return told


def _ended(connection: Connection, patience: float, now: float, deadline: float) -> bool:
    """Whether it is gone, after ending it if it is time."""
    if connection.closed:
        return True
    if connection.in_flight and now < min(patience, deadline):
        return False
    if connection.in_flight:
        _log.warning("gateway.left_unanswered", userId=connection.user_id, calls=connection.in_flight)
    connection.close(closing.SHUTDOWN)
    return True
