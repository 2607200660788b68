"""Child processes: started together, watched, started again when they die, and stopped in order."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from ops.embedded.process import last_lines
from ops.errors import CannotStart
from ops.progress import Progress, explain

_POLL: Final = 0.05
_LONGEST_WAIT: Final = 10.0
_STEADY_AFTER: Final = 30.0
"""A child that has run this many seconds starts again at once when it dies."""
_LARGEST_LOG: Final = 20_000_000
_LOG_CHECK: Final = 30.0


class Started(Protocol):
    """A process that was started: a `subprocess.Popen`, or a server of the nursery."""

    pid: int

    def poll(self) -> int | None:
        """The exit code once it has ended, negative for a signal."""
        ...

    def send_signal(self, sig: signal.Signals, /) -> None:
        """Send it a signal, unless it has ended."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One process. `rank` orders the stop: the highest goes first. `where` is shown once it is ready."""

    name: str
    title: str
    rank: int
    start: Callable[[Path], Awaitable["Started"]]
    """Starts it, with its output appended to this log. Raises `CannotStart`."""
    is_ready: Callable[[int], Awaitable[bool]]
    """Whether the process of this id can do its work now."""
    stop_signals: tuple[tuple[signal.Signals, float], ...] = ((signal.SIGTERM, 20.0),)
    """Signals in order of force, each with the seconds to wait for its effect; SIGKILL comes after them."""
    prepare: Callable[[], None] | None = None
    """Blocks; runs on a thread before each start."""
    where: str = ""
    patience: float = 60.0
    """Seconds until it must be ready."""


@dataclass(slots=True)
class _Running:
    child: Child
    log: Path
    process: Started | None = None
    since: float = 0.0


class Supervisor:
    """Runs children until told to stop. `changed` is called when a process id changed; `log_of` names logs."""

    def __init__(
        self, progress: Progress, log_of: Callable[[str], Path], changed: Callable[["Supervisor"], None]
    ) -> None:
        self._progress = progress
        self._log_of = log_of
        self._changed = changed
        self._running: list[_Running] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._hurry = asyncio.Event()

    def processes(self) -> dict[str, int]:
        """The process ids of the living children, by name."""
        alive = [(each.child.name, each.process) for each in self._running]
        return {name: process.pid for name, process in alive if process is not None and process.poll() is None}

    async def start(self, children: Iterable[Child]) -> None:
        """Start children at once and wait until all are ready. Raises the first one's `CannotStart`."""
        starting = [_Running(child, self._log_of(child.name)) for child in children]
        self._running += starting
        try:
            async with asyncio.TaskGroup() as group:
                for running in starting:
                    group.create_task(self._start_and_tell(running))
        except BaseExceptionGroup as failures:
            # Not `except*`: what is raised there is within a group again, in Python 3.11 before 3.11.4.
            if (first := failures.subgroup(CannotStart)) is None or failures.split(CannotStart)[1] is not None:
                raise
            raise _first(first) from None
        self._tasks += [asyncio.create_task(self._keep_running(running)) for running in starting]

    async def _start_and_tell(self, running: _Running) -> None:
        began = time.monotonic()
        await self._start(running)
        took = f"ready in {time.monotonic() - began:.1f} s"
        self._progress.step(running.child.title, f"{took:<16} {running.child.where}".rstrip())

    async def _start(self, running: _Running) -> None:
        child = running.child
        if child.prepare is not None:
            await asyncio.to_thread(child.prepare)
        process = running.process = await child.start(running.log)
        running.since = time.monotonic()
        self._changed(self)
        while not await child.is_ready(process.pid):
            if process.poll() is not None:
                raise CannotStart(
                    f"{child.title} ended while it started ({_how(process)}):\n{last_lines(running.log)}",
                    f"All of it is in {running.log}.",
                )
            if time.monotonic() - running.since > child.patience:
                raise CannotStart(
                    f"{child.title} was not ready after {child.patience:.0f} s:\n{last_lines(running.log)}",
                    f"All of it is in {running.log}.",
                )
            await asyncio.sleep(_POLL)

    async def _keep_running(self, running: _Running) -> None:
        wait = 0.2
        while True:
            await self._ended(running)
            if running.process is not None:
                self._progress.event(f"{running.child.title} ended ({_how(running.process)}); starting it again")
            if time.monotonic() - running.since > _STEADY_AFTER:
                wait = 0.2
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
            try:
                await self._start(running)
            except CannotStart as error:
                self._progress.event(explain(error))
                await self._end(running)
            else:
                self._progress.event(f"{running.child.title} is ready again")

    async def _ended(self, running: _Running) -> None:
        while running.process is not None and running.process.poll() is None:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(_POLL)

    async def keep_logs_small(self) -> None:
        """Until cancelled: move the content of a log that has grown large aside, and begin it anew.

        The children append, so that truncating their file is safe; what they write in between is lost.
        """
        while True:
            await asyncio.sleep(_LOG_CHECK)
            for running in self._running:
                with suppress(OSError):
                    if running.log.stat().st_size > _LARGEST_LOG:
                        await asyncio.to_thread(_turn_over, running.log)

    async def stop(self) -> None:
        """Stop all, rank by rank from the highest; returns when every child has ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for rank in sorted({running.child.rank for running in self._running}, reverse=True):
            group = [running for running in self._running if running.child.rank == rank]
            await asyncio.gather(*(self._end(running) for running in group))

    def hurry(self) -> None:
        """Make a stop that is under way, or to come, impatient."""
        self._hurry.set()

    async def _end(self, running: _Running) -> None:
        if running.process is None:
            return
        for signum, patience in (*running.child.stop_signals, (signal.SIGKILL, 10.0)):
            if running.process.poll() is not None:
                return
            running.process.send_signal(signum)
            given = time.monotonic()
            while running.process.poll() is None:
                waited = time.monotonic() - given
                if waited > patience or (self._hurry.is_set() and waited > 1.0):
                    break
                await asyncio.sleep(_POLL)


def _first(failures: "BaseExceptionGroup[CannotStart]") -> CannotStart:
    leaf: BaseException = failures
    while isinstance(leaf, BaseExceptionGroup):
        leaf = leaf.exceptions[0]
    assert isinstance(leaf, CannotStart)
    return leaf


def _how(process: Started) -> str:
    code = process.poll()
    if code is not None and code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"


def _turn_over(log: Path) -> None:
    older = log.with_suffix(".log.1")
    with log.open("rb+") as file, older.open("wb") as target:
        older.chmod(0o600)
        while chunk := file.read(1 << 20):
            target.write(chunk)
        file.truncate(0)
