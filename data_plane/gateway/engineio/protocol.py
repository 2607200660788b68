"""The bytes of Engine.IO 4: packet types, payloads of several packets, WebSocket frames."""

from typing import Any, Final

import msgspec

OPEN, CLOSE, PING, PONG, MESSAGE, UPGRADE, NOOP = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
SEPARATOR: Final = b"\x1e"
BINARY: Final = b"b"


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a server tells its clients in the handshake, and holds them to. Seconds and bytes."""

    ping_interval: float = 25.0
    ping_timeout: float = 20.0
    max_payload: int = 262_144
    """Of one request's body, or of one WebSocket message."""
    poll_packets: int = 16
    """Packets in one answer to a poll: python-socketio's client takes no more, and would reconnect for ever."""


def open_packet(sid: str, limits: Limits, *, upgrades: list[str]) -> bytes:
    """The handshake's answer."""
    body = {
        "sid": sid,
        "upgrades": upgrades,
        "pingInterval": round(limits.ping_interval * 1000),
        "pingTimeout": round(limits.ping_timeout * 1000),
        "maxPayload": limits.max_payload,
    }
    return OPEN + msgspec.json.encode(body)


def retry_after(problem: dict[str, Any]) -> str | None:
    """The header's value, when a problem document says when to come again."""
    seconds = problem.get("retry_after")
    return str(max(1, round(seconds))) if seconds is not None else None


def text_frame(payload: bytes) -> bytes:
    """A whole WebSocket text frame as a server sends it: final, not masked (RFC 6455, section 5.2)."""
    return _frame(0x81, payload)


def message_frame(message: bytes) -> bytes:
    """The text frame of one message. Most are short, and there the head is known beforehand."""
    size = len(message)
    return SHORT[size] + message if size < 125 else text_frame(MESSAGE + message)


def binary_frame(payload: bytes) -> bytes:
    """The same for a binary message."""
    return _frame(0x82, payload)


def _frame(first: int, payload: bytes) -> bytes:
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65_536:
        return bytes((first, 126, size >> 8, size & 255)) + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


HEADS: Final = tuple(bytes((0x81, size)) for size in range(126))
"""The heads of short text frames, by the size of what they hold."""
SHORT: Final = tuple(bytes((0x81, size + 1)) + MESSAGE for size in range(125))
"""The heads of short messages' frames, by the message's size."""
PING_FRAME: Final = text_frame(PING)
CLOSE_FRAME: Final = b"\x88\x02\x03\xe8"  # 1000: the purpose is fulfilled
