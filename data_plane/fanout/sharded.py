"""Sharded pub/sub over one server or over a Redis Cluster, whichever the URL names."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from data_plane.fanout.line import Line, Message
from data_plane.fanout.topology import topology_of
from kernel.logging import get_logger
from kernel.redis import connect_server
from kernel.tasks import end_tasks

LOOK_PERIOD: Final = 10.0
"""Seconds between looks at a cluster's topology when nothing seems wrong."""
LOOK_PATIENCE: Final = 0.25
"""Seconds between two looks when something is."""
MAX_STRAY: Final = 10_000
"""Messages that wait for the topology to be known."""
_log = get_logger(__name__)


class ShardedPubSub:
    """Channels over the lines to the servers that carry them; a channel that moves is followed there.

    Loses, doubles and reorders while a server is away or a slot moves; it heals by itself. `received` gets channel
    and data of whatever is heard; `pack` makes the data of parts that go out together.
    """

    def __init__(
        self, url: str, *, name: str, received: Callable[[bytes, bytes], None], pack: Callable[[list[Any]], bytes]
    ) -> None:
        self._topology = topology_of(url)
        self._name = name
        self._received = received
        self._pack = pack
        self._lines: dict[str, Line] = {}
        self._wanted: set[str] = set()
        self._stray: list[Message] = []
        self._look_anew = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def connected(self) -> bool:
        """Whether every wanted channel is listened to, or about to be, over a connection that stands."""
        listening = [line for line in self._lines.values() if line.wanted]
        return bool(listening) and all(line.connected for line in listening) and not self._homeless()

    @property
    def heard(self) -> int:
        """What came in so far, answers to pings included."""
        return sum(line.heard for line in self._lines.values())

    def start(self) -> None:
        """Begin to send and receive."""
        self._assign()
        self._task = asyncio.create_task(self._look_for_ever(), name="bus-topology")

    async def stop(self) -> None:
        """Stop both directions."""
        if self._task is not None:
            await end_tasks([self._task])
        await asyncio.gather(*(line.stop() for line in self._lines.values()), *self._ending)
        self._lines.clear()

    def publish(self, message: Message) -> None:
        """Say it to whoever listens to its channel. Never blocks, never fails."""
        owner = self._topology.owner(message.channel)
        if owner is not None and self._task is not None:
            self._line(owner).publish(message)
        elif len(self._stray) < MAX_STRAY:
            self._stray.append(message)

    def listen(self, channels: set[str]) -> None:
        """Have these channels and no others, soon."""
        self._wanted = channels
        if self._task is not None:
            self._assign()

    def _homeless(self) -> bool:
        return any(self._topology.owner(channel) is None for channel in self._wanted)

    def _strayed(self, messages: list[Message]) -> None:
        """A line's word that something is not where it was."""
        self._stray = [*messages, *self._stray][:MAX_STRAY]
        self._look_anew.set()

    async def _look_for_ever(self) -> None:
        while True:
            try:
                await self._topology.refresh()
            except Exception as error:
                _log.warning("bus.look_failed", error=repr(error))
            self._assign()
            stray, self._stray = self._stray, []
            for message in stray:
                self.publish(message)
            if self.connected:
                # Not `wait_for`, which on Python 3.11 forgets a cancellation that comes together with the event.
                try:
                    async with asyncio.timeout(LOOK_PERIOD):
                        await self._look_anew.wait()
                except TimeoutError:
                    continue
            self._look_anew.clear()
            await asyncio.sleep(LOOK_PATIENCE)

    def _assign(self) -> None:
        """Let each line listen to what its server carries; a line to a server that carries nothing any more ends."""
        by_owner: dict[str, set[str]] = {}
        for channel in self._wanted:
            if (owner := self._topology.owner(channel)) is not None:
                by_owner.setdefault(owner, set()).add(channel)
        for owner, channels in by_owner.items():
            self._line(owner).listen(channels)
        owners = self._topology.owners()
        for owner, line in list(self._lines.items()):
            if owner not in owners:
                del self._lines[owner]
                ending = asyncio.create_task(line.stop())
                self._ending.add(ending)
                ending.add_done_callback(self._ending.discard)
            elif owner not in by_owner:
                line.listen(set())

    def _line(self, owner: str) -> Line:
        line = self._lines.get(owner)
        if line is None:
            redis = connect_server(owner, name=self._name)
            line = Line(redis, received=self._received, stray=self._strayed, pack=self._pack)
            self._lines[owner] = line
        return line
