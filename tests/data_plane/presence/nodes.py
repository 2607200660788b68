"""Several processes of a shard in one: each a gateway and hub of its own, with presence over one real Redis."""

from typing import Any

from redis.asyncio import Redis

from data_plane.gateway.connection import Connection
from data_plane.gateway.events import add_connection_events
from data_plane.presence.audience import Audience
from data_plane.presence.parts import PresenceParts
from data_plane.presence.socket import presence_events
from data_plane.receipts.parts import ReceiptParts
from data_plane.typing.crowd import TypingCrowd
from tests.data_plane.conftest import App
from tests.data_plane.gateway.test_gateway import House, Line, until


class Process(House):
    """One process. Rounds are called by tests, so nothing happens by itself."""

    def __init__(self, app: App, redis: Redis, name: str, others: "list[Process]") -> None:
        super().__init__(app)
        self.others = others
        self.deaf = False
        """Whether the bus brings it nothing."""
        audience = Audience(self.hub)
        self.hub.attend(audience)
        self.audience = audience
        reading = ReceiptParts(self.shard, self.hub, audience, self.hidden, self.publish)
        self.counting, self.readers, self.teller, self.receipts = (
            reading.counting, reading.crowd, reading.teller, reading.service
        )  # fmt: skip
        self.typists = TypingCrowd(self.shard, self.hub, audience)
        self.there = PresenceParts(
            self.shard, redis, self.hub, self.gateway.registry, audience, self.hidden, self.publish, self.signal,
            process=name,
        )  # fmt: skip
        self.presence, self.crowds, self.people = self.there.presence, self.there.crowds, self.there.service
        dispatcher = self.gateway.dispatcher

        async def passing(connection: Connection, channel_id: str) -> dict[str, Any]:
            return {
                "presence": await self.people.of_channel(connection, channel_id),
                "watchers": await self.people.watchers_now(connection, channel_id),
                "receipts": await self.receipts.of_channel(connection, channel_id),
            }

        for event in ("auth.refresh", "channel.watch", "channel.unwatch"):
            del dispatcher._routes[event]
        add_connection_events(dispatcher, self.gateway, self.hub, self.shard, self.hidden, passing=passing)
        for event, payload, handle in presence_events(self.people):
            dispatcher.add(event, payload, handle)

    def publish(self, entries: Any) -> None:
        for process in self.others:
            if process is self or not process.deaf:
                process.hub.deliver(entries)

    def signal(self, signal: Any) -> None:
        for process in self.others:
            if process is self or not process.deaf:
                process.there.chosen(signal)

    async def ask(self, who: "tuple[Any, Line]", event: str, **payload: Any) -> Any:
        """Send an event and return its answer."""
        wire, line = who
        number = max(line.acks(), default=0) + 1
        self.packet(wire, event, payload, ack=number)
        await until(lambda: number in line.acks())
        return line.acks()[number]

    async def enter(self, user: str, *channels: str) -> "tuple[Any, Line]":
        """Connect, watch, and let it be known."""
        who = await self.connect(user)
        await self.presence.round()
        for channel in channels:
            await self.ask(who, "channel.watch", channel_id=channel)
        return who

    def leave(self, who: "tuple[Any, Line]") -> None:
        """The client hangs up."""
        self.gateway.ended(who[0])
        self.gateway._forget(who[0])  # which would come in its turn, and nobody is in front


Nodes = list[Process]


def told(who: "tuple[Any, Line]", name: str = "presence.changed") -> list[tuple[str, str]]:
    """What a client heard of others: users and states, in order."""
    return [(event["data"]["user_id"], event["data"]["status"]) for _, event in who[1].events(name)]


async def rounds(*processes: Process) -> None:
    """Let each do what is due."""
    for process in processes:
        await process.presence.round()
