"""Socket.IO protocol 5 packets, as text. Caps come before parsing: nothing here recurses or believes a count.

Of the protocol's parts, the product uses the main namespace, events, acknowledgements and connection; other
namespaces and binary attachments are recognised and refused with a clear error.
Source: the Socket.IO protocol document, revision 5.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import orjson

from kernel.errors import InvalidInput, Malformed, TooLarge
from kernel.http.body import holds_nul

MAX_PACKET: Final = 65_536
MAX_EVENT_NAME: Final = 64
MAX_ACK_ID: Final = 10

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = "0", "1", "2", "3", "4", "5", "6"


class BinaryRefused(InvalidInput):
    """Binary attachments have no use in this product; upload files instead."""

    code = "binary_refused"
    title = "Binary packets are not supported"


class NamespaceRefused(InvalidInput):
    """Only the main namespace `/` exists."""

    code = "namespace_refused"
    title = "Unknown namespace"


class Packet(msgspec.Struct, frozen=True):
    """A decoded packet. `event` and `payload` for events; `payload` also for a connection's `auth`."""

    type: str
    namespace: str = "/"
    ack_id: int | None = None
    event: str = ""
    payload: Any = None


def decode(text: str) -> Packet:
    """Read one packet. Raises `TooLarge`, `Malformed`, `BinaryRefused` or `NamespaceRefused`."""
    if len(text) > MAX_PACKET:
        raise TooLarge(f"A packet may have {MAX_PACKET} characters.")
    kind = text[:1]
    if kind in (BINARY_EVENT, BINARY_ACK):
        raise BinaryRefused()
    if kind not in (CONNECT, DISCONNECT, EVENT, ACK):
        raise Malformed("Unknown packet type.")
    at, namespace = 1, "/"
    if text[1:2] == "/":
        end = text.find(",", 1)
        namespace = text[1:] if end < 0 else text[1:end]
        at = len(text) if end < 0 else end + 1
        namespace = namespace.split("?", 1)[0]
    digits = at
    while digits < len(text) and digits - at < MAX_ACK_ID and text[digits] in "0123456789":
        digits += 1
    ack_id = int(text[at:digits]) if digits > at else None
    if namespace != "/":
        if kind == CONNECT:
            return Packet(CONNECT, namespace)
        raise NamespaceRefused("There is one namespace: `/`.")
    body = text[digits:]
    if kind == DISCONNECT:
        return Packet(DISCONNECT)
    payload = _parse(body) if body else None
    if kind == CONNECT:
        if payload is not None and not isinstance(payload, dict):
            raise Malformed("`auth` must be an object.")
        return Packet(CONNECT, payload=payload)
    if not isinstance(payload, list) or (kind == EVENT and not payload):
        raise Malformed("An event is a list: its name, then one payload.")
    if kind == ACK:
        return Packet(ACK, ack_id=ack_id, payload=payload)
    name = payload[0]
    if not isinstance(name, str) or not 0 < len(name) <= MAX_EVENT_NAME:
        raise Malformed(f"An event's name is text of 1 to {MAX_EVENT_NAME} characters.")
    if len(payload) > 2:
        raise Malformed(f"`{name}` takes one payload object.")
    return Packet(EVENT, ack_id=ack_id, event=name, payload=payload[1] if len(payload) == 2 else {})


def _parse(body: str) -> Any:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"The packet is not valid JSON: {error}") from error
    if "\\u0000" in body and holds_nul(value):
        raise InvalidInput("The packet holds a NUL character (\\u0000), which text cannot store.")
    return value


def encode_event(name: str, payload: bytes) -> str:
    """An event to a client; `payload` is JSON."""
    return f'2["{name}",{payload.decode()}]'


def encode_ack(ack_id: int, payload: Mapping[str, Any]) -> str:
    """The answer to a client's event."""
    return f"3{ack_id}[{orjson.dumps(payload).decode()}]"


def encode_connected(sid: str) -> str:
    """The connection is accepted."""
    return "0" + orjson.dumps({"sid": sid}).decode()


def encode_connect_error(error: dict[str, Any], namespace: str = "/") -> str:
    """The connection is refused: the client's `connect_error` carries `message`, and `data` with the rest."""
    head = "4" if namespace == "/" else f"4{namespace},"
    return head + orjson.dumps({"message": error["message"], "data": error}).decode()


DISCONNECTED: Final = "1"
