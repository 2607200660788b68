"""The supervisor's side of the nursery: ask for servers, hear of their end."""

import asyncio
import itertools
import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ops.nursery.load import load, not_loaded


class Server:
    """A forked server: the part of `subprocess.Popen` that a supervisor needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.code: int | None = None

    def poll(self) -> int | None:
        """Its exit code once it has ended, negative for a signal."""
        return self.code

    def send_signal(self, signum: signal.Signals) -> None:
        """Send a signal, unless it has ended."""
        if self.code is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signum)


class Nursery:
    """Starts the nursery's process when it is first needed, and again when it died; its children die with it."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._servers: dict[int, Server] = {}
        self._asked: dict[int, asyncio.Future[Server]] = {}
        self._ids = itertools.count(1)
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Begin to import, if that has not happened yet. Does not wait for it."""
        async with self._opening:
            if self._reading is not None and not self._reading.done():
                return
            self._process, ours = load(self._log)
            reader, self._writer = await asyncio.open_connection(sock=ours)
            self._reading = asyncio.create_task(self._read(reader))

    async def start(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> Server:
        """Run `natter COMMAND` in a process of its own. Raises `CannotStart` when the nursery dies instead."""
        await self.open()
        assert self._writer is not None
        number = next(self._ids)
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        request = {"id": number, "command": list(command), "environment": dict(environment), "log": str(log)}
        self._writer.write(json.dumps(request).encode() + b"\n")
        server: Server = await answer
        return server

    async def close(self) -> None:
        """End the process, and what may still run in it."""
        if self._writer is not None:
            self._writer.close()
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        if self._reading is not None:
            await asyncio.gather(self._reading, return_exceptions=True)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self._hear(json.loads(line))
        except OSError:
            pass  # the same as its end
        finally:
            self._everything_ended()

    def _hear(self, message: dict[str, Any]) -> None:
        if "id" in message:
            server = self._servers[message["pid"]] = Server(message["pid"])
            answer = self._asked.pop(message["id"])
            if answer.cancelled():
                server.send_signal(signal.SIGKILL)
            else:
                answer.set_result(server)
        elif "pid" in message:
            self._servers.pop(message["pid"]).code = message["code"]

    def _everything_ended(self) -> None:
        for server in self._servers.values():
            server.code = -signal.SIGKILL
        self._servers.clear()
        asked, self._asked = self._asked, {}
        for answer in asked.values():
            if not answer.done():
                answer.set_exception(not_loaded(self._log))
