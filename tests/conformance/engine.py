"""The gateway's Engine.IO alone, as an echo server with the settings that the public protocol test suite expects.

`python -m tests.conformance.engine [PORT]`; the suite is `test-suite/` of the repository `socketio/engine.io-protocol`.
"""

import sys
from typing import Any

import uvicorn
import uvloop

from data_plane.gateway.engineio.frame import Frame
from data_plane.gateway.engineio.protocol import Limits
from data_plane.gateway.engineio.server import EngineServer

LIMITS = Limits(ping_interval=0.3, ping_timeout=0.2, max_payload=1_000_000)


class Echo:
    """Sends back what it gets."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def received(self, packet: bytes) -> None:
        self._transport.send(Frame(packet[1:]))

    def received_binary(self, data: bytes) -> None:
        self._transport.send_binary(data)

    def broken(self) -> None:
        self._transport.cut()

    def moved(self, transport: Any) -> None:
        self._transport = transport

    def clogged(self) -> None:
        pass

    def ended(self) -> None:
        pass


class Doors:
    """Lets everybody in."""

    def refusal(self, query: dict[str, list[str]], origin: str | None, address: str) -> dict[str, Any] | None:
        return None

    def opened(self, transport: Any, query: dict[str, list[str]], address: str) -> Echo:
        return Echo(transport)


async def serve(server: EngineServer, port: int) -> None:
    """Serve on loopback until the process ends."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await server(scope, receive, send)

    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, ws=server.websocket_protocol, lifespan="off", log_level="warning"
    )
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(serve(EngineServer(Doors(), limits=LIMITS, path="/engine.io/"), int((sys.argv[1:] or ["3000"])[0])))
