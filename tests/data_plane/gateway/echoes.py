"""A server of the gateway's Engine.IO on a loop and thread of its own, which notes what its receivers hear."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
import uvloop

from data_plane.gateway.engineio.frame import Frame
from data_plane.gateway.engineio.protocol import Limits
from data_plane.gateway.engineio.server import EngineServer
from data_plane.gateway.turnstile import Turnstile
from ops.entrypoints.server import Server

PATH = "/engine.io/"


class Echo:
    """Sends back what it hears; `fail` makes it raise, `tell:n` sends n bytes, after `pause` nothing is read."""

    def __init__(self, doors: "Doors", transport: Any) -> None:
        self._doors = doors
        self.transport = transport
        self.sid: str = transport.sid
        self.heard: list[bytes] = []
        self.ends = 0
        self.clogs = 0

    def received(self, packet: bytes) -> None:
        message = packet[1:]
        self.heard.append(message)
        if message == b"fail":
            raise RuntimeError("a defect")
        if message == b"pause":
            self.transport.pause()
        if message.startswith(b"tell:"):
            self.transport.send(Frame(b"x" * int(message[5:])))
        else:
            self.transport.send(Frame(message))

    def received_binary(self, data: bytes) -> None:
        self.heard.append(data)
        self.transport.send_binary(data)

    def broken(self) -> None:
        self.transport.close()

    def moved(self, transport: Any) -> None:
        self.transport = transport

    def clogged(self) -> None:
        self.clogs += 1
        asyncio.get_running_loop().call_soon(self.transport.close)

    def ended(self) -> None:
        self.ends += 1


@dataclass
class Doors:
    """Lets everybody in and keeps who came."""

    echoes: list[Echo] = field(default_factory=list)
    asked: list[tuple[dict[str, list[str]], str | None, str]] = field(default_factory=list)

    def refusal(self, query: dict[str, list[str]], origin: str | None, address: str) -> dict[str, Any] | None:
        self.asked.append((query, origin, address))
        return None

    def opened(self, transport: Any, query: dict[str, list[str]], address: str) -> Echo:
        self.echoes.append(Echo(self, transport))
        return self.echoes[-1]


@dataclass
class Served:
    """The running server."""

    port: int
    doors: Doors
    engine: EngineServer
    loop: asyncio.AbstractEventLoop

    async def echo(self, sid: str) -> Echo:
        """A session's receiver, which is there a moment after the client knows its `sid`."""
        async with asyncio.timeout(10):
            while True:
                for echo in reversed(self.doors.echoes):
                    if echo.sid == sid:
                        return echo
                await asyncio.sleep(0.002)


@contextmanager
def serving(
    port: int, loop_kind: str, limits: Limits, factory: Callable[[Any], Any] = lambda protocol: protocol
) -> Iterator[Served]:
    """Serve until the block ends. `loop_kind`: `asyncio`, `uvloop`, or `sockets` for uvloop and sockets watched as by a
    node. `factory` may wrap what uvicorn's `ws` gets."""
    loop = asyncio.new_event_loop() if loop_kind == "asyncio" else uvloop.new_event_loop()
    doors = Doors()
    engine = EngineServer(doors, limits=limits, path=PATH)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await engine(scope, receive, send)

    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=port,
        loop="none",
        http="httptools",
        ws=factory(engine.websocket_protocol),
        interface="asgi3",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
    )
    server = Server(config, line=Turnstile()) if loop_kind == "sockets" else uvicorn.Server(config)
    ready = threading.Event()

    async def run() -> None:
        serving = asyncio.ensure_future(server._serve())  # without `serve`, which takes the process's signals
        while not server.started:
            await asyncio.sleep(0.005)
        ready.set()
        await serving
        await engine.stop()

    thread = threading.Thread(target=lambda: loop.run_until_complete(run()), name="echoes", daemon=True)
    thread.start()
    assert ready.wait(20)
    try:
        yield Served(port, doors, engine, loop)
    finally:
        server.should_exit = True
        thread.join(20)
        loop.close()
