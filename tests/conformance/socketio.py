"""The gateway's transports and codec under an echo application, as the public Socket.IO test suite expects it.

`python -m tests.conformance.socketio [PORT]`; the suite is `test-suite/` of `socketio/socket.io-protocol`.
"""

import asyncio
import sys
from typing import Any

import orjson
import uvloop

from data_plane.gateway import packets
from data_plane.gateway.attachments import Assembly, take_out
from data_plane.gateway.engineio.frame import Frame
from data_plane.gateway.engineio.server import EngineServer
from data_plane.gateway.packets import Packet, Rules
from kernel.errors import NatterError
from tests.conformance.engine import LIMITS, Doors, serve

RULES = Rules(namespaces=True, attachments=10, arguments=10)
NAMESPACES = ("/", "/custom")
HANDSHAKE_SECONDS = 1.5


class Echo:
    """One client: says back what it hears, in each namespace that it is in."""

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._inside: set[str] = set()
        self._assembly: Assembly | None = None
        self._timer = asyncio.get_running_loop().call_later(HANDSHAKE_SECONDS, self._check_handshake)

    def received(self, packet: bytes) -> None:
        try:
            decoded = packets.decode(packet[1:], RULES)
        except NatterError:
            self._transport.close()
            return
        if decoded.attachments:
            self._assembly = Assembly(decoded)
        else:
            self._take(decoded)

    def received_binary(self, data: bytes) -> None:
        if self._assembly is None:
            self._transport.close()
        elif (packet := self._assembly.add(data)) is not None:
            self._assembly = None
            self._take(packet)

    def broken(self) -> None:
        self._transport.cut()

    def moved(self, transport: Any) -> None:
        self._transport = transport

    def clogged(self) -> None:
        self._transport.close()

    def ended(self) -> None:
        self._timer.cancel()

    def _check_handshake(self) -> None:
        if not self._inside:
            self._transport.close()

    def _take(self, packet: Packet) -> None:
        head = b"" if packet.namespace == "/" else packet.namespace.encode() + b","
        if packet.type == packets.CONNECT:
            if packet.namespace not in NAMESPACES:
                self._send(b"4" + head + b'{"message":"Invalid namespace"}')
                return
            self._inside.add(packet.namespace)
            self._send(b"0" + head + b'{"sid":"abc"}')
            # Apart, because the suite listens for one message at a time and misses what comes along with another.
            auth = b"2" + head + orjson.dumps(["auth", packet.payload or {}])
            asyncio.get_running_loop().call_later(0.01, self._send, auth)
        elif packet.namespace not in self._inside:
            self._transport.close()
        elif packet.type == packets.DISCONNECT:
            self._inside.discard(packet.namespace)
        elif packet.ack_id is not None:
            self._say(b"3", b"6", head + b"%d" % packet.ack_id, list(packet.arguments))
        else:
            self._say(b"2", b"5", head, [f"{packet.event}-back", *packet.arguments])

    def _say(self, plain: bytes, binary: bytes, head: bytes, arguments: list[Any]) -> None:
        body, parts = take_out(arguments)
        kind = binary + b"%d-" % len(parts) if parts else plain
        self._send(kind + head + orjson.dumps(body))
        for part in parts:
            self._transport.send_binary(part)

    def _send(self, packet: bytes) -> None:
        self._transport.send(Frame(packet))


class EchoDoors(Doors):
    def opened(self, transport: Any, query: dict[str, list[str]], address: str) -> Any:
        return Echo(transport)


if __name__ == "__main__":
    uvloop.run(serve(EngineServer(EchoDoors(), limits=LIMITS), int((sys.argv[1:] or ["3000"])[0])))
