"""The nursery for who starts servers between two steps of its own: calls that block for the milliseconds of a fork."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path

from ops.embedded.process import Launch, last_lines
from ops.errors import CannotStart


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
        self._ours, theirs = socket.socketpair()
        with theirs:
            self._process = Launch(
                # -P: a folder `kernel` in the working directory must not be taken for ours.
                argv=(sys.executable, "-P", "-m", "ops.cli", "nursery", str(theirs.fileno())),
                env={name: value for name, value in os.environ.items() if not name.startswith("NATTER_")},
                cwd=Path.cwd(),
                death_signal=signal.SIGKILL,
                pass_fds=(theirs.fileno(),),
            ).start(log)
        self._ids = itertools.count(1)
        self._asked: dict[int, Future[Forked]] = {}
        self._servers: dict[int, Forked] = {}
        self._reader = threading.Thread(target=self._read, name="nursery", daemon=True)
        self._reader.start()

    def start(self, command: Sequence[str], environment: Mapping[str, str], log: Path) -> Forked:
        """Run `natter COMMAND` in a process of its own. Raises `CannotStart` when the nursery dies instead."""
        number = next(self._ids)
        answer = self._asked[number] = Future()
        request = {"id": number, "command": list(command), "environment": dict(environment), "log": str(log)}
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
        while self._asked:
            self._asked.popitem()[1].set_exception(
                CannotStart(
                    f"Natter's servers could not be loaded:\n{last_lines(self._log)}", f"All of it is in {self._log}."
                )
            )
