"""Watches clients' sockets: known ones first, those of who comes or goes when their turn has come.

An event loop serves sockets in the order in which they become readable, all that are in one turn. When thousands of
clients are cut off and come back, those are their ends and their handshakes, and the next message of anybody else comes
after them. Here newcomers are in a set of their own, and ends are only noticed at first. Whatever follows waits in the
line in which the rest of coming and going waits, too.

It is also the shorter way: one call for all sockets that are ready, instead of the interpreter's lock for each.
"""

import asyncio
import select
from collections import deque
from collections.abc import Callable
from typing import Any, Final, Protocol

AT_ONCE: Final = 256
"""Known sockets that are served in one turn of the loop."""
NEW_AT_ONCE: Final = 4
"""Newcomers that are read one after another without a look at the time."""
ENDS_AT_ONCE: Final = 8
"""The same of those whose other side went."""
READS: Final = 2
"""How often a newcomer is read before it is known: what opens a WebSocket, and who it says it is."""

_IN: Final = select.EPOLLIN
_OUT: Final = select.EPOLLOUT
_READING: Final = _IN | select.EPOLLRDHUP
_BROKEN: Final = select.EPOLLHUP | select.EPOLLERR
_ENDED: Final = _BROKEN | select.EPOLLRDHUP

Callback = Callable[[], Any]


class Line(Protocol):
    """Where work waits for its turn: `data_plane.gateway.turnstile.Turnstile`."""

    def enter_waking(self, work: Callable[[], None]) -> None:
        """Run this when its turn has come; what it starts in the loop counts."""
        ...


class Sockets:
    """What aiofastnet's transports take for their event loop. Which of their sockets are ready is found out here, all
    else is the running loop's. `came` is called for each newcomer."""

    def __init__(self, line: Line, came: Callable[[], None] = lambda: None) -> None:
        loop = asyncio.get_running_loop()
        self._loop = loop
        self._line = line
        self._came = came
        self._known = select.epoll()
        self._new = select.epoll()
        self._open = True
        self._readers: dict[int, Callback] = {}
        self._writers: dict[int, Callback] = {}
        self._reads: dict[int, int] = {}
        """How often each newcomer was read."""
        self._ended: set[int] = set()
        """Whose other side went: in neither set, so that they are not told of again."""
        self._ends: deque[tuple[int, Callback]] = deque()
        """What is to be called for them."""
        self.call_soon = loop.call_soon
        self.call_later = loop.call_later
        self.call_exception_handler = loop.call_exception_handler
        self.create_future = loop.create_future
        self.get_debug = loop.get_debug
        loop.add_reader(self._known.fileno(), self._serve)
        self._await_newcomers()

    def take_in(self, fd: int) -> None:
        """This socket is new. Call it before a transport is made for it."""
        self._reads[fd] = 0
        self._came()

    def close(self) -> None:
        """Watch nothing any more. Transports that are left may still be closed. Idempotent."""
        if self._open:
            self._open = False
            self._loop.remove_reader(self._known.fileno())
            self._loop.remove_reader(self._new.fileno())
            self._known.close()
            self._new.close()

    # -- transports call these, as they would call the loop ------------------------------------------------------------

    def add_reader(self, fd: int, callback: Callback) -> None:
        """Call this whenever there is something to read."""
        self._readers[fd] = callback
        self._watch(fd)

    def add_writer(self, fd: int, callback: Callback) -> None:
        """Call this whenever the system takes more."""
        self._writers[fd] = callback
        self._watch(fd)

    def remove_reader(self, fd: int) -> bool:
        """The end of `add_reader`. Returns whether there was one."""
        return self._remove(fd, self._readers)

    def remove_writer(self, fd: int) -> bool:
        """The end of `add_writer`. Returns whether there was one."""
        return self._remove(fd, self._writers)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _watch(self, fd: int) -> None:
        if not self._open:
            return
        mask = (_READING if fd in self._readers else 0) | (_OUT if fd in self._writers else 0)
        watched = self._new if fd in self._reads else self._known
        try:
            watched.register(fd, mask)
        except FileExistsError:
            watched.modify(fd, mask)
        self._ended.discard(fd)

    def _unwatch(self, fd: int) -> None:
        if fd in self._ended:
            self._ended.discard(fd)
        elif self._open:
            (self._new if fd in self._reads else self._known).unregister(fd)

    def _remove(self, fd: int, callbacks: dict[int, Callback]) -> bool:
        if callbacks.pop(fd, None) is None:
            return False
        if fd in self._readers or fd in self._writers:
            self._watch(fd)
        else:
            self._unwatch(fd)
        return True

    def _serve(self) -> None:
        readers = self._readers
        for fd, mask in self._known.poll(0, AT_ONCE):
            if mask == _IN:
                reader = readers.get(fd)  # none, if the one before it in this turn closed it
                if reader is not None:
                    reader()
            else:
                self._serve_other(fd, mask)

    def _serve_other(self, fd: int, mask: int) -> None:
        if mask & _ENDED:
            callback = self._readers.get(fd) or (self._writers.get(fd) if mask & _BROKEN else None)
            if callback is not None:
                self._unwatch(fd)
                self._reads.pop(fd, None)
                self._ended.add(fd)
                self._ends.append((fd, callback))
                if len(self._ends) == 1:
                    self._line.enter_waking(self._see_off)
                return
        if mask & _IN and (reader := self._readers.get(fd)) is not None:
            reader()
        if mask & _OUT and (writer := self._writers.get(fd)) is not None:
            writer()

    def _see_off(self) -> None:
        """Have transports read what is left, and the end after it."""
        ends = self._ends
        try:
            for _ in range(min(ENDS_AT_ONCE, len(ends))):
                fd, callback = ends.popleft()
                if self._is_due(fd, callback):
                    callback()
                    if self._is_due(fd, callback):
                        ends.append((fd, callback))  # there was more than it reads at once
        finally:
            if ends:
                self._line.enter_waking(self._see_off)

    def _is_due(self, fd: int, callback: Callback) -> bool:
        # The number may be another socket's by now, or nobody may want to read it at the moment.
        return fd in self._ended and callback in (self._readers.get(fd), self._writers.get(fd))

    def _await_newcomers(self) -> None:
        self._loop.add_reader(self._new.fileno(), self._somebody)

    def _somebody(self) -> None:
        self._loop.remove_reader(self._new.fileno())
        self._line.enter_waking(self._serve_new)

    def _serve_new(self) -> None:
        if not self._open:
            return
        ready = self._new.poll(0, NEW_AT_ONCE)
        try:
            for fd, mask in ready:
                if mask != _IN:
                    self._serve_other(fd, mask)
                elif (reader := self._readers.get(fd)) is not None:
                    self._reads[fd] += 1
                    reader()
                    if self._reads.get(fd) == READS:
                        self._is_known(fd)
        finally:
            if ready:
                self._line.enter_waking(self._serve_new)
            else:
                self._await_newcomers()

    def _is_known(self, fd: int) -> None:
        watched = fd not in self._ended and (fd in self._readers or fd in self._writers)
        if watched:
            self._new.unregister(fd)
        del self._reads[fd]
        if watched:
            self._watch(fd)
