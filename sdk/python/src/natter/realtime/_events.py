"""What a realtime client hears."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .._model import Model
from ..models import Message


@dataclass(frozen=True, kw_only=True)
class RealtimeEvent(Model):
    """An event: durable ones have a place in a log, what passes by has none."""

    type: str
    """As `message.created`; the reference on realtime has them all, and what is in `data`."""
    channel_id: str | None = None
    """Null for what is the user's own, or the app's."""
    seq: int | None = None
    """The place in the channel's log, or in the user's own; null for what is kept nowhere."""
    epoch: str | None = None
    at: datetime | None = None
    actor: str | None = None
    """Who did it; null when your server did it in nobody's name."""
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> Message:
        """The message that the event is about, as it is when the event is read. Raises `KeyError` where it has none."""
        return Message.from_dict(self.data["message"])


class Logs:
    """How far each log has been heard: what tells a repeated event from a new one.

    A resume starts at a cursor, so it may repeat what came after it.
    """

    def __init__(self) -> None:
        self._heard: dict[str, int] = {}

    def is_new(self, event: RealtimeEvent) -> bool:
        """Whether it was not heard before; then it is from now on. What is in no log is always new."""
        if event.seq is None:
            return True
        log = self._log(event)
        if event.seq <= self._heard.get(log, 0):
            return False
        self._heard[log] = event.seq
        return True

    def start_anew(self, channels: list[Mapping[str, Any]], own_seq: int) -> None:
        """The server gave fresh state, which stands in the place of all that was heard. `own_seq` is of the own log."""
        self._heard = {f"c:{channel['id']}": int(channel["seq"]) for channel in channels}
        self._heard["u:"] = own_seq

    @staticmethod
    def _log(event: RealtimeEvent) -> str:
        if event.channel_id is not None:
            return f"c:{event.channel_id}"
        return "a:" if event.type == "grants.updated" else "u:"
