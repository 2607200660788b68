"""The cursor of a user over all of its logs: opaque to clients, `shard, epoch, commit horizon` inside.

Not secret and not signed: a forged one only moves its own user to another place in its own logs.
"""

import base64
import binascii

import msgspec

from kernel.errors import InvalidInput


class BadCursor(InvalidInput):
    """The cursor is not one that this service made."""

    code = "bad_cursor"
    status = 400
    title = "The cursor is not valid"


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """Everything of the shard's epoch below the horizon has been seen."""

    shard: str
    epoch: str
    horizon: int

    def encode(self) -> str:
        """The text that clients keep."""
        return base64.urlsafe_b64encode(msgspec.msgpack.encode(self)).rstrip(b"=").decode()


def decode_cursor(text: str) -> Cursor:
    """Read a client's cursor. Raises `BadCursor`."""
    if len(text) > 200:
        raise BadCursor("`cursor` is too long to be one of ours.", field="cursor")
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        cursor = msgspec.msgpack.decode(raw, type=Cursor)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise BadCursor("`cursor` must be one that sync or connect gave you, unchanged.", field="cursor") from error
    if not 0 <= cursor.horizon < 1 << 62:
        raise BadCursor(field="cursor")
    return cursor
