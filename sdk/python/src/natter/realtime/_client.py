"""A realtime client for bots, as a person's device would have one: it stays connected, and what it hears is whole."""

import asyncio
import inspect
import random as random_module
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

from .._answers import error_of
from .._model import to_json
from .._retry import Retry
from ..errors import APIError, ConnectionFailed, NatterError, TokenExpired, TokenInvalid, TokenRevoked
from ._commands import _Commands
from ._connection import Connection
from ._events import Logs, RealtimeEvent

TokenSource: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""An access token, or what brings a fresh one: asked at each connection, and before a token ends."""
Url: TypeAlias = str | Callable[[], str | Awaitable[str]]
"""The app's address, or what finds it: asked at each connection, because apps can move."""

_STALE: Final = (TokenExpired, TokenInvalid, TokenRevoked)
_ONCE_ONLY: Final = frozenset({"event.send"})
"""What would be done twice if it were sent again."""
_LONGEST: Final = 30.0
"""Seconds between two attempts to connect at most."""
_IN_FLIGHT: Final = 80
"""Calls that wait for their acknowledgement at once; the server takes 100 from a connection."""


class RealtimeClient(_Commands):
    """A user's realtime connection, for a bot.

        async with natter.for_user("bot").realtime() as chat:
            async for event in chat.events():
                if event.type == "message.created" and event.message.user_id != "bot":
                    await chat.send(event.channel_id, text="I heard you.")

    It comes back by itself, waits as the server's closing codes ask, and resumes at a cursor: between two
    `connection.ready` nothing is missing and nothing comes twice. Where too much was missed, `connection.ready` has
    `recovered: false` and `channels` holds fresh state.

    `token`: see `TokenSource`. `cursor`: where an earlier client's `cursor` was. `ack_timeout`, `connect_timeout` and
    `refresh_before` (how long before its end a token is renewed) are in seconds. `max_waiting`: events that wait for
    `events()` at most; beyond, the client disconnects until half of them were taken, and resumes. So take them, also
    where the bot only speaks.
    """

    def __init__(
        self,
        url: Url,
        token: TokenSource,
        *,
        publishable_key: str | None = None,
        cursor: str | None = None,
        retry: Retry = Retry(attempts=10, total=120),  # noqa: B008 - frozen
        ack_timeout: float = 10.0,
        connect_timeout: float = 10.0,
        refresh_before: float = 60.0,
        max_waiting: int = 10_000,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        random: Callable[[], float] = random_module.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._url, self._token, self._key, self._retry = url, token, publishable_key, retry
        self._ack_timeout, self._connect_timeout = ack_timeout, connect_timeout
        self._refresh_before, self._max_waiting = refresh_before, max_waiting
        self._sleep, self._random, self._now = sleep, random, now
        self._resume = self._cursor = cursor
        self._logs = Logs()
        self._queue: asyncio.Queue[RealtimeEvent | str | None] = asyncio.Queue()
        self._watched: dict[str, None] = {}
        self._connection: Connection | None = None
        self._connected = asyncio.Event()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._in_flight = asyncio.Semaphore(_IN_FLIGHT)
        self._expires_at: datetime | None = None
        self._end: BaseException | None = None
        self._failure: NatterError | None = None
        """Why the last attempt to connect did not succeed."""
        self._ended = asyncio.Event()
        self._runner: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    # -- its life --------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        """Connect. Returns when `connection.ready` came; raises what refuses for good, or the last failure after
        `retry.total` seconds."""
        self._runner = asyncio.create_task(self._run())
        try:
            await self._usable()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Disconnect for good. `events()` ends after what was heard before."""
        self._finish(None)
        tasks = {*self._tasks, *([self._runner] if self._runner else [])}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    @property
    def connected(self) -> bool:
        """Whether there is a connection now."""
        return self._connected.is_set()

    @property
    def cursor(self) -> str | None:
        """Where to resume after all that `events()` has given: keep it, and give it to the next client.

        It moves about every ten seconds while something happens. The next client may hear again what came after it.
        """
        return self._cursor

    # -- hearing ---------------------------------------------------------------------------------------------------

    async def events(self) -> AsyncIterator[RealtimeEvent]:
        """Everything in order, for one reader. Ends after `aclose`; raises what ended the connection for good."""
        while True:
            if self._ended.is_set() and self._queue.empty():
                break
            item = await self._queue.get()
            if self._queue.qsize() <= self._max_waiting // 2:
                self._roomy.set()
            if isinstance(item, RealtimeEvent):
                yield item
            elif item is not None:
                self._cursor = item
        if self._end is not None:
            raise self._end

    # -- saying ----------------------------------------------------------------------------------------------------

    async def watch(self, channel_id: str) -> Mapping[str, Any]:
        """Hear what passes by in a channel too, also after a reconnect; and all of one that the bot is no member of.

        Of such a channel nothing is resumed: read its history after each `connection.ready`.
        """
        state = await self.call("channel.watch", {"channel_id": channel_id})
        self._watched[channel_id] = None
        return state

    async def unwatch(self, channel_id: str) -> None:
        """Stop that."""
        self._watched.pop(channel_id, None)
        await self.call("channel.unwatch", {"channel_id": channel_id})

    async def call(
        self, event: str, payload: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> Mapping[str, Any]:
        """Send any event of the reference and give its acknowledgement, which means that it is committed.

        A call is sent again after a break, without an answer within `timeout` seconds, or when the server asks for it,
        as `retry` says; what would be done twice (`event.send`) only if it did not leave. Raises `APIError` by code.
        """
        said, began, attempt = to_json(dict(payload or {})), time.monotonic(), 0
        async with self._in_flight:
            while True:
                attempt += 1
                connection = await self._usable()
                try:
                    return await connection.ask(event, said, self._ack_timeout if timeout is None else timeout)
                except NatterError as failure:
                    seconds = self._retry.wait(
                        failure,
                        attempt=attempt,
                        elapsed=time.monotonic() - began,
                        repeatable=event not in _ONCE_ONLY,
                        random=self._random,
                    )
                    if seconds is None:
                        raise
                await self._sleep(seconds)

    # -- staying connected -----------------------------------------------------------------------------------------

    async def _usable(self) -> Connection:
        """The connection, when there is one. Raises what ended the client, `ConnectionFailed` after `retry.total`."""
        if self._connected.is_set() and self._connection is not None:
            return self._connection
        waits = [asyncio.ensure_future(event.wait()) for event in (self._connected, self._ended)]
        try:
            await asyncio.wait(waits, timeout=self._retry.total, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if self._ended.is_set():
            raise self._end or ConnectionFailed("the client is closed", sent=False)
        if self._connection is None:
            why = ConnectionFailed(f"no connection within {self._retry.total:g} s: {self._failure}", sent=False)
            raise why from self._failure
        return self._connection

    async def _run(self) -> None:
        failures = 0
        try:
            while not self._ended.is_set():
                await self._roomy.wait()
                try:
                    connection = await self._open()
                except NatterError as failure:
                    self._failure = failure
                    failures += 1
                    if not self._may_pass(failure, failures):
                        raise
                    await self._sleep(self._pause(failure, failures))
                    continue
                failures = 0
                await self._stay(connection)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            self._finish(error)

    async def _open(self) -> Connection:
        connection = Connection(self._hear)
        auth = {"token": await _ask(self._token)}
        if self._resume is not None:
            auth["cursor"] = self._resume
        url = (await _ask(self._url)).rstrip("/")
        await connection.open(url, auth, key=self._key, timeout=self._connect_timeout)
        return connection

    async def _stay(self, connection: Connection) -> None:
        """Until it ends, and for as long afterwards as the server asks. Raises the code of an end for good."""
        assert connection.ended is not None
        self._connection = connection
        self._connected.set()
        refreshing = self._start(self._keep_fresh(connection))
        watching = self._start(self._watch_again(connection))
        try:
            await asyncio.wait({connection.ended})  # unlike awaiting it, being cancelled here does not cancel it
        finally:
            self._connected.clear()
            self._connection = None
            refreshing.cancel()
            watching.cancel()
            await connection.close()
        closing = connection.closing
        if closing is None:
            return
        if not closing.get("reconnect", True):
            raise _closed(str(closing.get("code")))
        if closing.get("code") != "shutdown":
            await self._sleep(float(closing.get("after_ms", 0)) / 1000)

    def _may_pass(self, failure: NatterError, failures: int) -> bool:
        """Whether to try to connect again."""
        if isinstance(failure, ConnectionFailed):
            return True
        if isinstance(failure, _STALE) and not isinstance(self._token, str):
            return failures < 3  # the next token may be good
        return isinstance(failure, APIError) and failure.retryable

    def _pause(self, failure: NatterError, failures: int) -> float:
        drawn: float = min(_LONGEST, 0.25 * 2.0 ** min(failures - 1, 10)) * (0.5 + self._random() / 2)
        asked = failure.retry_after if isinstance(failure, APIError) else None
        return drawn + (asked or 0.0)

    async def _keep_fresh(self, connection: Connection) -> None:
        """Renew the token before it ends. Where that fails, the server closes, and a fresh one opens again."""
        if isinstance(self._token, str):
            return
        failures = 0
        while self._expires_at is not None:
            left = self._expires_at.timestamp() - self._now()
            if failures == 0:
                await self._sleep(max(0.0, left - min(self._refresh_before, left / 2)))
            try:
                token = await _ask(self._token)
                answer = await connection.ask("auth.refresh", {"token": token}, self._ack_timeout)
                self._expires_at = datetime.fromisoformat(answer["expires_at"])
                failures = 0
            except NatterError as failure:
                failures += 1
                await self._sleep(self._pause(failure, failures))

    async def _watch_again(self, connection: Connection) -> None:
        for channel_id in list(self._watched):
            try:
                await connection.ask("channel.watch", {"channel_id": channel_id}, self._ack_timeout)
            except APIError as refusal:
                if not refusal.retryable:
                    self._watched.pop(channel_id, None)
                    self._queue.put_nowait(RealtimeEvent(type="watch.ended", data={"channel_id": channel_id}))
            except ConnectionFailed:
                return

    async def _leave(self, connection: Connection, after: float) -> None:
        """Go before a node that stops does, once the calls made there are answered."""
        await self._sleep(after)
        while connection.waiting and connection.ended and not connection.ended.done():
            await self._sleep(0.05)
        await connection.close()

    def _hear(self, name: str, payload: Any) -> None:
        """Whatever the server says, in its order."""
        if not isinstance(payload, dict):
            return
        if name == "connection.ready":
            self._begin(payload)
        elif name == "sync.cursor":
            self._resume = payload["cursor"]
            self._queue.put_nowait(payload["cursor"])
        elif name == "connection.closing":
            if payload.get("code") == "shutdown" and (connection := self._connection) is not None:
                self._start(self._leave(connection, float(payload.get("after_ms", 0)) / 1000))
        elif name == "watch.ended":
            self._watched.pop(str(payload.get("channel_id")), None)
            self._queue.put_nowait(RealtimeEvent(type=name, data=payload))
        elif name != "error":
            event = RealtimeEvent.from_dict(payload)
            if self._logs.is_new(event):
                self._queue.put_nowait(event)
                self._mind_the_room()

    def _begin(self, ready: dict[str, Any]) -> None:
        if ready.get("recovered") is False:
            self._logs.start_anew(ready.get("channels", []), ready.get("own_seq", 0))
        self._resume = ready["cursor"]
        self._expires_at = datetime.fromisoformat(ready["expires_at"]) if ready.get("expires_at") else None
        self._queue.put_nowait(RealtimeEvent(type="connection.ready", data=ready))
        self._queue.put_nowait(ready["cursor"])

    def _mind_the_room(self) -> None:
        """Disconnect while the reader is behind: what comes meanwhile waits in the server's log, not here."""
        if self._queue.qsize() >= self._max_waiting and (connection := self._connection) is not None:
            self._roomy.clear()
            self._start(connection.close())

    def _start(self, work: Any) -> "asyncio.Task[None]":
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _finish(self, error: BaseException | None) -> None:
        if not self._ended.is_set():
            self._end = error
            self._ended.set()
            self._queue.put_nowait(None)


def _closed(code: str) -> NatterError:
    """What an end for good is raised as: the class of its code, where there is one."""
    return error_of({"code": code, "message": f"the server closed the connection: {code}", "retryable": False})


async def _ask(source: str | Callable[[], str | Awaitable[str]]) -> str:
    if isinstance(source, str):
        return source
    try:
        said = source()
        return await said if inspect.isawaitable(said) else said
    except NatterError:
        raise
    except Exception as error:
        raise ConnectionFailed(f"what brings the token or the address failed: {error!r}", sent=False) from error
