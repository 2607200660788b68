"""The node's fan-out: streams by log, recipients by stream, and the filling of gaps.

Everything here runs on the event loop and between awaits is atomic. Local commits and the bus take the same path.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final
from uuid import UUID

from data_plane.fanout.bus import slot_of
from data_plane.fanout.passing import Audience, Passing
from data_plane.fanout.stream import Recipient, Stream
from data_plane.log import Entry, LogKey, channel_log
from data_plane.log.entries import PROFILES
from data_plane.log.reader import LogRange, LogReader
from kernel.logging import get_logger

__all__ = ["Hub", "Recipient"]

GAP_PATIENCE: Final = 0.05
"""Seconds that an early entry waits for the one before it, before the log is read."""

FILL_CHUNK: Final = 500
"""Entries of one log that one fill reads at most."""

_log = get_logger(__name__)


class Hub:
    """Streams and recipients of one node.

    `encode` makes the frame of entries that go out together, once, however many hear them. `subscribe` and
    `unsubscribe` are the bus's; `concerned` hears of entries after which somebody may have to stop watching. Within a
    stream entries pass in `seq` order, each once; a hole is filled from the log before anything behind it passes. What
    is in no log passes only while `is_current()`: a node that is cut off cannot know who was removed meanwhile.
    """

    def __init__(
        self,
        reader: LogReader,
        *,
        encode: Callable[[Sequence[Entry]], object],
        subscribe: Callable[[int], None] = lambda slot: None,
        unsubscribe: Callable[[int], None] = lambda slot: None,
        is_current: Callable[[], bool] = lambda: True,
        concerned: Callable[[Entry], None] = lambda entry: None,
    ) -> None:
        self._reader = reader
        self._encode = encode
        self._subscribe = subscribe
        self._unsubscribe = unsubscribe
        self._concerned = concerned
        self._passing = Passing(
            encode=encode,
            is_current=is_current,
            recipients=self.recipients,
            open_profiles=self._open_profiles,
            close_profiles=self._close_profiles,
        )
        self._streams: dict[LogKey, Stream] = {}
        self._by_recipient: dict[Recipient, set[LogKey]] = {}
        self._watchers = self._passing.watchers
        self._slots: dict[int, int] = {}
        self._gaps: set[LogKey] = set()
        self._filler: asyncio.Task[None] | None = None
        self._catchers: set[asyncio.Task[None]] = set()
        self.filled = 0
        """Entries that had to be read from the log, since the start."""
        self.announced = 0
        """The horizon up to which the follower has said where logs must be. Note it before positions to `join` at are
        read, and hand it to `announce_again` after."""
        self._again: int | None = None

    def on_passing(self, type: str, handle: Callable[[Entry], None]) -> None:
        """Give entries in passing of this type to a feature, which tells whom they are for, instead of to all who watch
        the log."""
        self._passing.handle(type, handle)

    def attend(self, audience: Audience) -> None:
        """Let this hear who watches what from now on."""
        self._passing.audience = audience

    # -- entries ---------------------------------------------------------------------------------------------------

    def deliver(self, entries: Iterable[Entry]) -> None:
        """Take entries in from anywhere: a local commit, the bus, a fill.

        What is ready of one log goes out as one frame, so a batch costs each of its recipients one write.
        """
        runs: dict[LogKey, list[Entry]] = {}
        touched: dict[LogKey, Stream] = {}
        for entry in entries:
            stream = self._streams.get(entry.key)
            if stream is None:
                continue
            if not entry.seq:
                self._passing.take(entry)
                continue
            ready = stream.offer(entry)
            touched[stream.key] = stream
            if not ready:
                continue
            if (
                entry.subject is None
                and len(ready) == 1
                and not (stream.first_seqs and (entry.position or entry.shows))
            ):
                runs.setdefault(stream.key, []).append(entry)
                continue
            # These may change who hears what, so everything before them goes out first.
            self._pass_on_runs(runs)
            for each in ready:
                self._pass_on(stream, [each])
        self._pass_on_runs(runs)
        for stream in touched.values():
            if stream.behind:
                self._notice_gap(stream.key)
            if stream.idle:
                self._close(stream)

    def committed_up_to(self, heads: Iterable[tuple[LogKey, int]]) -> None:
        """The follower's word that these logs reach at least these seqs; what is missing is filled at once."""
        for key, seq in heads:
            stream = self._streams.get(key)
            if stream is not None and seq >= stream.next:
                stream.wanted = max(stream.wanted, seq)
                self._notice_gap(key)

    def announce_again(self, since: int) -> None:
        """Have the follower repeat what it said after this horizon: streams that are open now may not have been then,
        and whoever joined them at positions that were read before would never hear of what it spoke of."""
        self._again = since if self._again is None else min(self._again, since)

    def since(self, horizon: int) -> int:
        """Where the follower's next look begins, which ended at `horizon` last time."""
        again, self._again = self._again, None
        return horizon if again is None else min(again, horizon)

    async def settle(self) -> None:
        """Wait until no gap is known; returns at once when there is none."""
        while self._gaps or self._filler is not None:
            if self._filler is None:
                self._start_filler()
            else:
                await asyncio.wait({self._filler})

    def _pass_on_runs(self, runs: dict[LogKey, list[Entry]]) -> None:
        for key, run in runs.items():
            stream = self._streams.get(key)
            if stream is None:
                continue
            if stream.joining:
                for entry in run:
                    self._pass_on(stream, [entry])
            else:
                self._pass_on(stream, run)
        runs.clear()

    def _pass_on(self, stream: Stream, run: list[Entry]) -> None:
        """Entries that follow each other; more than one only where none concerns who hears the log."""
        first = run[0]
        stream.recent.extend(run)
        if stream.joining and (starting := stream.joining.pop(first.seq, None)) is not None:
            stream.recipients |= starting
        for buffer in stream.catching.values():
            buffer.extend(run)
        if stream.recipients:
            frame = self._encode(run)
            if first.subject is None and stream.first_seqs and (first.position or first.shows):
                self._pass_on_as_seen(stream, first, frame)
            elif first.subject is None:
                for recipient in stream.recipients:
                    recipient.deliver(frame)
            else:
                for recipient in list(stream.recipients):
                    recipient.deliver(frame)
                    self._act_on(stream, recipient, first)
        if stream.key in self._watchers:
            for entry in run:
                if entry.type == "member.added" or entry.type == "member.removed":
                    self._passing.audience.member_moved(entry)
        if first.type == "member.removed" and first.subject is not None:
            stream.drop_user(first.subject)
            self._passing.stop_watching(stream.key, first.subject)
        elif first.subject is not None:
            self._concerned(first)
        if stream.joining and (starting := stream.joining.pop(run[-1].seq + 1, None)) is not None:
            # Not only with the next entry, which may be long in coming: what passes by until then is for them, too.
            stream.recipients |= starting

    def _pass_on_as_seen(self, stream: Stream, entry: Entry, frame: object) -> None:
        """An entry that is about a message, or shows something of one, that is older than what some recipients see:
        those hear it without. One frame for all who hear the same."""
        frames = {0: frame}
        for recipient in stream.recipients:
            unseen = stream.unseen(entry, recipient)
            if unseen not in frames:
                frames[unseen] = self._encode([entry.without(unseen)])
            recipient.deliver(frames[unseen])

    def watching(self, key: LogKey) -> set[Recipient]:
        """Who hears what happens in passing in this log."""
        return self._passing.watching(key)

    def tell(self, ears: Iterable[Recipient], entry: Entry, *, users_only: bool = False) -> None:
        """Pass an entry on to these, but for its own subject and those from whom the subject is hidden; with
        `users_only` not to anonymous visitors either."""
        self._passing.tell(ears, entry, users_only=users_only)

    def _act_on(self, stream: Stream, recipient: Recipient, entry: Entry) -> None:
        if entry.subject is not None and entry.type == "membership.added":
            key = LogKey(stream.key.app_id, channel_log(entry.subject))
            self.join(recipient, key, entry.position, first_seq=entry.first_seq)
            # That entry is committed, in the same transaction, and may have passed by before anyone listened.
            self.committed_up_to([(key, entry.position)])
        elif entry.subject is not None and entry.type == "membership.arranged":
            self._see_from(recipient, LogKey(stream.key.app_id, channel_log(entry.subject)), entry.first_seq)

    def _see_from(self, recipient: Recipient, key: LogKey, first_seq: int) -> None:
        stream = self._streams.get(key)
        if first_seq and stream is not None and self.hears(recipient, key):
            stream.first_seqs[recipient] = max(first_seq, stream.first_seqs.get(recipient, 0))

    # -- recipients ------------------------------------------------------------------------------------------------

    def join(self, recipient: Recipient, key: LogKey, first: int, *, first_seq: int = 0) -> None:
        """Pass the log's entries from seq `first` on to this recipient, without hole or double.

        `first` may lie ahead (it starts there) or behind (what it missed is handed over first, from memory or from
        the log, before anything newer). Of messages before `first_seq` the recipient sees nothing, their later changes
        included.
        """
        stream = self._streams.get(key)
        if stream is None:
            stream = self._open(key, first)
        self._by_recipient.setdefault(recipient, set()).add(key)
        if first_seq:
            stream.first_seqs[recipient] = first_seq
        if stream.next == first:
            stream.recipients.add(recipient)
        elif stream.next < first:
            stream.joining.setdefault(first, set()).add(recipient)
            # The stream must get there even if the bus lost what lies between.
            stream.wanted = max(stream.wanted, first - 1)
            self._notice_gap(key)
        elif (missed := stream.since(first)) is not None:
            if self._hand(stream, recipient, missed):
                stream.recipients.add(recipient)
        else:
            stream.recipients.discard(recipient)
            stream.catching[recipient] = []
            task = asyncio.create_task(self._catch_up(stream, recipient, first, stream.next - 1))
            self._catchers.add(task)
            task.add_done_callback(self._catchers.discard)

    def heard(self, recipient: Recipient, key: LogKey) -> Stream | None:
        """This log's stream, when it is passed on to this recipient; and so long as it is among its `recipients`."""
        stream = self._streams.get(key)
        return stream if stream is not None and recipient in stream.recipients else None

    def hears(self, recipient: Recipient, key: LogKey) -> bool:
        """Whether it has joined this log and not left it, however far it has caught up."""
        return key in self._by_recipient.get(recipient, ())

    def recipients(self, key: LogKey) -> Collection[Recipient]:
        """Who hears this log here. Not to be changed, nor kept."""
        stream = self._streams.get(key)
        return stream.recipients if stream is not None else ()

    def watch(self, recipient: Recipient, key: LogKey) -> None:
        """Pass on what happens in passing, too: what is in no log, such as who types."""
        self._passing.watch(recipient, key)

    def unwatch(self, recipient: Recipient, key: LogKey) -> None:
        """The end of `watch`."""
        self._passing.unwatch(recipient, key)

    def follow_people(self, app_id: UUID) -> None:
        """Hear what concerns the app's users wherever they are: profiles, presence. Once more for each call."""
        self._passing.follow_people(app_id)

    def unfollow_people(self, app_id: UUID) -> None:
        """The end of one `follow_people`."""
        self._passing.unfollow_people(app_id)

    def leave(self, recipient: Recipient, key: LogKey) -> None:
        """Pass nothing of this log to this recipient any more."""
        self.unwatch(recipient, key)
        self._by_recipient.get(recipient, set()).discard(key)
        stream = self._streams.get(key)
        if stream is not None:
            stream.drop(recipient)
            if stream.idle:
                self._close(stream)

    def leave_all(self, recipient: Recipient) -> None:
        """Forget a recipient, as when its connection ends."""
        for key in self._by_recipient.pop(recipient, set()).copy():
            self.unwatch(recipient, key)
            stream = self._streams.get(key)
            if stream is not None:
                stream.drop(recipient)
                if stream.idle:
                    self._close(stream)

    def settled(self, recipient: Recipient) -> bool:
        """Whether nothing is being fetched for this recipient."""
        streams = (self._streams.get(key) for key in self._by_recipient.get(recipient, ()))
        return not any(s is not None and (recipient in s.catching or s.behind) for s in streams)

    async def _catch_up(self, stream: Stream, recipient: Recipient, first: int, last: int) -> None:
        at = first
        while recipient in stream.catching and at <= last:
            try:
                entries = await self._reader.ranges([LogRange(stream.key, at, min(last, at + FILL_CHUNK - 1))])
            except Exception as error:
                _log.warning("hub.catch_up_failed", error=repr(error), log=stream.key.log)
                await asyncio.sleep(0.5)
                continue
            if recipient not in stream.catching:
                return
            if not entries:
                await asyncio.sleep(0.2)
                continue
            self.filled += len(entries)
            if not self._hand(stream, recipient, entries):
                stream.catching.pop(recipient, None)
                return
            at = entries[-1].seq + 1
        buffered = stream.catching.pop(recipient, None)
        if buffered is not None and self._hand(stream, recipient, buffered):
            stream.recipients.add(recipient)

    def _hand(self, stream: Stream, recipient: Recipient, entries: Sequence[Entry]) -> bool:
        for entry in entries:
            recipient.deliver(self._encode([entry.without(stream.unseen(entry, recipient))]))
            if entry.subject is not None:
                self._act_on(stream, recipient, entry)
                if entry.type == "member.removed" and entry.subject == recipient.user_id:
                    return False
        return True

    # -- streams ---------------------------------------------------------------------------------------------------

    def _open(self, key: LogKey, next: int) -> Stream:
        stream = self._streams[key] = Stream(key, next)
        slot = slot_of(key)
        self._slots[slot] = self._slots.get(slot, 0) + 1
        if self._slots[slot] == 1:
            self._subscribe(slot)
        return stream

    def _open_profiles(self, app_id: UUID) -> None:
        self._open(LogKey(app_id, PROFILES), 1)

    def _close_profiles(self, app_id: UUID) -> None:
        self._close(self._streams[LogKey(app_id, PROFILES)])

    def _close(self, stream: Stream) -> None:
        if self._streams.pop(stream.key, None) is None:
            return
        self._gaps.discard(stream.key)
        slot = slot_of(stream.key)
        self._slots[slot] -= 1
        if self._slots[slot] == 0:
            del self._slots[slot]
            self._unsubscribe(slot)

    def _notice_gap(self, key: LogKey) -> None:
        self._gaps.add(key)
        self._start_filler()

    def _start_filler(self) -> None:
        if self._filler is None:
            self._filler = asyncio.create_task(self._fill(), name="hub-fill")

    async def _fill(self) -> None:
        """Give the bus a moment, then read what is still missing, of all logs in one statement; repeat while any is."""
        try:
            while self._gaps:
                await asyncio.sleep(GAP_PATIENCE)
                ranges = []
                for key in list(self._gaps):
                    stream = self._streams.get(key)
                    if stream is None or not stream.behind:
                        self._gaps.discard(key)
                        continue
                    # Whatever is there, also beyond what is known to be: it saves the next look.
                    ranges.append(LogRange(key, stream.next, stream.next + FILL_CHUNK - 1))
                if not ranges:
                    continue
                try:
                    entries = await self._reader.ranges(ranges)
                except Exception as error:
                    _log.warning("hub.fill_failed", error=repr(error), logs=len(ranges))
                    await asyncio.sleep(0.5)
                    continue
                self.filled += len(entries)
                self.deliver(entries)
        finally:
            self._filler = None
            if self._gaps:
                self._start_filler()
