"""Gives a client's connection to the worker that holds its session.

The socket itself goes there, with the head of the request: one datagram over a Unix socket. From then on the owner
reads and writes it as if it had accepted it, so that nothing stands between its frames and the client. The Unix sockets
lie in a folder that only this user may enter.
"""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from kernel.logging import get_logger

MOST_HEAD: Final = 65_536
_RETRY: Final = 0.01
_RETRIES: Final = 200
_log = get_logger(__name__)

Accept = Callable[[], Any]
"""Makes the protocol for a connection; see `engineio.websocket`."""


class Handover:
    """One worker's end. `accept` makes the protocol of a connection that arrives."""

    def __init__(self, folder: Path, worker: int, accept: Accept) -> None:
        self._folder = folder
        self._path = folder / f"{worker}.give"
        self._accept = accept
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self) -> None:
        """Begin to take connections."""
        self._path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(self._path))
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._take)

    def close(self) -> None:
        """Take no more."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None
            self._path.unlink(missing_ok=True)

    async def give(self, worker: int, transport: Any, head: bytes) -> bool:
        """Send a connection away; false when the worker is not there, and the client may still be answered.

        The transport must not read any more.
        """
        own = transport.get_extra_info("socket")
        if len(head) > MOST_HEAD or own is None:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as way:
            for _ in range(_RETRIES):
                if transport.is_closing():
                    return True
                try:
                    way.connect(str(self._folder / f"{worker}.give"))
                    socket.send_fds(way, [head], [own.fileno()])
                except BlockingIOError:
                    await asyncio.sleep(_RETRY)  # more arrive at once than its queue holds
                except OSError:
                    return False
                else:
                    transport.abort()  # closes this process's hold on the connection, not the connection
                    return True
        return False

    def _take(self) -> None:
        assert self._socket is not None
        while True:
            try:
                head, descriptors, _, _ = socket.recv_fds(self._socket, MOST_HEAD, 1)
            except BlockingIOError:
                return
            for descriptor in descriptors:
                task = asyncio.create_task(self._welcome(head, socket.socket(fileno=descriptor)))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _welcome(self, head: bytes, client: socket.socket) -> None:
        protocol = self._accept()
        client.setblocking(False)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(lambda: protocol, client)
        except OSError as error:
            client.close()
            _log.info("peers.client_gone", error=repr(error))
            return
        protocol.data_received(head)
