"""Binary attachments of Socket.IO packets: putting them in where placeholders stand, and taking them out again.

The product refuses them; the codec knows them all the same, and the public protocol suite holds it to that.
"""

from typing import Any

import msgspec

from data_plane.gateway.packets import Packet
from kernel.errors import Malformed

MAX_DEPTH = 32


class Assembly:
    """A packet whose attachments are on their way."""

    def __init__(self, packet: Packet) -> None:
        self._packet = packet
        self._parts: list[bytes] = []

    def add(self, data: bytes) -> Packet | None:
        """The whole packet, once the last one has come."""
        self._parts.append(data)
        if len(self._parts) < self._packet.attachments:
            return None
        packet = self._packet
        arguments = [self._filled(item, 0) for item in packet.arguments]
        payload = self._filled(packet.payload, 0)
        return msgspec.structs.replace(packet, payload=payload, arguments=arguments, attachments=0)

    def _filled(self, value: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise Malformed(f"A packet may be nested {MAX_DEPTH} levels deep.")
        if isinstance(value, list):
            return [self._filled(item, depth + 1) for item in value]
        if not isinstance(value, dict):
            return value
        if value.get("_placeholder") is not True:
            return {key: self._filled(item, depth + 1) for key, item in value.items()}
        number = value.get("num")
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(self._parts):
            raise Malformed("A placeholder names an attachment that is not there.")
        return self._parts[number]


def take_out(value: Any) -> tuple[Any, list[bytes]]:
    """The value with placeholders where bytes were, and the bytes. Raises `Malformed` beyond `MAX_DEPTH` levels."""
    parts: list[bytes] = []

    def without(item: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise Malformed(f"A packet may be nested {MAX_DEPTH} levels deep.")
        if isinstance(item, bytes):
            parts.append(item)
            return {"_placeholder": True, "num": len(parts) - 1}
        if isinstance(item, list):
            return [without(each, depth + 1) for each in item]
        if isinstance(item, dict):
            return {key: without(each, depth + 1) for key, each in item.items()}
        return item

    return without(value, -1), parts
