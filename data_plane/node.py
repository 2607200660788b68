"""One data-plane node, assembled: REST and Socket.IO of one shard, on one port."""

import asyncio
import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from prometheus_client import CollectorRegistry

from data_plane.blocks.hidden import Hidden
from data_plane.custom_events.service import CustomEvents
from data_plane.fanout import Hub, RedisBus
from data_plane.fanout.bus import GrantsChanged, PresenceChosen, Revoked, Signal
from data_plane.fanout.follower import Follower
from data_plane.features import rest_app, socket_routes
from data_plane.gateway import closing, drain
from data_plane.gateway.connection import MAX_BUFFERED, Connection, UserConnection
from data_plane.gateway.dispatcher import Dispatcher
from data_plane.gateway.engineio.server import PATH, EngineServer
from data_plane.gateway.events import add_connection_events
from data_plane.gateway.gate import NodeGate
from data_plane.gateway.gateway import Gateway, encode_entries
from data_plane.gateway.peers import METRICS, Router
from data_plane.gateway.peers.directory import Directory
from data_plane.gateway.peers.hops import Hops
from data_plane.gateway.peers.place import Place
from data_plane.gateway.session import SessionOpener
from data_plane.gateway.watching import Watching
from data_plane.grants.service import GrantService
from data_plane.grants.store import GrantStore
from data_plane.identity.activity import ActivityTracker
from data_plane.identity.authenticate import Authenticator
from data_plane.identity.revocations import Revocations
from data_plane.identity.tokens.service import TokenService
from data_plane.limits.limiter import Limiter
from data_plane.limits.sockets import SocketLimits
from data_plane.limits.store import BucketStore
from data_plane.log import Entry, LogKey, LogReader, LogWriter
from data_plane.messages.flush import Flusher, NewMessage, Verdict
from data_plane.messages.pace import Pace
from data_plane.messages.send import SendService, created_entry
from data_plane.metrics import NodeMetrics
from data_plane.presence.audience import Audience
from data_plane.presence.parts import PresenceParts
from data_plane.presence.socket import presence_events
from data_plane.receipts.parts import ReceiptParts
from data_plane.shard import Shard
from data_plane.sync.service import SyncService
from data_plane.tenancy.connections import ConnectionQuota
from data_plane.tenancy.copies import SnapshotCopies
from data_plane.tenancy.key_uses import KeyUses
from data_plane.tenancy.puller import SnapshotPuller
from data_plane.tenancy.store import SnapshotStore
from data_plane.tenancy.unknown_kids import UnknownKids
from data_plane.tenancy.user_connections import UserConnections
from data_plane.typing.crowd import TypingCrowd
from data_plane.typing.socket import Typing
from data_plane.usage.samples import PeakSamples
from kernel.clock import Clock, month_of
from kernel.contracts import AppSnapshot
from kernel.db import Database
from kernel.errors import NatterError
from kernel.ids import Ids, format_id, parse_id
from kernel.logging import get_logger
from kernel.outbox import Outbox
from kernel.redis import connect_redis
from kernel.security.vault import Vault
from kernel.tasks import end_tasks

_FLUSH_SECONDS: Final = 3.0
"""That sends over REST get to be committed once the node drains."""
_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deps:
    """What a node is made of; tests pass their own.

    A node may be several processes, its workers, which share `sockets`, a folder for the sockets between them.
    `peer_address` is where the shard's other nodes reach this one; without it they cannot pass requests on to it.
    """

    shard_id: str
    node_name: str
    database_url: str
    redis_url: str
    control_url: str
    credential: str
    public_url: str
    vault: Vault
    clock: Clock
    ids: Ids
    registry: CollectorRegistry
    pool_size: int = 8
    worker: int = 0
    workers: int = 1
    sockets: Path | None = None
    peer_address: str = ""
    user_connections: int = 50
    address_connections: int = 500

    @property
    def identity(self) -> str:
        """Who this process is to Redis, the database and its own shard's counts: the node, or `node/worker`."""
        return self.node_name if self.workers == 1 else f"{self.node_name}/{self.worker}"


class Node:
    """One process of a node: its parts and their life: `start`, serve `asgi`, `stop`."""

    def __init__(self, deps: Deps) -> None:
        self.deps = deps
        url, name, size = deps.database_url, deps.identity, deps.pool_size
        self.system = Database(url, role="natter_engine", pool_size=size, name=name)
        # One server: when the follower finds it silent, requests that wait for it need not find out for themselves.
        self.tenant = Database(url, role="natter_app", pool_size=size, name=name, line=self.system.line)
        # What stores messages shares its connections with nobody: one that was opened for a crowd of readers has all
        # its plans still to make, which took a flush 7 to 17 ms instead of one.
        self.writing = Database(url, role="natter_engine", pool_size=size, name=name, line=self.system.line)
        self.snapshots = SnapshotStore()
        self.revocations = Revocations(self.system, deps.clock)
        self.activity = ActivityTracker(self.system, deps.clock)
        self.hidden = Hidden(self.system, deps.clock)
        self.grants = GrantStore(self.system)
        self.key_uses = KeyUses(deps.clock)
        self.unknown_kids = UnknownKids(deps.clock)
        self.puller = SnapshotPuller(
            store=self.snapshots,
            uses=self.key_uses,
            unknown=self.unknown_kids,
            copies=SnapshotCopies(self.system, deps.vault),
            control_url=deps.control_url,
            credential=deps.credential,
            public_url=deps.public_url,
            worker=deps.worker,
        )
        self.metrics = NodeMetrics(deps.registry)
        self._limits = connect_redis(deps.redis_url, name=deps.identity)
        self.connections = ConnectionQuota(self._limits, shard_id=deps.shard_id, node=deps.identity, clock=deps.clock)
        self.users = UserConnections(
            self._limits,
            shard_id=deps.shard_id,
            process=deps.identity,
            clock=deps.clock,
            limit=deps.user_connections,
        )
        self.addresses = UserConnections(
            self._limits,
            shard_id=deps.shard_id,
            process=deps.identity,
            clock=deps.clock,
            limit=deps.address_connections,
            who="address",
        )
        self.limiter = Limiter(BucketStore(self._limits, deps.shard_id), deps.clock, deps.registry)
        self.samples = PeakSamples(self.system, self.connections.counts, node=deps.identity)
        here = Place.of_node(deps.shard_id, deps.node_name, deps.worker)
        self.hops = Hops(deps.vault.key("peers"), deps.clock)
        self.directory = Directory(
            self._limits, shard_id=deps.shard_id, tag=here.tag, address=deps.peer_address, clock=deps.clock
        )
        self.router = Router(here, self.directory, self.hops, folder=deps.sockets, path=PATH)
        self._tasks: list[asyncio.Task[Any]] = []
        self._loads: set[asyncio.Task[None]] = set()
        self._month = month_of(deps.clock.now())

    async def start(self) -> None:
        """Connect, load configuration, begin to follow the log. Raises when the shard cannot be served."""
        deps = self.deps
        await self.puller.start()
        await self.revocations.refresh()
        await self.grants.load_all()
        epoch = await self._epoch()

        reader = LogReader(self.system, epoch)
        self.bus = RedisBus(
            deps.redis_url,
            deps.shard_id,
            deps.ids.new("bus"),  # a restarted node must not take its former self's entries for its own
            deliver=lambda entries: self.hub.deliver(entries),
            on_signal=self._on_signal,
        )
        self.hub = Hub(
            reader,
            encode=encode_entries,
            subscribe=self.bus.subscribe,
            unsubscribe=self.bus.unsubscribe,
            is_current=lambda: self.follower.is_current(),
            concerned=lambda entry: self.watching.concerned(entry),
        )
        self.shard = Shard(
            id=deps.shard_id,
            epoch=epoch,
            tenant=self.tenant,
            system=self.system,
            logs=LogWriter(epoch, self._publish),
            reader=reader,
            grants=self.grants,
            outbox=Outbox("chat"),
            clock=deps.clock,
            ids=deps.ids,
            vault=deps.vault,
        )
        seen = self.limiter.turns.seen
        self.flusher = Flusher(self.writing.pool, deps.clock, self._stored, rules=self.grants.rules, seen=seen)
        authenticator = Authenticator(
            self.snapshots, self.revocations, deps.vault, deps.clock, self.key_uses, self.unknown_kids
        )
        tokens = TokenService(self.shard, self.snapshots, self.revocations, self._publish_revocation)
        self.pace = Pace(self.shard, self.limiter)
        await self.pace.refresh()
        sender = SendService(self.flusher, self.shard, self.activity, self.limiter, self.pace)
        sync = SyncService(self.shard)
        gate = NodeGate(authenticator, self.connections, self.users, self.addresses, self.limiter, deps.clock)
        audience = Audience(self.hub)
        self.hub.attend(audience)
        self.receipts = ReceiptParts(self.shard, self.hub, audience, self.hidden, self._publish)
        receipts = self.receipts.service
        custom_events = CustomEvents(self.shard, self.limiter, self.hub, self._publish)
        dispatcher = Dispatcher(
            socket_routes(self.shard, sender, sync, receipts, custom_events),
            self.snapshots.get,
            limits=SocketLimits(self.limiter),
        )
        self.gateway = Gateway(
            self.shard,
            self.hub,
            dispatcher,
            SessionOpener(self.shard, gate, sync.fresh, self.activity),
            gate,
            gate.check_origin,
        )
        self.watching = Watching(self.shard, self.hub, self.gateway.registry)
        self.grants.on_change(self.watching.app_changed)
        self.presence = PresenceParts(
            self.shard,
            self._limits,
            self.hub,
            self.gateway.registry,
            audience,
            self.hidden,
            self._publish,
            self.bus.signal,
            process=deps.identity,
        )
        people = self.presence.service

        async def sight_changed(app_id: UUID, user_id: str, others: set[str], back: bool) -> None:
            await people.sight_changed(app_id, user_id, others)
            if back:
                await self.receipts.teller.look_again(app_id, user_id)

        self.hidden.changed = sight_changed

        async def passing(connection: Connection, channel_id: str) -> dict[str, Any]:
            return {
                "presence": await people.of_channel(connection, channel_id),
                "watchers": await people.watchers_now(connection, channel_id),
                "receipts": await receipts.of_channel(connection, channel_id),
            }

        add_connection_events(dispatcher, self.gateway, self.hub, self.shard, self.hidden, self.watching.began, passing)
        for event, payload, handle in presence_events(people):
            dispatcher.add(event, payload, handle)
        self.typists = TypingCrowd(self.shard, self.hub, audience)
        for route in Typing(self.shard, self.hub, self._publish).routes():
            dispatcher.add_immediate(route)
        self.revocations.on_revoked(self.gateway.close_user)
        self.revocations.on_revoked(lambda app_id, user_id, _: self.activity.forget(app_id, user_id))
        self.snapshots.on_change(self._app_changed)
        self.follower = Follower(
            self.hub,
            reader,
            deps.clock,
            on_horizon=self.gateway.horizon_reached,
            on_lost=lambda: self.gateway.close_all(closing.DESYNCED),
            also=self._every_round,
            on_heads=self._heads,
        )
        await self.follower.start_at_present()
        self.dispatcher = dispatcher
        self.rest = rest_app(
            shard=self.shard,
            authenticator=authenticator,
            activity=self.activity,
            tokens=tokens,
            sender=sender,
            sync=sync,
            limiter=self.limiter,
            grants=GrantService(self.shard, self._publish_grants),
            presence=people,
            receipts=receipts,
            custom_events=custom_events,
            metrics=self._metrics_page,
            problem=self.problem,
        )
        self.engine = EngineServer(
            self.gateway, max_buffered=MAX_BUFFERED, router=self.router, turns=self.gateway.turns
        )
        self.router.open(self.engine.given_protocol)
        self.metrics.watch(
            connections=self.gateway.registry,
            waiting_sends=lambda: self.flusher.waiting,
            filled_entries=lambda: self.hub.filled,
            follower_failures=lambda: self.follower.lag_failures,
            bus_connected=lambda: self.bus.connected,
            passing=lambda: self.router.passing,
        )
        self.bus.start()
        self._tasks = [
            asyncio.create_task(self.follower.run(), name="follower"),
            asyncio.create_task(self.connections.run(), name="connection-quota"),
            asyncio.create_task(self.users.run(), name="user-connections"),
            asyncio.create_task(self.addresses.run(), name="address-connections"),
            asyncio.create_task(self.samples.run(), name="peak-samples"),
            asyncio.create_task(self.directory.run(), name="directory"),
            asyncio.create_task(self.limiter.run(), name="limits"),
            asyncio.create_task(self.typists.run(), name="typists"),
            *self.receipts.run(),
            *self.presence.run(),
        ]
        _log.info("node.started", shard=deps.shard_id, node=deps.identity, apps=len(self.snapshots))

    async def asgi(self, scope: Any, receive: Any, send: Any) -> None:
        """HTTP: Socket.IO's polling under its path, REST everywhere else. WebSockets go to `websocket_protocol`."""
        if scope["type"] == "lifespan":
            return
        if self.gateway.draining:
            send = _last_answer(send)
        if scope["path"].startswith("/socket.io"):
            await self.engine(scope, receive, send)
        else:
            await self.rest(scope, receive, send)

    def problem(self) -> str | None:
        """Why this node should get no traffic now; null when it should."""
        if self.gateway.draining:
            return "draining"
        if self.follower.lag_failures > 5:
            return "the database cannot be read"
        return None

    async def drain(self, seconds: float = drain.LONGEST) -> None:
        """Fail the readiness check, move the clients elsewhere, answer what was received."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        self._tasks.append(asyncio.create_task(self.router.drain(drain.RATE), name="router-drain"))
        await drain.drain(self.gateway, seconds)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.flusher.drain(), _FLUSH_SECONDS)
        # A bounded wait for a counter, once in a node's life.
        while self.router.passing and loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Let go of everything."""
        await end_tasks(self._tasks)
        await self.puller.stop()
        self.router.close()
        await self.engine.stop()
        await self.presence.presence.leave()
        await self.bus.stop()
        await self._limits.aclose()
        await self.samples.finish()
        await self.system.close()
        await self.tenant.close()
        await self.writing.close()

    # -- wiring ----------------------------------------------------------------------------------------------------

    async def _epoch(self) -> str:
        pool = await self.system.pool()
        epoch: str = await pool.fetchval("select epoch from chat.shard")
        return epoch

    async def _metrics_page(self, hop: str | None) -> bytes:
        if self.hops.check(hop, METRICS) == "worker":
            return self.metrics.own()
        others = [number for number in range(self.deps.workers) if number != self.deps.worker]
        return await self.metrics.page(self.deps.worker, [self.router.metrics_of(number) for number in others])

    async def _heads(self, heads: list[tuple[LogKey, int]]) -> None:
        await self.grants.follow(heads)
        await self.receipts.teller.follow(heads)

    async def _every_round(self) -> None:
        await self.revocations.refresh()
        await self.hidden.refresh()
        await self.pace.refresh()
        month = month_of(self.deps.clock.now())
        if month != self._month:
            # Who stays connected into a new month is active in it.
            self._month = month
            for connection in self.gateway.registry:
                if not isinstance(connection, UserConnection):
                    continue
                with contextlib.suppress(NatterError):
                    await self.activity.touch(
                        connection.caller.app, connection.app_id, connection.user_id, connection.issued_at
                    )

    def _publish(self, entries: Any) -> None:
        """Local recipients and the bus: the same path, so that order and doubles are judged in one place."""
        self.hub.deliver(entries)
        self.bus.publish(entries)

    def _stored(self, created: list[tuple[NewMessage, Verdict]]) -> None:
        entries: list[Entry] = [created_entry(message, verdict, self.shard.epoch) for message, verdict in created]
        self._publish(entries)

    def _publish_revocation(self, app_id: UUID, user_id: str, valid_after: datetime) -> None:
        self.bus.signal(Revoked(app_id=format_id("app", app_id), user_id=user_id, valid_after=valid_after.timestamp()))

    def _publish_grants(self, app_id: UUID, seq: int) -> None:
        self.bus.signal(GrantsChanged(app_id=format_id("app", app_id), seq=seq))

    def _on_signal(self, signal: Signal) -> None:
        if isinstance(signal, PresenceChosen):
            self.presence.chosen(signal)
            return
        app_id = parse_id("app", signal.app_id)
        if isinstance(signal, GrantsChanged):
            task = asyncio.create_task(self._load_grants(app_id, signal.seq), name="load-grants")
            self._loads.add(task)
            task.add_done_callback(self._loads.discard)
            return
        self.revocations.note(app_id, signal.user_id, datetime.fromtimestamp(signal.valid_after, UTC))

    async def _load_grants(self, app_id: UUID, seq: int) -> None:
        try:
            await self.grants.at_least(app_id, seq)
        except Exception as error:
            # The follower comes to it within a second, or as soon as the database is back.
            _log.warning("grants.load_failed", error=repr(error))

    def _app_changed(self, app_id: UUID) -> None:
        app: AppSnapshot | None = self.snapshots.get(app_id)
        if app is not None:
            self.limiter.app_changed(app)
            self.gateway.close_visitors(app)
        if app is not None and app.status != "active":
            self.gateway.close_app(app_id)


def _last_answer(send: Any) -> Any:
    """For a draining node: the connection that carries this answer closes after it, so the next call goes elsewhere."""

    async def send_and_close(message: Any) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
        await send(message)

    return send_and_close
