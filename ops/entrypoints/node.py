"""`natter node`: one data-plane node on one port."""

import asyncio
import gc
import signal
from typing import Final

import uvicorn
import uvloop
from prometheus_client import CollectorRegistry

from data_plane.node import Deps, Node
from kernel.clock import SystemClock
from kernel.ids import Ids
from kernel.logging import configure_logging, get_logger
from kernel.security.vault import Vault
from kernel.settings import Settings
from ops.entrypoints.http import OneWriteProtocol
from ops.entrypoints.server import Server

COLLECT_AFTER: Final = 20_000
"""New containers between two looks for cycles. Python's own 700 is less than one flush makes, and next to nothing here
is in a cycle: a tenth of a busy node's time went into looking."""
_log = get_logger(__name__)


def node_deps(settings: Settings) -> Deps:
    """A node's parts from the settings. Raises `SettingsError` naming what is missing."""
    settings.require("master_key", "node_name", "credential")
    shard = settings.shard_settings(settings.shard)
    if not shard.database_url or not shard.redis_url:
        settings.require("database_url", "redis_url")
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
    )


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


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; then drain, and return."""
    deps = node_deps(settings)
    node = Node(deps)
    await node.start()
    server = Server(server_config(node, settings.host, settings.node_port))
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async def drain_then_exit() -> None:
        await stop.wait()
        _log.info("node.draining", connections=len(node.gateway.registry))
        await node.drain()
        server.should_exit = True

    drainer = asyncio.create_task(drain_then_exit())
    try:
        await server.serve()
    finally:
        drainer.cancel()
        await node.stop()


def main(settings: Settings) -> None:
    """Configure the process and serve."""
    configure_logging("node", level=settings.log_level, format=settings.log_format)
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    uvloop.run(serve(settings))
