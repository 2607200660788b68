"""The workers of a node: processes that share its port, forked from one that does nothing but look after them.

The parent binds one listening socket for each worker (SO_REUSEPORT) and keeps them all, so the system spreads clients
evenly, and what has queued at a worker that died waits for its successor. It has no event loop and no threads, so that
it may fork at any time; everything is imported, and so shared, before.
"""

import asyncio
import gc
import os
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from kernel.logging import get_logger
from ops.embedded.process import die_with_parent, name_process
from ops.errors import CannotStart

READY: Final = b"r"
DRAINED: Final = b"d"
BACKLOG: Final = 2_048

_GO: Final = signal.SIGUSR1
"""To a worker: the others have drained too."""
_PATIENCE: Final = 29.0
"""Seconds from the order to stop until what still runs is killed."""
_STEADY_AFTER: Final = 30.0
_LONGEST_WAIT: Final = 5.0
_log = get_logger(__name__)


@dataclass(slots=True)
class Process:
    """What a node's process knows of its place. By default it is the only one."""

    worker: int = 0
    listeners: list[socket.socket] | None = None
    """What it listens on; null to bind by itself."""
    sockets: Path | None = None
    """The folder of the sockets between the workers."""
    pipe: int | None = None
    """Where the parent listens."""

    def tell(self, what: bytes) -> None:
        """Tell the parent."""
        if self.pipe is not None:
            with suppress(OSError):
                os.write(self.pipe, what)

    async def others_drained(self, seconds: float) -> None:
        """Wait until no other worker has clients left, whose requests may come in here. At most this long."""
        if self.pipe is None:
            return
        told = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(_GO, told.set)
        self.tell(DRAINED)  # again: the answer to the first may have come before anybody listened
        with suppress(TimeoutError):
            await asyncio.wait_for(told.wait(), max(0.0, seconds))


@dataclass(slots=True)
class _Worker:
    number: int
    listener: socket.socket
    pid: int = 0
    pipe: int = -1
    since: float = 0.0
    wait: float = 0.1
    due: float = 0.0
    """When it is to be started again."""
    was_ready: bool = False
    drained: bool = False
    end: int | None = field(default=None)


class Workers:
    """The parent. `work(process)` is a worker's whole life."""

    def __init__(self, host: str, port: int, count: int, work: Callable[[Process], None], *, name: str) -> None:
        self._work = work
        self._name = name
        self._folder = Path(tempfile.mkdtemp(prefix="natter-node-"))
        self._workers = [_Worker(number, listener) for number, listener in enumerate(_bind(host, port, count))]
        self._told = self._failed = self._killed = False
        self._stopping: float | None = None
        self._woken, self._wake = os.pipe()

    def run(self) -> None:
        """Start them, keep them, and return when all have ended. Raises `CannotStart` when none gets ready at first."""
        os.set_blocking(self._wake, False)
        os.set_blocking(self._woken, False)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._heard)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # A collection in a child need not touch, and so copy, the pages that all share.
        gc.collect()
        gc.freeze()
        try:
            while self._stopping is None or any(each.pid for each in self._workers):
                if self._told:
                    self._stop()
                self._start_due()
                self._wait()
                self._reap()
        finally:
            signal.set_wakeup_fd(-1)
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._failed:
            raise CannotStart("No worker of the node became ready.", "What each of them said stands above.")

    def _heard(self, *_: object) -> None:
        # Handlers run between any two lines, so this one only leaves word; the wake-up descriptor ends the wait.
        self._told = True

    def _stop(self) -> None:
        if self._stopping is not None:
            return
        self._stopping = time.monotonic()
        for each in self._workers:
            # From now on a worker's own hold on its socket is the only one: it accepts for as long as that one does.
            each.listener.close()
            if each.pid:
                with suppress(ProcessLookupError):
                    os.kill(each.pid, signal.SIGTERM)

    def _start_due(self) -> None:
        if self._stopping is not None:
            return
        now = time.monotonic()
        for each in self._workers:
            if each.pid == 0 and each.due <= now:
                self._start(each)

    def _start(self, each: _Worker) -> None:
        reading, writing = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        # Signals wait until the child has its own handlers; a stop that fell in between would be lost on it.
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, _GO})
        parent, pid = os.getpid(), os.fork()
        if pid == 0:
            os.close(reading)
            self._become(each, writing, parent, held)
        each.pid, each.pipe, each.since, each.end = pid, reading, time.monotonic(), None
        os.close(writing)
        os.set_blocking(reading, False)
        signal.pthread_sigmask(signal.SIG_SETMASK, held)

    def _become(self, each: _Worker, writing: int, parent: int, held: set[int | signal.Signals]) -> NoReturn:
        """A worker's life. Never returns into the parent's code."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: os._exit(0))  # nothing has begun; the event loop takes over soon
            signal.signal(_GO, signal.SIG_IGN)
            die_with_parent(signal.SIGKILL, parent=parent)()
            name_process(f"natter-node/{each.number}")
            for other in self._workers:
                if other is not each:
                    other.listener.close()
                if other.pipe >= 0:
                    os.close(other.pipe)
            os.close(self._woken)
            os.close(self._wake)
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
            self._work(Process(each.number, [each.listener], self._folder, writing))
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(code)

    def _wait(self) -> None:
        """Until a signal, a worker's word, or something that is due."""
        now = time.monotonic()
        until = [each.due for each in self._workers if each.pid == 0 and self._stopping is None]
        if self._stopping is not None:
            until.append(self._stopping + _PATIENCE)
        pipes = {each.pipe: each for each in self._workers if each.pid and each.pipe >= 0}
        timeout = max(0.0, min(until) - now) if until else None
        for ready in select.select([self._woken, *pipes], [], [], timeout)[0]:
            if ready == self._woken:
                with suppress(BlockingIOError):
                    os.read(self._woken, 4096)
            else:
                self._hear(pipes[ready])
        if self._stopping is not None and not self._killed and time.monotonic() > self._stopping + _PATIENCE:
            self._killed = True
            self._signal(signal.SIGKILL)

    def _hear(self, each: _Worker) -> None:
        said = b""
        with suppress(BlockingIOError):
            said = os.read(each.pipe, 4096)
            if not said:
                self._deaf(each)
        if READY in said:
            each.was_ready, each.drained = True, False
        if DRAINED in said:
            each.drained = True
            self._let_go()

    def _let_go(self) -> None:
        """Once nobody has clients left, nobody need be there for the others' clients."""
        if self._stopping is not None and all(each.drained or not each.pid for each in self._workers):
            self._signal(_GO)

    def _reap(self) -> None:
        for each in self._workers:
            if not each.pid:
                continue
            pid, status = os.waitpid(each.pid, os.WNOHANG)
            if not pid:
                continue
            code = os.waitstatus_to_exitcode(status)
            self._deaf(each)
            each.pid, each.end = 0, code
            if self._stopping is not None:
                self._let_go()
                continue
            now = time.monotonic()
            if not any(other.was_ready for other in self._workers) and code > 0:
                self._failed = True  # it cannot start at all, and whoever started us shall know
                self._stop()
                continue
            each.wait = 0.1 if now - each.since > _STEADY_AFTER else min(each.wait * 2, _LONGEST_WAIT)
            each.due = now + each.wait
            _log.error("node.worker_ended", node=self._name, worker=each.number, code=code, retryIn=each.wait)

    def _deaf(self, each: _Worker) -> None:
        if each.pipe >= 0:
            os.close(each.pipe)
            each.pipe = -1

    def _signal(self, number: signal.Signals) -> None:
        for each in self._workers:
            if each.pid:
                with suppress(ProcessLookupError):
                    os.kill(each.pid, number)


def _bind(host: str, port: int, count: int) -> list[socket.socket]:
    """One listening socket a worker. Raises `CannotStart` when somebody else listens there already."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        # Two nodes that share a port by mistake would each get half of the clients: so look first, without sharing.
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
        listeners = []
        for _ in range(count):
            listener = socket.socket(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            listener.bind((host, port))
            listener.listen(BACKLOG)
            listener.setblocking(False)
            listeners.append(listener)
    except OSError as error:
        raise CannotStart(
            f"The node cannot listen on {host}:{port}: {error.strerror}.", "Choose NATTER_NODE_PORT."
        ) from error
    return listeners
