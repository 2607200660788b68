"""The nursery's own process: import, then fork on request and tell of every child's end.

Lines of JSON over a socket: `{id, command: [...], environment: {...}, log}` comes in, `{id, pid}` and `{pid, code}` go
out. With `clock_ahead`, the child's clock is so many seconds ahead: for who lets a day pass in a test, and nobody else,
which is why it is no setting. The end of the socket is the end of the process, and with it of every child.
"""

import gc
import json
import os
import selectors
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NoReturn

from ops.embedded.process import die_with_parent, name_process, open_log

# structlog and Litestar load the one for colourful tracebacks, engineio the other for another server than ours; each
# goes on without, and a fifth of the time is saved.
_LEFT_OUT: Final = ("rich", "aiohttp")


def main(descriptor: int) -> None:
    """Serve the socket with this descriptor until its other end closes. Must stay the only thread of the process."""
    gc.disable()  # nothing that an import makes is garbage
    for name in _LEFT_OUT:
        sys.modules[name] = None  # type: ignore[assignment]  # "there is no such module"
    import ops.entrypoints.control
    import ops.entrypoints.node
    import ops.entrypoints.worker  # noqa: F401

    gc.freeze()  # a collection in a child need not touch, and so copy, the pages that all share
    _Loop(socket.socket(fileno=descriptor)).run()


class _Loop:
    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""
        self._ended_reading, self._ended_writing = socket.socketpair()
        for each in (connection, self._ended_reading, self._ended_writing):
            each.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._ended_writing.fileno(), warn_on_full_buffer=False)

    def run(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            selector.register(self._ended_reading, selectors.EVENT_READ)
            self._tell({"ready": True})
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._connection:
                        if not self._take_requests():
                            return
                    else:
                        self._tell_of_ended()

    def _take_requests(self) -> bool:
        chunk = self._connection.recv(1 << 20)
        self._received += chunk
        *lines, self._received = self._received.split(b"\n")
        for line in lines:
            request = json.loads(line)
            pid = os.fork()
            if pid == 0:
                self._become(request)
            self._tell({"id": request["id"], "pid": pid})
        return bool(chunk)

    def _tell_of_ended(self) -> None:
        with suppress(BlockingIOError):
            self._ended_reading.recv(4096)
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                self._tell({"pid": pid, "code": os.waitstatus_to_exitcode(status)})

    def _tell(self, message: dict[str, Any]) -> None:
        # A line is far smaller than a socket's buffer, and the supervisor reads all the time.
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def _become(self, request: dict[str, Any]) -> NoReturn:
        """The child's whole life. Never returns into the nursery's code."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for each in (self._connection, self._ended_reading, self._ended_writing):
                each.close()
            code = _serve(request)
        finally:
            for stream in (sys.stdout, sys.stderr):
                with suppress(OSError, ValueError):
                    stream.flush()
            os._exit(code)


def _serve(request: dict[str, Any]) -> int:
    die_with_parent(signal.SIGKILL, parent=os.getppid())()
    name_process(f"natter-{request['command'][0]}")
    os.setsid()
    os.umask(0o077)
    with open_log(Path(request["log"])) as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    os.environ.clear()
    os.environ.update(request["environment"])
    gc.enable()

    if request.get("clock_ahead"):
        _set_ahead(request["clock_ahead"])

    from ops.cli import main as natter

    try:
        natter(request["command"])
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _set_ahead(seconds: float) -> None:
    from datetime import timedelta

    from kernel.clock import SystemClock

    machine, ahead = SystemClock.now, timedelta(seconds=seconds)
    SystemClock.now = lambda self: machine(self) + ahead  # type: ignore[method-assign]
