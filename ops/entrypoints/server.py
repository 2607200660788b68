"""uvicorn, but our own code decides what a signal means and in which order things close."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvicorn


class Server(uvicorn.Server):
    """Leaves signals alone. `inside`: a Unix socket on which it serves HTTP too."""

    def __init__(self, config: uvicorn.Config, *, inside: Path | None = None) -> None:
        super().__init__(config)
        self._inside = inside

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: connections drain before uvicorn closes anything."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen."""
        await super().startup(sockets)
        if self._inside is not None:
            self._inside.unlink(missing_ok=True)
            make = self._protocol
            self.servers.append(await asyncio.get_running_loop().create_unix_server(make, str(self._inside)))

    def _protocol(self) -> Any:
        made: Any = self.config.http_protocol_class
        return made(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)
