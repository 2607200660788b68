"""`natter node`: one data-plane node on one port, in one process or several."""

import asyncio
import os
import signal
import socket
from typing import Final

import structlog
import uvicorn
import uvloop
from prometheus_client import CollectorRegistry

from data_plane.gateway import drain
from data_plane.node import Deps, Node
from kernel.clock import SystemClock
from kernel.ids import Ids
from kernel.logging import configure_logging, get_logger
from kernel.security.vault import Vault
from kernel.settings import Settings, SettingsError
from ops.entrypoints.garbage import Garbage
from ops.entrypoints.http import OneWriteProtocol
from ops.entrypoints.server import Server
from ops.entrypoints.workers import DRAINED, READY, Process, Workers

MOST_WORKERS: Final = 64
LAST_RESORT: Final = 28.0
"""Seconds after which a node that was told to stop ends, whatever hangs."""

_log = get_logger(__name__)


def node_deps(settings: Settings, process: Process) -> Deps:
    """A node's parts from the settings. Raises `SettingsError` naming what is missing or cannot be."""
    settings.require("master_key", "node_name", "credential")
    shard = settings.shard_settings(settings.shard)
    if not shard.database_url or not shard.redis_url:
        settings.require("database_url", "redis_url")
    if not 1 <= settings.workers <= MOST_WORKERS:
        raise SettingsError(f"NATTER_WORKERS must be 1 to {MOST_WORKERS}.")
    if settings.user_connections < 1:
        raise SettingsError("NATTER_USER_CONNECTIONS must be at least 1.")
    if settings.address_connections < 1:
        raise SettingsError("NATTER_ADDRESS_CONNECTIONS must be at least 1.")
    clock = SystemClock()
    return Deps(
        shard_id=shard.id,
        node_name=settings.node_name,
        database_url=shard.database_url,
        redis_url=shard.redis_url,
        control_url=settings.control_url,
        credential=settings.credential,
        public_url=settings.public_url or f"http://{settings.host}:{settings.node_port}",
        vault=Vault(settings.master_key),
        clock=clock,
        ids=Ids(clock),
        registry=CollectorRegistry(),
        pool_size=settings.database_pool,
        user_connections=settings.user_connections,
        address_connections=settings.address_connections,
        worker=process.worker,
        workers=settings.workers,
        sockets=process.sockets,
        peer_address=settings.peer_address or _own_address(settings),
    )


def _own_address(settings: Settings) -> str:
    """Where other machines probably reach this node; nothing when that cannot be told."""
    host = settings.host
    if host in ("0.0.0.0", "::", ""):  # noqa: S104
        try:
            host = socket.gethostbyname(socket.gethostname())
        except OSError:
            return ""
    return f"[{host}]:{settings.node_port}" if ":" in host else f"{host}:{settings.node_port}"


def server_config(node: Node, host: str, port: int) -> uvicorn.Config:
    """How uvicorn serves a started node: HTTP by its own parser, WebSockets by the gateway."""
    return uvicorn.Config(
        node.asgi,
        host=host,
        port=port,
        loop="none",
        http=OneWriteProtocol,
        ws=node.engine.websocket_protocol,  # type: ignore[arg-type]
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=4,
    )


async def serve(settings: Settings, process: Process | None = None) -> None:
    """Run until SIGTERM or SIGINT; then drain, and return."""
    process = process or Process()
    deps = node_deps(settings, process)
    node = Node(deps)
    await node.start()
    inside = process.sockets / f"{process.worker}.http" if process.sockets is not None else None
    config = server_config(node, settings.host, settings.node_port)
    garbage = Garbage()
    server = Server(config, inside=inside, line=node.gateway.turns, came=garbage.newcomer)
    node.gateway.on_live = garbage.newcomer
    garbage.start()
    looking = asyncio.create_task(garbage.run(), name="garbage")
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    async def drain_then_exit() -> None:
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(0.01)
        process.tell(READY)
        await stop.wait()
        _log.info("node.draining", node=deps.identity, connections=len(node.gateway.registry))
        loop.call_later(LAST_RESORT, _give_up)
        began = loop.time()
        await node.drain()
        await asyncio.sleep(max(0.0, began + settings.drain_seconds - loop.time()))
        process.tell(DRAINED)
        await process.others_drained(began + drain.LONGEST + settings.drain_seconds - loop.time())
        server.should_exit = True

    drainer = asyncio.create_task(drain_then_exit())
    try:
        await server.serve(process.listeners)
    finally:
        drainer.cancel()
        looking.cancel()
        garbage.stop()
        await node.stop()


def _give_up() -> None:
    """Something hangs. What was acknowledged is committed; who is still there resumes elsewhere."""
    _log.error("node.drain_gave_up", seconds=LAST_RESORT)
    os._exit(1)


def main(settings: Settings) -> None:
    """Configure the process and serve, alone or with other workers."""
    if settings.workers > 1:
        run_workers(settings)
        return
    configure_logging("node", level=settings.log_level, format=settings.log_format)
    uvloop.run(serve(settings))


def run_workers(settings: Settings) -> None:
    """Serve in several processes, and return when all have ended. Raises `CannotStart`, `SettingsError`."""
    configure_logging("node", level=settings.log_level, format=settings.log_format)
    node_deps(settings, Process())  # what is missing is said once, not by every worker

    def work(process: Process) -> None:
        structlog.contextvars.bind_contextvars(worker=process.worker)
        uvloop.run(serve(settings, process))

    Workers(settings.host, settings.node_port, settings.workers, work, name=settings.node_name).run()
