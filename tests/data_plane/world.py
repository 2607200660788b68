"""A shard on a real database, with as many apps as a test wants, and REST over it without a network."""

import functools
from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

import httpx
import orjson
from litestar import Litestar, Request
from litestar.di import Provide
from prometheus_client import CollectorRegistry

from data_plane.blocks.hidden import Hidden
from data_plane.blocks.routes import ROUTES as BLOCK_ROUTES
from data_plane.channels.routes import ROUTES as CHANNEL_ROUTES
from data_plane.fanout.hub import Hub
from data_plane.grants.routes import ROUTES as GRANT_ROUTES
from data_plane.grants.service import GrantService
from data_plane.identity.activity import ActivityTracker
from data_plane.identity.authenticate import somebody
from data_plane.identity.caller import AnonymousCaller, Caller, Reader, ServerCaller, UserCaller
from data_plane.identity.revocations import Revocations
from data_plane.identity.tokens.service import TokenService
from data_plane.indexes.routes import ROUTES as INDEX_ROUTES
from data_plane.invites.routes import ROUTES as INVITE_ROUTES
from data_plane.limits.limiter import Limiter
from data_plane.log import Entry
from data_plane.members.routes import ROUTES as MEMBER_ROUTES
from data_plane.messages.flush import Flusher
from data_plane.messages.http import send_message
from data_plane.messages.routes import ROUTES as MESSAGE_ROUTES
from data_plane.messages.schemas import check_content, content_hash
from data_plane.messages.send import SendService, created_entry
from data_plane.pins.routes import ROUTES as PIN_ROUTES
from data_plane.presence.audience import Audience
from data_plane.reactions.routes import ROUTES as REACTION_ROUTES
from data_plane.receipts.crowd import Counting, ReceiptCrowd
from data_plane.receipts.flush import PositionFlusher
from data_plane.receipts.routes import ROUTES as RECEIPT_ROUTES
from data_plane.receipts.service import ReceiptService
from data_plane.receipts.teller import Teller
from data_plane.shard import Shard
from data_plane.tenancy.store import SnapshotStore
from data_plane.threads.routes import ROUTES as THREAD_ROUTES
from data_plane.users.routes import ROUTES as USER_ROUTES
from kernel.clock import ManualClock, month_of
from kernel.contracts import AppSnapshot
from kernel.http import build_app
from kernel.ids import Ids, format_id

_APPEND = f"select * from chat.append_messages({', '.join(f'${n}' for n in range(1, 17))})"


class App:
    """One tenant of the test's shard, with shortcuts for what tests do all the time."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.id: UUID = world.shard.ids.uuid7()
        self.snapshot = AppSnapshot(
            app_id=format_id("app", self.id),
            organization_id=format_id("org", self.id),
            version=1,
            shard=world.shard.id,
            environment="development",
            status="active",
        )
        self.server = ServerCaller(app=self.snapshot, app_id=self.id)

        self.nobody = AnonymousCaller(app=self.snapshot, app_id=self.id, key="pk_test", address="192.0.2.1")

    def user(self, user_id: str) -> UserCaller:
        """The user as a caller."""
        return UserCaller(app=self.snapshot, app_id=self.id, user_id=user_id)

    async def make_users(self, *user_ids: str) -> None:
        """Store users."""
        pool = await self.world.shard.system.pool()
        now = self.world.clock.now()
        await pool.executemany(
            "insert into chat.users (app_id, id, created_at, updated_at) values ($1, $2, $3, $3)",
            [(self.id, user_id, now) for user_id in user_ids],
        )

    async def make_channel(self, channel_id: str, *members: str, owner: str | None = None, **wish: Any) -> None:
        """Store a channel through the API, made by its owner or the server."""
        body = {"id": channel_id, "members": list(members), **wish}
        answer = await self.call("POST", "/v1/channels", body, as_user=owner)
        assert answer.status_code == 201, answer.text

    async def send(
        self, channel_id: str, user_id: str, text: str = "hello", *, silent: bool = False, id: UUID | None = None
    ) -> tuple[str, int, int]:
        """Store a message as the flush does; returns its id, seq and number."""
        message_id = id or self.world.shard.ids.uuid7()
        content = check_content(text, None, None)
        now = self.world.clock.now()
        pool = await self.world.shard.system.pool()
        row = await pool.fetchrow(
            _APPEND,
            [self.id],
            [channel_id],
            [message_id],
            [user_id],
            [content.text],
            [None],
            [None],
            [silent],
            [content_hash(user_id, channel_id, text, None, None, silent)],
            [False],
            [False],
            ["subject"],
            month_of(now),
            now,
            [self.world.shard.grants.rules(self.id)],
            [1],
        )
        assert row["verdict"] == "created", row["verdict"]
        return format_id("msg", message_id), row["seq"], row["number"]

    async def verdict(self, channel_id: str, user_id: str, *, by_server: bool = False) -> str:
        """What the flush says of a message, which it stores if it may."""
        now = self.world.clock.now()
        hashed = content_hash(user_id, channel_id, "hello", None, None, False)
        pool = await self.world.shard.system.pool()
        row = await pool.fetchrow(
            _APPEND,
            [self.id], [channel_id], [self.world.shard.ids.uuid7()], [user_id], ["hello"], [None], [None], [False],
            [hashed], [by_server], [False], ["subject"], month_of(now), now,
            [self.world.shard.grants.rules(self.id)], [1],
        )  # fmt: skip
        return str(row["verdict"])

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        as_user: str | None = None,
        key: str | None = None,
        params: dict[str, Any] | None = None,
    ) -> httpx.Response:
        """One REST call, as the server or as a user."""
        headers = {"x-test-app": str(self.id)}
        if as_user is not None:
            headers["x-test-user"] = as_user
        if key is not None:
            headers["idempotency-key"] = key
        content = None if body is None else orjson.dumps(body)
        if content is not None:
            headers["content-type"] = "application/json"
        return await self.world.http.request(method, path, content=content, headers=headers, params=params)

    async def log(self, name: str) -> list[dict[str, Any]]:
        """A log's entries in order, data decoded; fails when the log has a gap or does not end at its head."""
        pool = await self.world.shard.system.pool()
        head = await pool.fetchval("select last_seq from chat.log_heads where app_id = $1 and log = $2", self.id, name)
        rows = await pool.fetch("select * from chat.read_ranges($1, $2, $3, $4)", [self.id], [name], [0], [2**40])
        assert [row["seq"] for row in rows] == list(range(1, (head or 0) + 1)), name
        return [
            {
                "seq": row["seq"],
                "type": row["type"],
                "actor": row["actor"],
                "data": orjson.loads(row["data"] or "null"),
                "xid": row["xid"],
            }
            for row in rows
        ]

    async def types(self, name: str) -> list[str]:
        """The types of a log's entries."""
        return [entry["type"] for entry in await self.log(name)]

    async def check_logs(self) -> None:
        """Every log of the app is whole: seqs 1 to the head without a gap, in the order of the transactions."""
        pool = await self.world.shard.system.pool()
        for row in await pool.fetch("select log from chat.log_heads where app_id = $1", self.id):
            xids = [entry["xid"] for entry in await self.log(row["log"])]
            assert xids == sorted(xids), row["log"]

    async def fetch(self, query: str, *args: Any) -> Sequence[Any]:
        """Look at the tables as they are; `$1` is the app."""
        pool = await self.world.shard.system.pool()
        rows: Sequence[Any] = await pool.fetch(query, self.id, *args)
        return rows


class World:
    """The shard of a test, what it published, and a way in."""

    def __init__(self, shard: Shard, clock: ManualClock, published: list[Entry]) -> None:
        self.shard = shard
        self.clock = clock
        self.published = published
        self.apps: dict[UUID, App] = {}
        revocations = Revocations(shard.system, clock)
        tokens = TokenService(shard, SnapshotStore(), revocations, lambda *_: None)
        hub = Hub(shard.reader, encode=lambda entries: None)
        audience = Audience(hub)
        hub.attend(audience)
        counting = Counting(shard)
        self.teller = Teller(shard, hub, audience, published.extend, ReceiptCrowd(shard, hub, audience, counting))
        self.positions = PositionFlusher(shard.system.pool, clock, self.teller.stored)
        self.receipts = ReceiptService(
            shard, self.positions, self.teller, counting, Hidden(shard.system, clock), published.extend
        )
        flusher = Flusher(
            shard.system.pool,
            clock,
            lambda stored: published.extend(created_entry(*each, shard.epoch) for each in stored),
            rules=shard.grants.rules,
        )
        # Nothing here comes near a limit, so the store behind the limits is never asked.
        limiter = Limiter(cast(Any, None), clock, CollectorRegistry())
        sender = SendService(flusher, shard, ActivityTracker(shard.system, clock), limiter)
        self.services: dict[str, Any] = {
            "shard": shard,
            "tokens": tokens,
            "receipts": self.receipts,
            "send_service": sender,
            "grants": GrantService(shard, lambda *_: None),
        }
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self._serve, raise_app_exceptions=False), base_url="http://node"
        )

    def app(self) -> App:
        """A fresh tenant."""
        app = App(self)
        self.apps[app.id] = app
        return app

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["world"] = self
        await application()(scope, receive, send)

    def reader(self, request: Request[Any, Any, Any]) -> Reader:
        """Who the headers say that it is."""
        app = self.apps[UUID(request.headers["x-test-app"])]
        if "x-test-nobody" in request.headers:
            return app.nobody
        user_id = request.headers.get("x-test-user")
        return app.user(user_id) if user_id is not None else app.server


@functools.cache
def application() -> Litestar:
    """The routes over whichever world a request comes in by: assembling them takes longer than most tests."""

    def world_of(request: Request[Any, Any, Any]) -> World:
        return cast(World, request.scope["state"]["world"])

    def service(name: str) -> Provide:
        def give(request: Request[Any, Any, Any]) -> Any:
            return world_of(request).services[name]

        return Provide(give, sync_to_thread=False)

    def reader(request: Request[Any, Any, Any]) -> Reader:
        return world_of(request).reader(request)

    def caller(request: Request[Any, Any, Any]) -> Caller:
        return somebody(reader(request))

    clock = ManualClock()
    return build_app(
        routes=[
            *CHANNEL_ROUTES,
            *MEMBER_ROUTES,
            *INVITE_ROUTES,
            *MESSAGE_ROUTES,
            *RECEIPT_ROUTES,
            *REACTION_ROUTES,
            *PIN_ROUTES,
            *THREAD_ROUTES,
            send_message,
            *USER_ROUTES,
            *BLOCK_ROUTES,
            *INDEX_ROUTES,
            *GRANT_ROUTES,
        ],
        dependencies={
            "caller": Provide(caller, sync_to_thread=False),
            "reader": Provide(reader, sync_to_thread=False),
        }
        | {name: service(name) for name in ("shard", "tokens", "receipts", "send_service", "grants")},
        clock=clock,
        ids=Ids(clock),
    )
