"""Natter with a bug planted: `python -m tests.scenarios.delivery.planted BUG node|worker`.

Only the process that runs this is changed. Each bug is one that a checker worth its name must notice from outside.
"""

import itertools
import sys
from collections.abc import Callable
from typing import Any

from data_plane.fanout import RedisBus
from data_plane.fanout.follower import Follower
from data_plane.gateway.connection import Connection
from data_plane.messages.flush import Flusher, NewMessage, Verdict
from data_plane.usage.relay import UsageRelay
from kernel.settings import load_settings
from ops.entrypoints import node, worker

SELDOM = 50
"""A bug strikes once in so many times."""


def drop() -> None:
    """A log entry now and then does not reach its recipient."""
    deliver, count = Connection.deliver, itertools.count(1)

    def forgetful(self: Connection, entry: Any, frame: object) -> None:
        if next(count) % SELDOM:
            deliver(self, entry, frame)

    Connection.deliver = forgetful  # type: ignore[method-assign]


def double() -> None:
    """A log entry now and then reaches its recipient twice."""
    deliver, count = Connection.deliver, itertools.count(1)

    def stammering(self: Connection, entry: Any, frame: object) -> None:
        deliver(self, entry, frame)
        if not next(count) % SELDOM:
            deliver(self, entry, frame)

    Connection.deliver = stammering  # type: ignore[method-assign]


def swap() -> None:
    """A log entry now and then waits until the next of its log has passed."""
    deliver, count = Connection.deliver, itertools.count(1)
    held: dict[Any, tuple[Any, object]] = {}

    def shuffling(self: Connection, entry: Any, frame: object) -> None:
        key = (self.id, entry.key)
        if not next(count) % SELDOM and key not in held:
            held[key] = (entry, frame)
            return
        deliver(self, entry, frame)
        if key in held:
            deliver(self, *held.pop(key))

    Connection.deliver = shuffling  # type: ignore[method-assign]


def deaf() -> None:
    """What other nodes commit is heard only when one's own commits show a gap: no bus, and nobody follows the log."""

    async def nothing(self: Follower) -> bool:
        return False

    RedisBus.subscribe = lambda self, slot: None  # type: ignore[method-assign]
    Follower.round = nothing  # type: ignore[method-assign]


def lose() -> None:
    """A message now and then is acknowledged and not stored."""
    write, count = Flusher._write, itertools.count(1)

    async def careless(self: Flusher, messages: list[NewMessage]) -> list[Verdict]:
        verdicts = await write(self, messages)
        if len(messages) == 1 and not next(count) % SELDOM:
            pool = await self._pool()
            gone = messages[0]
            await pool.execute("delete from chat.messages where app_id = $1 and id = $2", gone.app_id, gone.id)
        return verdicts

    Flusher._write = careless  # type: ignore[method-assign]


def count_twice() -> None:
    """Usage now and then is reported under a second name too."""
    post, count = UsageRelay._post, itertools.count(1)

    async def greedy(self: UsageRelay, rows: list[Any]) -> bool:
        if next(count) % 3 == 1:
            await post(self, [dict(row) | {"epoch": row["epoch"] + "-again"} for row in rows])
        return await post(self, rows)

    UsageRelay._post = greedy  # type: ignore[method-assign]


def forget_usage() -> None:
    """Usage now and then is deleted unreported."""
    post, count = UsageRelay._post, itertools.count(1)

    async def lazy(self: UsageRelay, rows: list[Any]) -> bool:
        return next(count) % 3 == 1 or await post(self, rows)

    UsageRelay._post = lazy  # type: ignore[method-assign]


BUGS: dict[str, Callable[[], None]] = {
    bug.__name__: bug for bug in (drop, double, swap, deaf, lose, count_twice, forget_usage)
}


def main(bug: str, command: str) -> None:
    """Plant the bug, then be the process."""
    BUGS[bug]()
    {"node": node, "worker": worker}[command].main(load_settings())


if __name__ == "__main__":
    main(*sys.argv[1:])
