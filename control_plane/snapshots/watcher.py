"""Wakes long polls: one query a fifth of a second for the whole process, and none when nobody waits."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

from control_plane import configuration
from kernel.db import Database
from kernel.logging import get_logger

INTERVAL: Final = 0.2

_log = get_logger(__name__)


class VersionWatcher:
    """Knows the newest configuration version. `run` must be running for `wait_beyond` to wake early."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = 0
        self._waiters = 0
        self._wanted = asyncio.Event()
        self._moved = asyncio.Event()
        self._closed = False

    async def wait_beyond(self, version: int, seconds: float) -> bool:
        """Wait until the configuration is newer than `version`; false when the time is over or the process stops."""
        self._waiters += 1
        self._wanted.set()
        try:
            async with asyncio.timeout(seconds):
                while self._version <= version and not self._closed:
                    await self._moved.wait()
        except TimeoutError:
            return False
        finally:
            self._waiters -= 1
            if not self._waiters:
                self._wanted.clear()
        return self._version > version

    async def run(self) -> None:
        """Look for new versions while somebody waits. Runs until it is cancelled."""
        away = False
        while True:
            await self._wanted.wait()
            try:
                async with self._database.unit_of_work(read_only=True) as uow:
                    version = await configuration.current(uow.session)
                away = False
                if version > self._version:
                    self._version = version
                    self._wake()
            except Exception:
                # Waiters run into their time limit and meet the trouble themselves.
                if not away:
                    _log.exception("snapshots.watch_failed")
                away = True
            await asyncio.sleep(INTERVAL)

    def close(self) -> None:
        """Answer everybody who waits, now and from now on, so that a stop is not held up by long polls."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """`run` as a background task of this block."""
        task = asyncio.create_task(self.run(), name="snapshots-watcher")
        try:
            yield
        finally:
            self.close()
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
