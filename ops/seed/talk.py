"""What is said, message by message, in the order of time: conversations that begin, go on and end."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final
from uuid import UUID

from ops.seed import words
from ops.seed.plan import Plan, Room

_AT_ONCE: Final = 8
"""Conversations that go on at the same time in the whole tenant."""
_ENDS: Final = 0.08
"""How likely each message is a conversation's last."""
_GOES_ON: Final = 0.35
"""How likely the same person writes the next message, too."""


@dataclass(frozen=True, slots=True)
class Line:
    """A message that is not stored yet."""

    id: UUID
    room: Room
    author: str
    text: str
    at: datetime


class Talk:
    """The messages of a plan, at these instants. The same dice say the same."""

    def __init__(self, plan: Plan, instants: Iterator[datetime], dice: Random) -> None:
        self._plan = plan
        self._instants = instants
        self._dice = dice
        self._last_stamp = 0

    def __iter__(self) -> Iterator[Line]:
        dice = self._dice
        running = [self._begin() for _ in range(_AT_ONCE)]
        for at in self._instants:
            place = dice.randrange(_AT_ONCE)
            room, people, author = running[place]
            if dice.random() > _GOES_ON:
                author = dice.choice(people)
            yield Line(self._id(at), room, author, words.said(dice), at)
            running[place] = self._begin() if dice.random() < _ENDS else (room, people, author)

    def _begin(self) -> tuple[Room, list[str], str]:
        room = self._dice.choices(self._plan.rooms, cum_weights=self._plan.weights, k=1)[0]
        people = self._dice.choices(room.members, cum_weights=room.weights, k=4)
        return room, people, people[0]

    def _id(self, at: datetime) -> UUID:
        """A UUIDv7, rising."""
        self._last_stamp = stamp = max(int(at.timestamp() * 1000) << 12, self._last_stamp + 1)
        return UUID(
            int=(stamp >> 12) << 80 | 0x7 << 76 | (stamp & 0xFFF) << 64 | 0b10 << 62 | self._dice.getrandbits(62)
        )
