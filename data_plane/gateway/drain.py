"""A node is told to stop: its clients move elsewhere, spread over time, and no call that it received goes unanswered.

Every client is told at once when it shall go (`connection.closing`, `after_ms` from when it hears that). Until then its
calls are answered as ever, and for `GRACE` seconds more, because what it sent before its time may still be on the way.
Later calls are refused with a retryable error; once those before them are answered, the transport closes. Clients that
have gone by themselves are not waited for.
"""

import asyncio
import random
from typing import Final, Protocol

from data_plane.gateway import closing
from data_plane.gateway.connection import Connection, Registry
from data_plane.gateway.engineio.polling import LAST_POLL
from kernel.logging import get_logger

RATE: Final = 500
"""Clients a second that are sent to the other nodes."""
HEARD: Final = 3.0
"""Seconds that a client's time waits for the client to fetch the word of it."""
GRACE: Final = 1.0
"""Seconds after a client's time in which its calls still count."""
ANSWERS: Final = 4.0
"""Seconds that calls in flight get after that."""
FLUSH: Final = LAST_POLL
"""Seconds in which the last transports may send what they hold."""
LONGEST: Final = closing.SHUTDOWN.spread_ms / 1000 + HEARD + GRACE + ANSWERS + FLUSH
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


class _Departure:
    """One client on its way out."""

    __slots__ = ("_after", "_mark", "_told", "_until", "connection", "due")

    def __init__(self, connection: Connection, after: float) -> None:
        connection.tell(closing.SHUTDOWN, after_ms=round(after * 1000))
        self.connection = connection
        self._after = after
        self._mark = connection.transport.mark()
        self._told = asyncio.get_running_loop().time()
        self.due: float | None = None
        """When its calls count no more; null while it has not heard."""
        self._until = 0.0

    def over(self, now: float, deadline: float) -> bool:
        """Take the next step if it is time, and say whether that was the last."""
        connection = self.connection
        if connection.closed:
            return True
        if self.due is None:
            if not connection.transport.passed(self._mark) and now < self._told + HEARD:
                return False
            self.due = now + self._after + GRACE
        if not connection.leaving:
            if now >= min(self.due, deadline):
                connection.leaving = True
                self._until = min(now + ANSWERS, deadline)
            # Not in the same round: what had come in by now is only about to be dispatched.
            return False
        if connection.in_flight and now < self._until:
            return False
        if connection.in_flight:
            _log.warning("gateway.left_unanswered", userId=connection.user_id, calls=connection.in_flight)
        connection.close(closing.SHUTDOWN)
        return True


async def drain(gateway: Draining, seconds: float = LONGEST) -> None:
    """Accept nobody new and let everybody go. Returns when all are gone, or after `seconds`, whichever is first."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    deadline = began + max(0.0, seconds - ANSWERS)
    gateway.draining = True
    gateway.turn_away_unconnected()
    going = await _tell(list(gateway.registry), seconds)
    while going:
        await asyncio.sleep(_TICK)
        # What has become ready in this round comes first: a call that was read just now is in flight after this.
        await asyncio.sleep(0)
        now = loop.time()
        going = [departure for departure in going if not departure.over(now, deadline)]
    # A bounded wait for a counter, once in a node's life.
    last = min(loop.time() + FLUSH, began + seconds)
    while gateway.open_transports and loop.time() < last:  # noqa: ASYNC110
        await asyncio.sleep(_TICK)
    _log.info("gateway.drained", seconds=round(loop.time() - began, 1), left=gateway.open_transports)


async def depart(connection: Connection, after_ms: int) -> None:
    """Let one client go, by the same rules."""
    departure = _Departure(connection, after_ms / 1000)
    deadline = asyncio.get_running_loop().time() + LONGEST
    while not departure.over(asyncio.get_running_loop().time(), deadline):  # noqa: ASYNC110 - a counter
        await asyncio.sleep(_TICK)


async def _tell(connections: list[Connection], seconds: float) -> list[_Departure]:
    """Tell each when to go."""
    count = len(connections)
    room = max(0.0, seconds - HEARD - GRACE - ANSWERS)
    spread = min(count / RATE, closing.SHUTDOWN.spread_ms / 1000, room)
    random.shuffle(connections)
    going = []
    for place, connection in enumerate(connections):
        after = spread * (place + random.random()) / count  # noqa: S311 - spreading, not secrecy
        if not connection.closed:
            going.append(_Departure(connection, after))
        if place % 200 == 199:
            await asyncio.sleep(0)  # calls go on being answered meanwhile
    return going
