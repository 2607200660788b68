"""A plain reader of WebSocket frames, after RFC 6455, section 5: slow, and written to be compared with."""

from tests.data_plane.gateway.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, masked

Message = tuple[int, bytes]


class Wrong(Exception):
    """The client broke the protocol."""


def read_stream(data: bytes, max_payload: int) -> tuple[list[Message], bool]:
    """The messages (opcode, payload) of a client's bytes up to its close frame, and whether it kept to the protocol.

    An unfinished frame at the end is not held against it.
    """
    messages: list[Message] = []
    kind, parts = 0, b""
    try:
        for opcode, fin, payload in frames(data, max_payload):
            if opcode == CLOSE:
                return messages, True
            if opcode in (PING, PONG):
                continue
            if (opcode == CONTINUATION) != (kind != 0):
                raise Wrong
            kind, parts = kind or opcode, parts + payload
            if len(parts) > max_payload:
                raise Wrong
            if fin:
                messages.append((kind, parts))
                if kind == TEXT and parts[:1] == b"1":  # Engine.IO's own close
                    return messages, True
                if kind == TEXT and parts[:1] not in (b"4", b"3"):
                    raise Wrong
                kind, parts = 0, b""
    except Wrong:
        return messages, False
    return messages, True


def frames(data: bytes, max_payload: int):  # type: ignore[no-untyped-def]
    """Opcode, whether it is the last part, and payload. Raises `Wrong`."""
    at = 0
    while at + 2 <= len(data):
        first, second = data[at], data[at + 1]
        opcode, fin, size = first & 0x0F, bool(first & 0x80), second & 0x7F
        at += 2
        control = opcode in (CLOSE, PING, PONG)
        if opcode not in (TEXT, BINARY, CONTINUATION) and not control:
            raise Wrong
        if not second & 0x80 or (control and (not fin or size > 125)):
            raise Wrong
        if size >= 126:
            width, least = (2, 126) if size == 126 else (8, 65_536)
            if at + width > len(data):
                return
            size = int.from_bytes(data[at : at + width], "big")
            if size < least or size >> 63:
                raise Wrong
            at += width
        if not control and size > max_payload:
            raise Wrong
        if at + 4 + size > len(data):
            return
        payload = masked(data[at + 4 : at + 4 + size], data[at : at + 4])
        at += 4 + size
        if opcode == CLOSE and payload:
            code = int.from_bytes(payload[:2], "big")
            if len(payload) == 1 or code < 1000 or code in (1004, 1005, 1006) or 1015 <= code < 3000:
                raise Wrong
            try:
                payload[2:].decode()
            except UnicodeDecodeError:
                raise Wrong from None
        yield opcode, fin, payload
