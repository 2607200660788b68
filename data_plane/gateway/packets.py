"""Socket.IO protocol 5 packets, as UTF-8. Caps come before parsing: nothing here recurses or believes a count.

Of the protocol's parts, the product uses the main namespace, events, acknowledgements and connection; other
namespaces and binary attachments are recognised and refused with a clear error.
Source: the Socket.IO protocol document, revision 5.
"""

from typing import Any, Final

import msgspec
import orjson

from kernel.errors import InvalidInput, Malformed, TooLarge
from kernel.http.body import holds_nul

MAX_PACKET: Final = 65_536
MAX_EVENT_NAME: Final = 64
MAX_ACK_ID: Final = 10

CONNECT, DISCONNECT, EVENT, ACK, CONNECT_ERROR, BINARY_EVENT, BINARY_ACK = b"0", b"1", b"2", b"3", b"4", b"5", b"6"


class BinaryRefused(InvalidInput):
    """Binary attachments have no use in this product; upload files instead."""

    code = "binary_refused"
    title = "Binary packets are not supported"


class NamespaceRefused(InvalidInput):
    """Only the main namespace `/` exists."""

    code = "namespace_refused"
    title = "Unknown namespace"


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What of the protocol is in use. The codec knows all of it; the defaults are the product's."""

    namespaces: bool = False
    """Whether there are others than the main one."""
    attachments: int = 0
    """How many binary attachments a packet may announce; none of them is believed to come."""
    arguments: int = 1
    """How many an event may carry after its name."""


PRODUCT: Final = Rules()


class Packet(msgspec.Struct, frozen=True):
    """A decoded packet. `event` and `payload` (the first argument) for events; `payload` also for a connection's `auth`
    and for what an acknowledgement carries. `arguments` are all of an event's; `attachments` are still to come."""

    type: bytes
    namespace: str = "/"
    ack_id: int | None = None
    event: str = ""
    payload: Any = None
    arguments: list[Any] | tuple[()] = ()
    attachments: int = 0


def decode(data: bytes, rules: Rules = PRODUCT) -> Packet:
    """Read one packet. Raises `TooLarge`, `Malformed`, `BinaryRefused` or `NamespaceRefused`."""
    size = len(data)
    if size > MAX_PACKET:
        raise TooLarge(f"A packet may have {MAX_PACKET:,} bytes.")
    kind, namespace, attachments, at = data[:1], "/", 0, 1
    if kind != EVENT or data[1:2] == b"/":
        if kind in (BINARY_EVENT, BINARY_ACK):
            attachments, at = _attachments(data, rules)
        elif kind not in (CONNECT, DISCONNECT, EVENT, ACK):
            raise Malformed("Unknown packet type.")
        namespace, at = _namespace(data, at)
        if namespace != "/" and not rules.namespaces:
            if kind == CONNECT:
                return Packet(CONNECT, namespace)
            raise NamespaceRefused("There is one namespace: `/`.")
    end = at
    while end < size and end - at < MAX_ACK_ID and 48 <= data[end] <= 57:
        end += 1
    ack_id = int(data[at:end]) if end > at else None
    if kind == DISCONNECT:
        return Packet(DISCONNECT, namespace)
    payload = _parse(data[end:]) if size > end else None
    if kind == CONNECT:
        if payload is not None and not isinstance(payload, dict):
            raise Malformed("`auth` must be an object.")
        return Packet(CONNECT, namespace, payload=payload)
    if not isinstance(payload, list):
        raise Malformed("An event is a list: its name, then one payload.")
    if kind in (ACK, BINARY_ACK):
        return Packet(kind, namespace, ack_id, payload=payload, attachments=attachments)
    if not payload:
        raise Malformed("An event is a list: its name, then one payload.")
    name = payload[0]
    if not isinstance(name, str) or not 0 < len(name) <= MAX_EVENT_NAME:
        raise Malformed(f"An event's name is text of 1 to {MAX_EVENT_NAME} characters.")
    if len(payload) > 1 + rules.arguments:
        raise Malformed(f"`{name}` takes one payload object.")
    first = payload[1] if len(payload) > 1 else {}
    return Packet(kind, namespace, ack_id, name, first, payload[1:], attachments)


def _attachments(data: bytes, rules: Rules) -> tuple[int, int]:
    """How many are announced, and where the rest begins."""
    if not rules.attachments:
        raise BinaryRefused()
    end = data.find(b"-", 1, 12)
    digits = data[1:end] if end > 0 else b""
    if not digits.isdigit():
        raise Malformed("A binary packet begins with the number of its attachments.")
    if not 1 <= (count := int(digits)) <= rules.attachments:
        raise TooLarge(f"A packet may have 1 to {rules.attachments} attachments.")
    return count, end + 1


def _namespace(data: bytes, at: int) -> tuple[str, int]:
    """The namespace, and where the rest begins."""
    if data[at : at + 1] != b"/":
        return "/", at
    end = data.find(b",", at)
    name = data[at:] if end < 0 else data[at:end]
    return name.split(b"?", 1)[0].decode("utf-8", "replace"), len(data) if end < 0 else end + 1


def _parse(body: bytes) -> Any:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"The packet is not valid JSON: {error}") from error
    if b"\\u0000" in body and holds_nul(value):
        raise InvalidInput("The packet holds a NUL character (\\u0000), which text cannot store.")
    return value


def encode_event(name: str, payload: bytes) -> bytes:
    """An event to a client; `payload` is JSON."""
    return b'2["%b",%b]' % (name.encode(), payload)


def encode_ack(ack_id: int, answer: bytes) -> bytes:
    """The answer to a client's event; `answer` is JSON."""
    return b"3%d[%b]" % (ack_id, answer)


def encode_connected(sid: str) -> bytes:
    """The connection is accepted."""
    return CONNECT + orjson.dumps({"sid": sid})


def encode_connect_error(error: dict[str, Any], namespace: str = "/") -> bytes:
    """The connection is refused: the client's `connect_error` carries `message`, and `data` with the rest."""
    head = b"4" if namespace == "/" else b"4%b," % namespace.encode()
    return head + orjson.dumps({"message": error["message"], "data": error})


DISCONNECTED: Final = DISCONNECT
