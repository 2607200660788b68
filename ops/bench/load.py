"""The load: raw sockets in a process of its own, so that what it costs is known and cannot be taken for the server's.

`python -m ops.bench.load` reads a `Plan` from standard input, opens every socket, says `ready`, waits for a line, runs,
and prints a `Report`. It speaks just enough Engine.IO and Socket.IO over WebSocket. Most sockets only count how often
the event's name goes by, without looking at frames: a read costs the same however much has piled up, so the faster the
server, the less an event costs here.
"""

import base64
import os
import select
import socket
import sys
import time
from collections import deque
from http.client import HTTPConnection
from statistics import quantiles
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

import msgspec

_READ: Final = 1 << 18
_ANSWER: Final = 1 << 13
"""What a socket that reads every frame takes at a time."""
_TIMED: Final = 8
"""Of sends without a rate, one in so many is timed, unless each holds its time anyway."""
_PONG_EVERY: Final = 10.0
_SHORT: Final = tuple(bytes((0x81, 0x80 | size, 0, 0, 0, 0)) for size in range(126))
"""The heads of short frames, by the size of what they hold."""


class Peer(msgspec.Struct):
    """One socket. `auth` goes into its connect packet; `sends` are payloads that it sends in turn, if it sends."""

    url: str
    auth: dict[str, Any] = {}
    event: str = ""
    payload: dict[str, Any] = {}
    in_flight: int = 0


class Plan(msgspec.Struct):
    """`ready` is the event that ends a handshake (empty: the connect packet's answer does), `counts` the one to count.

    `observed` sockets read every frame, for latencies. `rate` limits all sends together, per second; 0: no limit.
    `at_once` handshakes are under way at most. `apart`: each socket comes from an address of its own, as a proxy tells.
    `polling`: each begins by HTTP long-polling and upgrades, as socket.io-client does unless told otherwise.
    `herd`: instead of sending, all are cut off, and come back together, each with its cursor.
    """

    peers: list[Peer]
    seconds: float
    counts: str
    ready: str = ""
    observed: int = 10
    rate: float = 0
    at_once: int = 100
    apart: bool = False
    polling: bool = False
    herd: bool = False


class Report(msgspec.Struct):
    """Counts of the time between start and end; latencies in milliseconds; `cores` that the load itself took."""

    connected: int
    connect_seconds: float
    seconds: float
    sent: int
    acked: int
    failed: int
    delivered: int
    settled: int
    """Deliveries once nothing was in flight any more."""
    ack_ms: dict[str, float]
    delivery_ms: dict[str, float]
    cores: float
    connect_ms: dict[str, float] = {}
    """From the opening of a socket until it is ready."""
    recovered: int = 0
    """Of a herd: who was told everything that was missed."""
    began: float = 0
    """On the clock that all processes share, and so are the times of `latencies`, the observed deliveries."""
    latencies: list[tuple[float, float]] = []


class _Socket:
    __slots__ = (
        "body",
        "buffer",
        "cursor",
        "free",
        "fully",
        "holds_time",
        "index",
        "next_id",
        "opened_at",
        "peer",
        "ready",
        "sent_at",
        "sock",
        "state",
        "tail",
    )

    def __init__(self, index: int, peer: Peer, sock: socket.socket) -> None:
        self.index = index
        self.peer = peer
        self.body = msgspec.json.encode([peer.event, peer.payload])
        """What it sends again and again, unless each holds the time."""
        self.holds_time = "text" in peer.payload
        self.sock = sock
        self.state = "http"
        self.buffer = b""
        self.tail = b""
        self.fully = True
        self.next_id = 0
        self.free = peer.in_flight
        self.sent_at: dict[int, float] = {}
        self.opened_at = time.perf_counter()
        self.cursor: str | None = None
        self.ready = b""
        """The packet that was to come, when it came by polling."""


class Load:
    """One run."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.epoll = select.epoll()
        self.by_fd: dict[int, _Socket] = {}
        self.sockets: list[_Socket] = []
        self.marker = f'["{plan.counts}"'.encode()
        self.ready_marker = f'["{plan.ready}"'.encode() if plan.ready else b""
        self.ready = 0
        self.sent = self.acked = self.failed = self.delivered = 0
        self.acks: list[float] = []
        self.deliveries: list[tuple[float, float]] = []
        self.connects: list[float] = []
        self.recovered = 0
        self.running = False
        self.timed = 1 if plan.rate else _TIMED
        self.deadline = 0.0
        self.tokens = 0.0
        self.queue: deque[_Socket] = deque()
        self.room = memoryview(bytearray(_READ))
        self.prepared: dict[int, tuple[tuple[str, int], bytes]] = {}
        """By index, of those who come back."""

    def connect(self) -> None:
        """Open every socket, some at a time."""
        waiting = deque(enumerate(self.plan.peers))
        opened = 0
        while self.ready < len(self.plan.peers):
            while waiting and opened - self.ready < self.plan.at_once:
                index, peer = waiting.popleft()
                self._open(index, peer)
                opened += 1
            if not self._turn(30.0):
                raise RuntimeError(f"only {self.ready} of {len(self.plan.peers)} sockets connected")
        senders = [s for s in self.sockets if s.peer.in_flight]
        observed = self.sockets[:: max(1, len(self.sockets) // max(1, self.plan.observed))][: self.plan.observed]
        for each in self.sockets:
            each.fully = False
        for each in (*senders, *observed):
            each.fully = True

    def prepare(self) -> None:
        """For `return_together`, so that its first moment is the server's."""
        self.prepared = {index: self._prepare(index, peer) for index, peer in enumerate(self.plan.peers)}

    def run(self) -> float:
        """Send and count until the time is over, then until nothing is in flight. Returns the seconds measured."""
        self.delivered = self.acked = self.sent = self.failed = 0
        began = last = next_pong = time.perf_counter()
        next_pong += _PONG_EVERY
        self.deadline = began + self.plan.seconds
        self.running = True
        self.queue = deque(s for s in self.sockets for _ in range(s.free))
        if not self.plan.rate:
            self._send_all()
        while (now := time.perf_counter()) < self.deadline:
            if self.plan.rate:
                self.tokens = min(self.tokens + (now - last) * self.plan.rate, max(1.0, self.plan.rate / 50))
                last = now
                self._send_some()
                self._turn(0.001)
            else:
                self._turn(min(0.05, self.deadline - now))
            if now > next_pong:
                next_pong = now + _PONG_EVERY
                for each in self.sockets:
                    each.sock.send(_frame(b"3"))
        seconds = time.perf_counter() - began
        self.running = False
        return seconds

    def return_together(self) -> float:
        """Everybody is cut off and comes back, all at once, with the cursor it had. Returns the seconds until all are
        live again."""
        cursors = [each.cursor for each in sorted(self.sockets, key=lambda each: each.index)]
        for each in self.sockets:
            self.epoll.unregister(each.sock)
            each.sock.close()
        self.sockets, self.by_fd, self.ready, self.connects = [], {}, 0, []
        began = time.perf_counter()
        self.plan.at_once = len(self.plan.peers)
        for peer, cursor in zip(self.plan.peers, cursors, strict=True):
            peer.auth["cursor"] = cursor
        self.connect()
        return time.perf_counter() - began

    def settle(self) -> int:
        """Read on until nothing comes for half a second; the deliveries of the whole run."""
        while self._turn(0.5):
            pass
        return self.delivered

    # -- inside ------------------------------------------------------------------------------------------------------

    def _prepare(self, index: int, peer: Peer) -> tuple[tuple[str, int], bytes]:
        """Where a socket is to go, and what it says first."""
        parts = urlsplit(peer.url)
        apart = f"X-Forwarded-For: 10.0.{index >> 8}.{index & 255}\r\n" if self.plan.apart else ""
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET /socket.io/?EIO=4&transport=websocket{{sid}} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Upgrade: websocket\r\n{apart}Connection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        ).encode()
        return (socket.gethostbyname(parts.hostname or "127.0.0.1"), parts.port or 80), request

    def _open(self, index: int, peer: Peer) -> None:
        address, request = self.prepared.get(index) or self._prepare(index, peer)
        opened_at = time.perf_counter()
        polled = poll(urlsplit(peer.url), peer.auth, self.plan.ready) if self.plan.polling else None
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.connect(address)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sid = b"&sid=" + polled.sid.encode() if polled else b""
        sock.sendall(request.replace(b"{sid}", sid))
        sock.setblocking(False)
        each = _Socket(index, peer, sock)
        each.opened_at, each.ready = opened_at, polled.ready if polled else b""
        self.sockets.append(each)
        self.by_fd[sock.fileno()] = each
        self.epoll.register(sock, select.EPOLLIN)

    def _turn(self, seconds: float) -> bool:
        ready = self.epoll.poll(seconds)
        by_fd = self.by_fd
        for fd, _ in ready:
            each = by_fd[fd]
            try:
                data = each.sock.recv(_ANSWER) if each.fully else self._much(each.sock)
            except BlockingIOError:
                continue
            if not data:
                raise RuntimeError(f"the server closed socket {each.index}: {each.buffer[-500:]!r}")
            if each.fully:
                self._read(each, data)
            else:
                whole = each.tail + data
                self.delivered += whole.count(self.marker)
                each.tail = whole[1 - len(self.marker) :]
        return bool(ready)

    def _much(self, sock: socket.socket) -> bytes:
        """All that has piled up, without a new quarter of a megabyte for each read."""
        return self.room[: sock.recv_into(self.room)].tobytes()

    def _read(self, each: _Socket, data: bytes) -> None:
        size = len(data)
        if 4 < size < 128 and data[1] == size - 2 and data[0] == 0x81 and not each.buffer and each.state == "open":
            # One short frame, whole: nearly every answer.
            if data.startswith(b"43", 2):
                self._acked(each, data, 4)
            else:
                self._packet(each, data[2:])
            return
        buffer = each.buffer + data
        if each.state == "http":
            end = buffer.find(b"\r\n\r\n")
            if end < 0:
                each.buffer = buffer
                return
            if b" 101 " not in buffer[:20]:
                raise RuntimeError(f"the server refused a WebSocket: {buffer[:300]!r}")
            buffer = buffer[end + 4 :]
            each.state = "open"
            if self.plan.polling:
                each.sock.send(_frame(b"2probe"))
        at, size = 0, len(buffer)
        while size - at >= 2:
            length, head = buffer[at + 1] & 127, 2
            if length == 126:
                if size - at < 4:
                    break
                length, head = int.from_bytes(buffer[at + 2 : at + 4], "big"), 4
            elif length == 127:
                if size - at < 10:
                    break
                length, head = int.from_bytes(buffer[at + 2 : at + 10], "big"), 10
            if size - at < head + length:
                break
            if buffer[at] & 15 == 1:
                self._packet(each, buffer[at + head : at + head + length])
            at += head + length
        each.buffer = buffer[at:]

    def _packet(self, each: _Socket, packet: bytes) -> None:
        if packet.startswith(b"43"):
            self._acked(each, packet, 2)
        elif packet.startswith(b"42"):
            if packet.startswith(self.marker, 2):
                self.delivered += 1
                self._note_delivery(packet)
            elif self.ready_marker and packet.startswith(self.ready_marker, 2):
                self._became_ready(each, packet)
        elif packet.startswith(b"0"):
            each.sock.send(_frame(b"40" + msgspec.json.encode(each.peer.auth)))
        elif packet == b"2":
            each.sock.send(_frame(b"3"))
        elif packet == b"3probe":
            each.sock.send(_frame(b"5"))
            self._became_ready(each, each.ready if self.ready_marker else b"")
        elif packet.startswith(b"40"):
            if not self.ready_marker:
                self._became_ready(each, b"")
        elif packet.startswith(b"44"):
            raise RuntimeError(f"the server refused a connection: {packet!r}")

    def _became_ready(self, each: _Socket, packet: bytes) -> None:
        self.ready += 1
        self.connects.append(time.perf_counter() - each.opened_at)
        if packet:
            state = msgspec.json.decode(packet[2:])[1]
            each.cursor = state["cursor"]
            self.recovered += bool(state["recovered"])

    def _acked(self, each: _Socket, packet: bytes, start: int) -> None:
        """The answer whose number begins at `start`."""
        at = packet.index(b"[", start)
        sent_at = each.sent_at.pop(int(packet[start:at]), None) if each.sent_at else None
        if packet.startswith(b'[{"error"', at):
            self.failed += 1
        elif self.running:
            self.acked += 1
            if sent_at is not None:
                self.acks.append(time.perf_counter() - sent_at)
        if not self.running:
            return
        if self.plan.rate:
            self.queue.append(each)
        else:
            self._send(each)

    def _note_delivery(self, packet: bytes) -> None:
        at = packet.find(b'"sent":')
        if at > 0 and self.running:
            end = at + 7
            while packet[end] in b"0123456789.":
                end += 1
            now = time.perf_counter()
            self.deliveries.append((now, now - float(packet[at + 7 : end])))

    def _send_all(self) -> None:
        while self.queue:
            self._send(self.queue.popleft())

    def _send_some(self) -> None:
        while self.queue and self.tokens >= 1:
            self.tokens -= 1
            self._send(self.queue.popleft())

    def _send(self, each: _Socket) -> None:
        number = each.next_id = each.next_id + 1
        self.sent += 1
        if each.holds_time or not number % self.timed:
            now = time.perf_counter()
            each.sent_at[number] = now
            if each.holds_time:
                timed = {**each.peer.payload, "custom": {"sent": round(now, 6)}}
                each.sock.send(_frame(b"42%d%b" % (number, msgspec.json.encode([each.peer.event, timed]))))
                return
        each.sock.send(_frame(b"42%d%b" % (number, each.body)))


def _frame(payload: bytes) -> bytes:
    """A client's text frame. Its mask is zero, which leaves the payload as it is and is a mask like any other."""
    size = len(payload)
    if size < 126:
        return _SHORT[size] + payload
    if size < 65_536:
        return bytes((0x81, 0xFE, size >> 8, size & 255, 0, 0, 0, 0)) + payload
    return bytes((0x81, 0xFF)) + size.to_bytes(8, "big") + b"\0\0\0\0" + payload


class Polled(NamedTuple):
    """A session that long-polling opened and connected."""

    sid: str
    ready: bytes


def poll(parts: SplitResult, auth: dict[str, Any], ready: str) -> Polled:
    """Open a session by long-polling, connect, and poll on until `ready` has come (the connect packet's answer, when
    that is empty). Blocks."""
    wanted = f'42["{ready}"'.encode() if ready else b"40"
    line = HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=30)
    path = "/socket.io/?EIO=4&transport=polling"

    def ask(method: str, path: str, body: bytes | None = None) -> bytes:
        line.request(method, path, body, {"content-type": "text/plain;charset=UTF-8"} if body else {})
        answer = line.getresponse()
        data = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"polling was refused: {answer.status} {data[:300]!r}")
        return data

    sid: str = msgspec.json.decode(ask("GET", path)[1:])["sid"]
    path += f"&sid={sid}"
    ask("POST", path, b"40" + msgspec.json.encode(auth))
    while True:
        for packet in ask("GET", path).split(b"\x1e"):
            if packet == b"2":
                ask("POST", path, b"3")
            if packet.startswith(b"44"):
                raise RuntimeError(f"the server refused a connection: {packet!r}")
            if packet.startswith(wanted):
                line.close()
                return Polled(sid, packet)


def percentiles(values: list[float]) -> dict[str, float]:
    """`p50` and `p99` in milliseconds, of seconds."""
    if len(values) < 2:
        return {}
    cuts = quantiles(values, n=100)
    return {"p50": round(cuts[49] * 1000, 2), "p99": round(cuts[98] * 1000, 2)}


def main() -> None:
    """See the module."""
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=Plan)
    load = Load(plan)
    began = time.perf_counter()
    load.connect()
    connect_seconds = time.perf_counter() - began
    if plan.herd:
        load.prepare()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.buffer.readline()
    before, started = os.times(), time.perf_counter()
    seconds = load.return_together() if plan.herd else load.run()
    after = os.times()
    sent, acked, delivered, failed = load.sent, load.acked, load.delivered, load.failed
    report = Report(
        connected=load.ready,
        connect_seconds=round(connect_seconds, 3),
        seconds=round(seconds, 3),
        sent=sent,
        acked=acked,
        failed=failed,
        delivered=delivered,
        settled=load.settle(),
        ack_ms=percentiles(load.acks),
        delivery_ms=percentiles([latency for _, latency in load.deliveries]),
        cores=round((after.user + after.system - before.user - before.system) / seconds, 2),
        connect_ms=percentiles(load.connects),
        recovered=load.recovered,
        began=started,
        latencies=load.deliveries,
    )
    sys.stdout.write(msgspec.json.encode(report).decode() + "\n")


if __name__ == "__main__":
    main()
