"""The sweep finds what it is for: each test plants a defect that somebody could write, and sees the sweep fail."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from litestar import Litestar, delete, get, patch
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from sqlalchemy import text

from data_plane.channels.errors import no_channel
from data_plane.dependencies import CallerDependency, ShardDependency
from data_plane.features import REST as HANDLERS
from data_plane.gateway.dispatcher import Dispatcher
from data_plane.gateway.routes import Payload, SocketRoute
from kernel.errors import Forbidden, NotFound
from kernel.http import build_app
from kernel.ids import parse_id
from tests import schemas
from tests.invariants.answers import Leak
from tests.invariants.chat.events import EVENTS
from tests.invariants.chat.rest import REST
from tests.invariants.chat.stranger import Stranger
from tests.invariants.chat.tries import Emit
from tests.invariants.chat.world import PERSON, World
from tests.invariants.coverage import operations, uncovered
from tests.invariants.wire import Wire


@pytest.fixture(autouse=True)
def rogues(no_unknown_events: None) -> Iterator[None]:
    """What is planted here may send events that no definition has."""
    yield
    schemas.caught()


def application(world: World, *planted: ControllerRouterHandler) -> Litestar:
    """A node's application with these handlers in the place of its own for the same paths and methods."""
    shard = world.installation.nodes[0].node.shard
    taken = {(path, method) for handler in planted for path in handler.paths for method in handler.http_methods}
    kept = [
        handler
        for handler in HANDLERS
        if not taken & {(path, method) for path in handler.paths for method in handler.http_methods}
    ]
    return build_app(
        routes=[*kept, *planted],
        dependencies=world.installation.nodes[0].node.rest.dependencies,
        clock=shard.clock,
        ids=shard.ids,
    )


@asynccontextmanager
async def trying(world: World, *planted: ControllerRouterHandler) -> AsyncIterator[Stranger]:
    stranger = Stranger(world, "http://node", httpx.ASGITransport(app=application(world, *planted)))
    yield stranger
    await stranger.http.aclose()


async def sweep(world: World, method: str, path: str, *planted: ControllerRouterHandler) -> None:
    async with trying(world, *planted) as stranger:
        await stranger.try_all((method, path), REST[method, path])  # type: ignore[arg-type]


CHANNEL = "/v1/channels/{channel_id}"
USER = "/v1/users/{user_id}"
MESSAGE = "/v1/messages/{message_id}"


async def test_what_is_not_planted_passes(world: World) -> None:
    await sweep(world, "GET", CHANNEL)


async def test_a_route_that_forgets_the_app_and_reads_as_the_engine(world: World) -> None:
    @get("/v1/channels/{channel_id:str}")
    async def planted(channel_id: FromPath[str], caller: CallerDependency, shard: ShardDependency) -> dict[str, Any]:
        pool = await shard.system.pool()
        row = await pool.fetchrow("select id, name from chat.channels where id = $1", channel_id)
        if row is None:
            raise no_channel()
        return dict(row)

    with pytest.raises(Leak, match="shows what is another tenant's"):
        await sweep(world, "GET", CHANNEL, planted)


@get("/v1/channels/{channel_id:str}")
async def forgets_the_app(
    channel_id: FromPath[str], caller: CallerDependency, shard: ShardDependency
) -> dict[str, Any]:
    """As a request does it, under row-level security, but for the `app_id` in the query."""
    async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
        query = text("select id, name from chat.channels where id = :id")
        row = (await uow.session.execute(query, {"id": channel_id})).mappings().first()
    if row is None:
        raise no_channel()
    return dict(row)


async def test_the_database_makes_up_for_a_query_that_forgets_the_app(world: World) -> None:
    await sweep(world, "GET", CHANNEL, forgets_the_app)


async def test_a_query_that_forgets_the_app_on_a_table_without_row_level_security(world: World) -> None:
    await world.database.execute("alter table chat.channels disable row level security")
    try:
        with pytest.raises(Leak):
            await sweep(world, "GET", CHANNEL, forgets_the_app)
    finally:
        await world.database.execute("alter table chat.channels enable row level security")


async def test_another_status_for_what_is_somebodys(world: World) -> None:
    @get("/v1/messages/{message_id:str}")
    async def planted(message_id: FromPath[str], caller: CallerDependency, shard: ShardDependency) -> None:
        pool = await shard.system.pool()
        of = await pool.fetchval("select app_id from chat.messages where id = $1", parse_id("msg", message_id))
        raise Forbidden() if of not in (None, caller.app_id) else NotFound()

    with pytest.raises(Leak, match="is told from nothing"):
        await sweep(world, "GET", MESSAGE, planted)


async def test_another_word_for_what_is_somebodys(world: World) -> None:
    @get("/v1/users/{user_id:str}")
    async def planted(user_id: FromPath[str], caller: CallerDependency, shard: ShardDependency) -> None:
        pool = await shard.system.pool()
        known = await pool.fetchval("select true from chat.users where id = $1 limit 1", user_id)
        raise NotFound("There is no such user here." if known else "There is no such user.")

    with pytest.raises(Leak, match="is told from nothing"):
        await sweep(world, "GET", USER, planted)


async def test_a_change_to_everybodys_rows_behind_the_right_answer(world: World) -> None:
    @patch("/v1/users/{user_id:str}")
    async def planted(user_id: FromPath[str], caller: CallerDependency, shard: ShardDependency) -> dict[str, str]:
        if not caller.is_server:
            raise Forbidden("A user changes its own profile only.")
        pool = await shard.system.pool()
        await pool.execute("update chat.users set role = 'admin' where id = $1", user_id)
        async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
            query = text("select 1 from chat.users where id = :id")
            if (await uow.session.execute(query, {"id": user_id})).first() is None:
                raise NotFound("There is no such user.")
        return {"id": user_id}

    with pytest.raises(Leak, match=r"changed another tenant's rows in chat\.users"):
        await sweep(world, "PATCH", USER, planted)
    await world.database.execute("update chat.users set role = 'user'")


async def test_an_event_for_everybody_of_that_name(world: World) -> None:
    node = world.installation.nodes[1].node

    @delete("/v1/channels/{channel_id:str}")
    async def planted(channel_id: FromPath[str], caller: CallerDependency, shard: ShardDependency) -> None:
        for connection in node.gateway.registry:
            connection.emit("channel.deleted", {"channel_id": channel_id})
        async with shard.unit_of_work(caller.app_id, read_only=True) as uow:
            query = text("select 1 from chat.channels where id = :id")
            if (await uow.session.execute(query, {"id": channel_id})).first() is None:
                raise no_channel()

    with pytest.raises(Leak, match="sockets heard of it"):
        await sweep(world, "DELETE", CHANNEL, planted)
    await world.settle()


async def test_a_route_without_a_caller(world: World) -> None:
    @get("/v1/channels/{channel_id:str}")
    async def planted(channel_id: FromPath[str]) -> dict[str, str]:
        return {"id": channel_id}

    async with trying(world, planted) as stranger:
        with pytest.raises(Leak, match="answered 200, not 401"):
            await stranger.knock_all(("GET", CHANNEL), REST["GET", CHANNEL])  # type: ignore[arg-type]


async def test_a_socket_event_that_forgets_the_app(world: World) -> None:
    node = world.installation.nodes[0].node

    class Peek(Payload, frozen=True, kw_only=True):
        channel_id: str

    async def handle(caller: Any, packet: Peek) -> dict[str, Any]:
        pool = await node.system.pool()
        name = await pool.fetchval("select name from chat.channels where id = $1", packet.channel_id)
        if name is None:
            raise no_channel()
        return {"name": name}

    before = dict(node.dispatcher._routes)
    try:
        node.dispatcher._routes.pop("channel.watch")
        node.dispatcher.add("channel.watch", Peek, lambda connection, packet: handle(connection.caller, packet))
        stranger = Stranger(world, world.installation.nodes[0].url)
        wire = await Wire.open(world.installation.nodes[0].url, {"token": world.stranger.tenant.token(PERSON)})
        tries = [Emit(lambda k: {"channel_id": k.channel}, lost={"channel": "not_found"})]
        with pytest.raises(Leak, match="shows what is another tenant's"):
            await stranger.emit_all("channel.watch", tries, wire)
        await wire.close()
        await stranger.http.aclose()
    finally:
        node.dispatcher._routes.clear()
        node.dispatcher._routes.update(before)


def test_a_route_that_nobody_said_a_word_about(world: World) -> None:
    @get("/v1/secrets/{secret_id:str}")
    async def planted(secret_id: FromPath[str]) -> None: ...

    there = list(operations(application(world, planted)))
    with pytest.raises(Leak, match=r"GET.*/v1/secrets/\{secret_id\}"):
        uncovered("REST operations", there, REST, "rest.py")


def test_an_entry_of_a_route_that_is_gone(world: World) -> None:
    there = [each for each in operations(world.installation.nodes[0].node.rest) if each != ("GET", CHANNEL)]
    with pytest.raises(Leak, match="are no more"):
        uncovered("REST operations", there, REST, "rest.py")


def test_an_event_that_nobody_said_a_word_about() -> None:
    async def handle(caller: Any, packet: Any) -> dict[str, Any]:
        return {}

    dispatcher = Dispatcher([SocketRoute(event, Payload, handle) for event in (*EVENTS, "secrets.tell")])
    with pytest.raises(Leak, match=r"secrets\.tell"):
        uncovered("socket events", dispatcher.events, EVENTS, "events.py")
