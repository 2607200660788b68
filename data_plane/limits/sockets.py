"""Limits of socket events. A refusal is the event's acknowledgement, like any other error."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from data_plane.gateway import closing
from data_plane.gateway.connection import Connection
from data_plane.identity.caller import AnonymousCaller
from data_plane.limits.limiter import Bucket, Limiter
from data_plane.limits.policies import EVENTS, EVENTS_CONNECTION, REQUESTS
from kernel.errors import RateLimited
from kernel.gcra import SECOND, Rate, take

PATIENCE: Final = Rate(SECOND // 50, 1_000)
"""Refusals that a connection gets at once before it is closed. Nothing holds those answers back, so only its end can
stop a client that does not listen."""

MOST_UNANSWERED: Final = 1
"""Refusals of one connection that may be held; until one of them is answered, nothing more is read from it. So who
floods on a hundred events in flight costs no more than who waits for answers: what it sends stays with itself."""


class SocketLimits:
    """What the dispatcher asks of the limiter."""

    def __init__(self, limiter: Limiter) -> None:
        self._limiter = limiter

    def check(self, connection: Connection, event: str) -> Awaitable[None] | None:
        """Charge an event to the connection's user, or its address, and app. Null when it may go on; otherwise await
        what is returned, which raises `RateLimited` or lets it go on. Raises `RateLimited`, whose answer is for `held`.
        """
        buckets = self._buckets(connection, event)
        return None if self._limiter.try_pass(buckets) else self._limiter.admit(buckets)

    def held(self, connection: Connection, event: str, refusal: RateLimited, answer: Callable[[], None]) -> None:
        """Have a refusal of `check` answered when it is time: at once, or later if there were many lately. A timer is
        all that it costs to hold it, and some patience of the client: see `MOST_UNANSWERED`."""
        if wait := self._limiter.hold(self._buckets(connection, event), refusal):
            connection.held += 1
            if connection.held == MOST_UNANSWERED:
                connection.transport.pause()
            asyncio.get_running_loop().call_later(wait, self._let_go, connection, answer)
        else:
            answer()

    def refill(self, connection: Connection) -> None:
        """Take one from the events that a connection may send without anybody else being asked; its `credit` is used
        up. Raises `RateLimited`.

        Looking at the clock only then keeps these events as cheap as they are, at the price of a second burst: in any
        time t at most `2·burst + rate·t` pass.
        """
        limit = self._limiter.limits_of(connection.caller.app).rates[EVENTS_CONNECTION.name]
        now = self._limiter.now()
        connection.credit = min(limit.burst, (now - connection.credit_at) // limit.every)
        if connection.credit < 1:
            connection.credit = 0
            self.overdone(connection)
            raise self._limiter.refusal(EVENTS_CONNECTION, limit, connection.credit_at + limit.every - now)
        connection.credit_at = now
        connection.credit -= 1

    def overdone(self, connection: Connection) -> None:
        """A refusal is answered at once; with too many of them the connection is over."""
        connection.overdone, wait = take(connection.overdone, self._limiter.now(), PATIENCE)
        if wait > 0:
            connection.close(closing.FLOODING)

    def _buckets(self, connection: Connection, event: str) -> Sequence[Bucket]:
        caller = connection.caller
        if isinstance(caller, AnonymousCaller):
            return self._limiter.visitor_buckets(caller.app, caller.address)
        return self._limiter.buckets(EVENTS.get(event, REQUESTS), caller.app, caller.user_id)

    def _let_go(self, connection: Connection, answer: Callable[[], None]) -> None:
        self._limiter.let_go()
        connection.held -= 1
        answer()
        if connection.held == MOST_UNANSWERED - 1:
            connection.transport.resume()
