"""HTTP load in a process of its own: keep-alive connections that ask for the same thing again and again.

`python -m ops.bench.http_load` reads a `HttpPlan` from standard input and prints an `HttpReport`.
"""

import os
import selectors
import socket
import sys
import time
from collections import deque
from itertools import cycle
from typing import Final
from urllib.parse import urlsplit

import msgspec

from ops.bench.load import percentiles

_READ: Final = 1 << 18


class HttpPlan(msgspec.Struct):
    """`connections` at once, each with one request in flight. `targets`: paths to ask for in turn, not the URL's.

    `rate` limits all requests together, per second; 0: no limit.
    """

    url: str
    token: str
    connections: int
    seconds: float
    targets: list[str] = []
    rate: float = 0


class HttpReport(msgspec.Struct):
    """Whole answers with status 200; `bytes_each` of the first."""

    answers: int
    refused: int
    seconds: float
    bytes_each: int
    ms: dict[str, float]
    cores: float


class _Connection:
    __slots__ = ("buffer", "sent_at", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""
        self.sent_at = 0.0


def run(plan: HttpPlan) -> HttpReport:
    """Ask until the time is over."""
    parts = urlsplit(plan.url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    rest = f"HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {plan.token}\r\nConnection: keep-alive\r\n\r\n"
    requests = cycle([f"GET {each} {rest}".encode() for each in plan.targets or [target]])
    selector = selectors.EpollSelector()
    free: deque[_Connection] = deque()
    for _ in range(plan.connections):
        sock = socket.create_connection((parts.hostname or "", parts.port or 80))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        connection = _Connection(sock)
        selector.register(sock, selectors.EVENT_READ, connection)
        free.append(connection)
    answers, refused, size, asked = 0, 0, 0, 0
    latencies: list[float] = []
    began, times = time.perf_counter(), os.times()
    while (now := time.perf_counter()) - began < plan.seconds:
        while free and (not plan.rate or asked < (now - began) * plan.rate):
            asked += 1
            connection = free.popleft()
            connection.sent_at = time.perf_counter()
            connection.sock.send(next(requests))
        for key, _ in selector.select(min(0.1, 1 / plan.rate) if plan.rate and free else 0.1):
            connection = key.data
            connection.buffer += connection.sock.recv(_READ)
            end = _whole(connection.buffer)
            if not end:
                continue
            if connection.buffer.startswith(b"HTTP/1.1 200"):
                answers += 1
                size = size or end
                latencies.append(time.perf_counter() - connection.sent_at)
            else:
                refused += 1
            connection.buffer = connection.buffer[end:]
            free.append(connection)
    after = os.times()
    seconds = now - began
    return HttpReport(
        answers,
        refused,
        round(seconds, 3),
        size,
        percentiles(latencies),
        round((after.user + after.system - times.user - times.system) / seconds, 2),
    )


def _whole(buffer: bytes) -> int:
    """The length of the first answer in the buffer, 0 while it is not whole."""
    head = buffer.find(b"\r\n\r\n")
    if head < 0:
        return 0
    at = buffer[:head].lower().find(b"content-length:")
    if at < 0:
        raise RuntimeError(f"an answer without a length: {buffer[:head]!r}")
    length = int(buffer[at + 15 : head].split(b"\r\n", 1)[0])
    end = head + 4 + length
    return end if len(buffer) >= end else 0


if __name__ == "__main__":
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=HttpPlan)
    sys.stdout.write(msgspec.json.encode(run(plan)).decode() + "\n")
