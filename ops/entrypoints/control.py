"""`natter control`: the control plane with billing and the portal on top, on one port."""

import asyncio
import signal

import uvicorn
import uvloop

from data_plane.reference import openapi_document
from kernel.db import Database
from kernel.logging import configure_logging, get_logger
from kernel.security.vault import Vault
from kernel.settings import Settings
from ops.entrypoints.server import Server
from portal.app import Deps, create_app

_log = get_logger(__name__)


def control_deps(settings: Settings) -> Deps:
    """The parts of a control-plane process. Raises `SettingsError` naming what is missing."""
    settings.require("master_key", "database_url")
    url, pool = settings.database_url, settings.database_pool
    return Deps(
        settings=settings,
        database=Database(url, role="natter_control", pool_size=pool, name="natter-control"),
        portal_database=Database(url, role="natter_portal", pool_size=pool, name="natter-portal"),
        vault=Vault(settings.master_key),
        openapi=openapi_document(),
    )


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT; then end long polls, finish requests, and return."""
    deps = control_deps(settings)
    app = create_app(deps)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.control_port,
        loop="none",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )
    server = Server(config)

    def told_to_stop() -> None:
        _log.info("control.draining")
        app.state.drain()
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop)
    try:
        await server.serve()
    finally:
        await deps.close()


def main(settings: Settings) -> None:
    """Configure the process and serve."""
    configure_logging("control", level=settings.log_level, format=settings.log_format)
    uvloop.run(serve(settings))
