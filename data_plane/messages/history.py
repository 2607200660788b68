"""Pages of a channel's messages: one statement on the hot path, keyset on (app, channel, seq)."""

import re
from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import msgspec

from data_plane.channels.access import NEVER, first_seq, look_again
from data_plane.channels.errors import no_channel
from data_plane.identity.caller import AnonymousCaller, Reader, own_id
from data_plane.messages.errors import no_message
from data_plane.messages.views import Page, page_messages
from data_plane.shard import Shard
from kernel.errors import InvalidInput
from kernel.ids import parse_id

# Nothing before a member's own beginning, or the channel's, leaves the database; a place before it means the beginning.
_SQL: Final = """
select h.* from (
    select greatest(
        (select c.truncated_to from chat.channels c where c.app_id = $1 and c.id = $2),
        (select greatest(b.history_from, b.cleared_to) from chat.members b
         where b.app_id = $1 and b.channel_id = $2 and b.user_id = $3), 0) as first
) f cross join lateral
    chat.message_page($1, $2, $3, greatest($4::bigint, f.first - $6::int), $5, $6::int, $7, $8, $9) h
where h.seq is null or h.seq >= f.first
"""
_ENCODER: Final = msgspec.json.Encoder()
_SEQ: Final = re.compile(r"[0-9]{1,15}")
_END: Final = 2**62
"""Above every seq."""


class Window(msgspec.Struct, frozen=True):
    """What to fetch: up to `older` messages before the pivot and up to `newer` from it on.

    The pivot is `seq`, or the seq of `message`, plus `shift`. Each side asks for one more than is shown, or for just
    one when it is not shown, to learn whether there are more.
    """

    seq: int | None
    message: UUID | None
    shift: int
    older: int
    newer: int


def window_of(*, limit: int, before: str | None, after: str | None, around: str | None) -> Window:
    """The window that a request means. Raises `InvalidInput` for a bad anchor or more than one."""
    given = [(name, anchor) for name, anchor in _named(before, after, around) if anchor is not None]
    if len(given) > 1:
        raise InvalidInput("Give one of `before`, `after` and `around`.", field=given[1][0])
    if not given:
        return Window(_END, None, 0, limit + 1, 0)
    name, anchor = given[0]
    seq: int | None = None
    message: UUID | None = None
    if _SEQ.fullmatch(anchor):
        seq = int(anchor)
    elif anchor.startswith("msg_"):
        message = parse_id("msg", anchor, field=name)
    else:
        raise InvalidInput(f"`{name}` must be a message id (`msg_…`) or a `seq`.", field=name)
    if name == "before":
        return Window(seq, message, 0, limit + 1, 1)
    if name == "after":
        return Window(seq, message, 1, 1, limit + 1)
    return Window(seq, message, 0, limit + 1, limit + 1)


async def read_history(shard: Shard, reader: Reader, channel_id: str, window: Window, limit: int) -> bytes:
    """A page as JSON, oldest first: the newest one, or the one that an anchor names.

    `before` and `after` leave the anchor out, `around` has it in the middle, or nearer to an end where the messages
    run out. Deleted messages keep their place. Raises `NotFound` for a channel that the reader does not see, and for
    an anchor that is no message of the channel.
    """
    asked = (window.seq, window.message, window.shift, window.older, window.newer)
    own = own_id(reader)
    rows: Sequence[Any] = ()
    if not isinstance(reader, AnonymousCaller):  # whose place in the statement is the server's, who sees everything
        rows = await shard.system.hot(_SQL).fetch(reader.app_id, channel_id, own, *asked, own)
    if not rows:
        # No member, or one who sees nothing there.
        found = await look_again(shard, reader, channel_id)
        if found is not None and found.state.member is None and first_seq(found) < NEVER:
            rows = await shard.system.hot(_SQL).fetch(reader.app_id, channel_id, None, *asked, own)
        if not rows and (found is None or window.message is not None):
            # One answer for both, so that an anchor does not tell what is in other channels.
            raise no_channel() if window.message is None else no_message()
    if window.message is not None and not any(row[1] == window.message.bytes for row in rows):
        raise no_message()  # an anchor is always among the rows, unless the caller does not see it
    return page_body(rows, window, limit, channel_id)


def page_body(rows: Sequence[Any], window: Window, limit: int, channel_id: str) -> bytes:
    """A page of rows of `chat.message_page`, or of another function that answers alike."""
    if rows and rows[0][0] is None:
        rows = []
    older = sum(row[0] for row in rows) if window.newer else len(rows)
    newer = len(rows) - older
    shown_older, shown_newer = _shares(window, limit, older, newer)
    # The older ones come newest first.
    shown = [*rows[:shown_older][::-1], *rows[older : older + shown_newer]]
    return _ENCODER.encode(Page(page_messages(shown, channel_id), older > shown_older, newer > shown_newer))


def _shares(window: Window, limit: int, older: int, newer: int) -> tuple[int, int]:
    """How many of each side are shown."""
    if window.newer <= 1 < window.older:
        return min(older, limit), 0
    if window.older <= 1 < window.newer:
        return 0, min(newer, limit)
    half = min(older, limit // 2)
    after = min(newer, limit - half)
    return min(older, limit - after), after


def _named(before: str | None, after: str | None, around: str | None) -> list[tuple[str, str | None]]:
    return [("before", before), ("after", after), ("around", around)]
