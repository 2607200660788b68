"""Natter with bugs planted: `python -m ops.chaos.planted SWITCH node|worker`.

Only the process that runs this is changed. The file SWITCH names the bugs that are on, with a space between them; it
may change meanwhile, which spares the tests a start of the process for each. Every bug is one that a checker worth its
name sees from outside.
"""

import asyncio
import itertools
import sys
from pathlib import Path
from typing import Any

import orjson

from data_plane.fanout import RedisBus
from data_plane.fanout.follower import Follower
from data_plane.fanout.passing import Passing
from data_plane.gateway.connection import Connection
from data_plane.gateway.engineio.frame import Frame
from data_plane.log import Entry, LogKey
from data_plane.messages.flush import Flusher, NewMessage, Verdict
from data_plane.usage.relay import UsageRelay
from kernel.settings import load_settings
from ops.entrypoints import node, worker

SELDOM = 50
"""A bug of the delivery strikes once in so many frames."""

LATE_SECONDS = 12.0
"""How late `late` is: more than healing may take."""

IN_NODE = ("drop", "double", "swap", "late", "deaf", "linger", "lose")
IN_WORKER = ("count_twice", "forget_usage")
BUGS = (*IN_NODE, *IN_WORKER)


def on(switch: Path) -> list[str]:
    """The bugs that are on now."""
    return switch.read_text().split()


def plant_in_delivery(switch: Path) -> None:
    """`drop`, `double`, `swap`: now and then a frame does not reach a client, or twice, or after the next one. `late`:
    everything reaches it, in order, much later."""
    deliver, count = Connection.deliver, itertools.count(1)
    held: dict[Any, Frame] = {}

    def release(connection: Connection, key: Any) -> None:
        if key in held:
            deliver(connection, held.pop(key))

    def broken(self: Connection, frame: Frame) -> None:
        bugs = on(switch)
        if "late" in bugs:
            asyncio.get_running_loop().call_later(LATE_SECONDS, deliver, self, frame)
            return
        key = (self.id, orjson.loads(frame.messages[0][1:])[1]["channel_id"])
        strikes = not next(count) % SELDOM
        if "drop" in bugs and strikes:
            return
        if "swap" in bugs and strikes and key not in held:
            held[key] = frame
            asyncio.get_running_loop().call_later(0.3, release, self, key)
            return
        deliver(self, frame)
        if "double" in bugs and strikes:
            deliver(self, frame)
        release(self, key)

    Connection.deliver = broken  # type: ignore[method-assign]


def plant_in_hearing(switch: Path) -> None:
    """`deaf`: what other nodes commit is heard only when one's own commits show a gap: no bus, no follower."""
    look, begin = Follower.round, RedisBus.__init__

    async def idle(self: Follower) -> bool:
        return False if "deaf" in on(switch) else await look(self)

    def deafened(self: RedisBus, *args: Any, deliver: Any, **more: Any) -> None:
        begin(self, *args, deliver=lambda es: None if "deaf" in on(switch) else deliver(es), **more)

    Follower.round = idle  # type: ignore[method-assign]
    RedisBus.__init__ = deafened  # type: ignore[method-assign]


def plant_in_removal(switch: Path) -> None:
    """`linger`: who was removed goes on hearing who types."""
    stop, take = Passing.stop_watching, Passing.take

    def forgetful(self: Passing, key: LogKey, user_id: str) -> None:
        if "linger" not in on(switch):
            stop(self, key, user_id)

    def careless(self: Passing, entry: Entry) -> None:
        if "linger" not in on(switch):
            take(self, entry)
            return
        frame = self._encode([entry])
        for recipient in self.watchers.get(entry.key, ()):
            recipient.deliver(frame)

    Passing.stop_watching, Passing.take = forgetful, careless  # type: ignore[method-assign]


def plant_in_storage(switch: Path) -> None:
    """`lose`: a message now and then is acknowledged and gone."""
    write, count = Flusher._write, itertools.count(1)

    async def careless(self: Flusher, messages: list[NewMessage], sql: str) -> list[Verdict]:
        verdicts = await write(self, messages, sql)
        if "lose" in on(switch) and not next(count) % 20:
            gone, pool = messages[0], await self._pool()
            await pool.execute("delete from chat.messages where app_id = $1 and id = $2", gone.app_id, gone.id)
        return verdicts

    Flusher._write = careless  # type: ignore[method-assign]


def plant_in_usage(switch: Path) -> None:
    """`count_twice`, `forget_usage`: now and then a report is sent under a second name too, or not at all."""
    post, count = UsageRelay._post, itertools.count()

    async def broken(self: UsageRelay, rows: list[Any]) -> bool:
        bugs = on(switch)
        strikes = not next(count) % 2
        if "forget_usage" in bugs and strikes:
            return True
        if "count_twice" in bugs and strikes:
            await post(self, [dict(row) | {"epoch": row["epoch"] + "-again"} for row in rows])
        return await post(self, rows)

    UsageRelay._post = broken  # type: ignore[method-assign]


def main(switch: str, command: str) -> None:
    """Plant the bugs, then be the process."""
    for plant in (plant_in_delivery, plant_in_hearing, plant_in_removal, plant_in_storage, plant_in_usage):
        plant(Path(switch))
    {"node": node, "worker": worker}[command].main(load_settings())


if __name__ == "__main__":
    main(*sys.argv[1:])
