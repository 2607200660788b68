"""What goes to clients: packets made once for however many connections they go to."""

from collections.abc import Sequence

from data_plane.gateway.engineio.protocol import message_frame


class Frame:
    """One or more messages: as they are for those who poll, as finished WebSocket frames for all others."""

    __slots__ = ("messages", "wire")

    def __init__(self, *messages: bytes) -> None:
        self.messages = messages
        if len(messages) == 1:
            self.wire = message_frame(messages[0])
        else:
            self.wire = b"".join([message_frame(message) for message in messages])


def joined(frames: Sequence[Frame]) -> Frame:
    """Several frames as one, so that each connection is written to once."""
    if len(frames) == 1:
        return frames[0]
    whole = Frame.__new__(Frame)
    whole.messages = tuple(message for frame in frames for message in frame.messages)
    whole.wire = b"".join([frame.wire for frame in frames])
    return whole
