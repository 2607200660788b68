"""uvicorn, but our own code decides what a signal means, in which order things close, and who is taken in when."""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE

from kernel.logging import get_logger
from ops.entrypoints.acceptor import Acceptor
from ops.entrypoints.sockets import Line, Sockets

_log = get_logger(__name__)


class Server(uvicorn.Server):
    """Leaves signals alone. `inside`: a Unix socket on which it serves HTTP too. `line`: where connections wait, and
    `came` is called for each."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        inside: Path | None = None,
        line: Line | None = None,
        came: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        self._came = came
        self._inside = inside
        self._line = line
        self._sockets: Sockets | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: connections drain before uvicorn closes anything."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        if self._line is None:
            await super().startup(sockets)
        else:
            await self._listen(self._line, sockets)
        if self._inside is not None:
            self._inside.unlink(missing_ok=True)
            make = self._protocol
            self.servers.append(await asyncio.get_running_loop().create_unix_server(make, str(self._inside)))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nobody in any more, and wait for who is left."""
        await super().shutdown(sockets)
        if self._sockets is not None:
            self._sockets.close()

    async def _listen(self, line: Line, sockets: list[socket.socket] | None) -> None:
        backlog = self.config.backlog
        given = sockets if sockets is not None else await self._bind()
        await super().startup([])
        watching = self._sockets = Sockets(line, self._came)
        for sock in given:
            self.servers.append(Acceptor(sock, self._protocol, line, watching, backlog))  # type: ignore[arg-type]

    async def _bind(self) -> list[socket.socket]:
        try:
            bound = await asyncio.get_running_loop().create_server(
                self._protocol, self.config.host, self.config.port, start_serving=False
            )
        except OSError as error:
            _log.error("server.cannot_listen", host=self.config.host, port=self.config.port, error=str(error))
            sys.exit(STARTUP_FAILURE)
        # The loop closes what it has bound when its server is.
        sockets = [socket.socket(fileno=os.dup(each.fileno())) for each in bound.sockets]
        bound.close()
        return sockets

    def _protocol(self) -> Any:
        made: Any = self.config.http_protocol_class
        return made(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
