"""One connection, from its handshake to its end. It never comes back; `_client` opens the next one."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import socketio

from .._answers import error_of
from ..errors import APIError, ConnectionFailed, TimedOut

_QUIET: Final = logging.getLogger("natter.realtime.transport")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False

Heard = Callable[[str, Any], None]


class Connection:
    """A Socket.IO connection that has heard `connection.ready`."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._refusal: APIError | None = None
        self._ready: asyncio.Future[Mapping[str, Any]] = asyncio.get_running_loop().create_future()
        self._asked: set[asyncio.Future[Any]] = set()
        self._socket = socketio.AsyncClient(
            reconnection=False, handle_sigint=False, logger=_QUIET, engineio_logger=_QUIET
        )
        self._socket.on("*", self._event)
        self._socket.on("connect_error", self._refused)
        self.closing: Mapping[str, Any] | None = None
        """What the server said of the end."""
        self.ended: asyncio.Task[None] | None = None
        """Done when the transport has gone."""

    @property
    def waiting(self) -> int:
        """Calls that are not answered yet."""
        return len(self._asked)

    async def open(self, url: str, auth: Mapping[str, Any], *, key: str | None, timeout: float) -> Mapping[str, Any]:
        """Connect, and answer `connection.ready`. Raises `APIError` for a refusal, `ConnectionFailed` otherwise."""
        address = f"{url}?{urlencode({'key': key})}" if key else url
        try:
            async with asyncio.timeout(timeout):
                await self._socket.connect(
                    address, auth=dict(auth), transports=["websocket"], namespaces=["/"], wait_timeout=timeout
                )
                self.ended = asyncio.create_task(self._until_the_end())
                both: set[asyncio.Future[Any]] = {self._ready, self.ended}
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError as error:
            await self.close()
            raise TimedOut(f"{url}: no connection within {timeout:g} s", sent=False) from error
        except socketio.exceptions.ConnectionError as error:
            await self.close()
            if self._refusal is not None:
                raise self._refusal from None
            raise ConnectionFailed(f"{url}: {error}", sent=False) from error
        except BaseException:
            await self.close()
            raise
        if not self._ready.done():
            await self.close()
            raise ConnectionFailed(f"{url}: the connection ended before it was ready", sent=False)
        return self._ready.result()

    async def ask(self, event: str, payload: Mapping[str, Any], timeout: float) -> Mapping[str, Any]:
        """The acknowledgement. Raises `APIError` for a refusal, `ConnectionFailed` when none comes."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._asked.add(answer)

        def acknowledge(said: Any = None) -> None:
            if not answer.done():
                answer.set_result(said)

        try:
            try:
                await self._socket.emit(event, dict(payload), callback=acknowledge)
            except socketio.exceptions.SocketIOError as error:
                raise ConnectionFailed(f"{event}: the connection has ended", sent=False) from error
            async with asyncio.timeout(timeout):
                said = await answer
        except TimeoutError as error:
            raise TimedOut(f"{event}: not acknowledged within {timeout:g} s", sent=True) from error
        finally:
            self._asked.discard(answer)
        if isinstance(said, dict) and isinstance(said.get("error"), dict):
            raise error_of(said["error"])
        return said if isinstance(said, dict) else {}

    async def close(self) -> None:
        """End it, whatever state it is in."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(2):
                await self._socket.disconnect()
        with contextlib.suppress(Exception):
            await self._socket.eio.disconnect(abort=True)
        if self.ended is not None:
            await asyncio.wait({self.ended}, timeout=2)

    async def _until_the_end(self) -> None:
        await self._socket.eio.wait()
        for answer in self._asked:
            if not answer.done():
                answer.set_exception(ConnectionFailed("the connection ended before the answer", sent=True))

    def _event(self, name: str, payload: Any = None) -> None:
        if name == "connection.closing" and isinstance(payload, dict):
            self.closing = payload
        self._heard(name, payload)
        if name == "connection.ready" and not self._ready.done():
            self._ready.set_result(payload)

    def _refused(self, said: Any = None) -> None:
        problem = said.get("data") if isinstance(said, dict) else None
        if isinstance(problem, dict) and "code" in problem:
            self._refusal = error_of(problem)
