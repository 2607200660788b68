"""The nursery for who starts servers between two steps of its own: calls that block for the milliseconds of a fork."""

import itertools
import json
import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from ops.nursery.load import load, not_loaded


class Forked:
    """A server that the nursery forked; a `Child`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._code: Future[int] = Future()

    def ended(self, code: int) -> None:
        """It has ended, says the nursery."""
        self._code.set_result(code)

    def poll(self) -> int | None:
        return self._code.result() if self._code.done() else None

    def wait(self, timeout: float | None = None) -> int:
        try:
            return self._code.result(timeout)
        except TimeoutError as error:
            raise subprocess.TimeoutExpired(f"natter process {self.pid}", timeout or 0.0) from error

    def send_signal(self, sig: int, /) -> None:
        if not self._code.done():
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class BlockingNursery:
    """One nursery and the servers it forked, which all end with this process or at `close`. Any thread may ask."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._process, self._ours = load(log)
        self._ids = itertools.count(1)
        self._asked: dict[int, Future[Forked]] = {}
        self._servers: dict[int, Forked] = {}
        self._asking = threading.Lock()
        self._ended = False
        self._reader = threading.Thread(target=self._read, name="nursery", daemon=True)
        self._reader.start()

    def start(
        self, command: Sequence[str], environment: Mapping[str, str], log: Path, *, clock_ahead: float = 0.0
    ) -> Forked:
        """Run `natter COMMAND` in a process of its own, whose clock is so many seconds ahead of the machine's. Raises
        `CannotStart` when the nursery dies instead."""
        number, answer = next(self._ids), Future[Forked]()
        with self._asking:
            if self._ended:
                raise not_loaded(self._log)
            self._asked[number] = answer
        request = {
            "id": number,
            "command": list(command),
            "environment": dict(environment),
            "log": str(log),
            "clock_ahead": clock_ahead,
        }
        with suppress(OSError):  # its reader tells of its end
            self._ours.sendall(json.dumps(request).encode() + b"\n")
        return answer.result(60)

    def close(self) -> None:
        """End the process, and what may still run in it."""
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._ours.close()

    def _read(self) -> None:
        with suppress(OSError), self._ours.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if "id" in message:
                    server = self._servers[message["pid"]] = Forked(message["pid"])
                    self._asked.pop(message["id"]).set_result(server)
                elif "pid" in message:
                    self._servers.pop(message["pid"]).ended(message["code"])
        for server in self._servers.values():
            server.ended(-signal.SIGKILL)
        with self._asking:
            self._ended = True
        for answer in self._asked.values():
            answer.set_exception(not_loaded(self._log))
