"""What happens to messages after they were sent: reactions, edits, deletions, by the product's own use cases."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Final

from data_plane.identity.caller import UserCaller
from data_plane.messages.delete import MessageDeletion
from data_plane.messages.edit import MessageEditing
from data_plane.messages.schemas import EditMessage
from data_plane.reactions.service import Reactions
from data_plane.shard import Shard
from kernel.contracts import AppSnapshot
from kernel.ids import format_id, parse_id
from ops.seed import words
from ops.seed.clock import PastClock
from ops.seed.talk import Line
from ops.seed.unit import unit_of_work

if TYPE_CHECKING:
    from ops.seed.tenant import Filled

EDITED: Final = 0.003
DELETED: Final = 0.0015
REACTED: Final = 0.008
"""Of the messages."""
MOST: Final = 120
"""Messages of one chunk to which something happens: each costs a transaction of its own."""


class Afterwards:
    """`filled` counts what happened."""

    def __init__(self, shard: Shard, clock: PastClock, app: AppSnapshot, dice: Random, filled: "Filled") -> None:
        self._shard, self._clock, self._app = shard, clock, app
        self._app_id = parse_id("app", app.app_id)
        self._dice = dice
        self._filled = filled
        self._editing, self._deletion, self._reactions = MessageEditing(shard), MessageDeletion(shard), Reactions(shard)

    async def happen(self, lines: Sequence[Line]) -> None:
        """To messages that are stored."""
        dice = self._dice
        chosen = min(MOST, round(len(lines) * (EDITED + DELETED + REACTED)) or min(1, len(lines)))
        for place in sorted(dice.sample(range(len(lines)), chosen)):
            line = lines[place]
            self._clock.at = line.at + timedelta(seconds=dice.randint(2, 600))
            luck = dice.random() * (EDITED + DELETED + REACTED)
            if luck < EDITED:
                await self._edit(line)
            elif luck < EDITED + DELETED:
                await self._delete(line)
            else:
                await self._react(line)

    async def _edit(self, line: Line) -> None:
        async with unit_of_work(self._shard, self._app_id) as uow:
            text = f"{line.text} ({words.said(self._dice)})"
            await self._editing.edit(uow, self._as(line.author), format_id("msg", line.id), EditMessage(text=text))
        self._filled.edits += 1

    async def _delete(self, line: Line) -> None:
        async with unit_of_work(self._shard, self._app_id) as uow:
            await self._deletion.delete(uow, self._as(line.author), format_id("msg", line.id))
        self._filled.deletions += 1

    async def _react(self, line: Line) -> None:
        emoji = self._dice.choices(words.EMOJI, k=2)
        others = self._dice.choices(line.room.members, k=min(6, int(self._dice.paretovariate(1.1))))
        for user in dict.fromkeys(others):
            async with unit_of_work(self._shard, self._app_id) as uow:
                one = emoji[self._dice.random() < 0.25]
                await self._reactions.add(uow, self._as(user), format_id("msg", line.id), one)
            self._filled.reactions += 1

    def _as(self, user_id: str) -> UserCaller:
        return UserCaller(app=self._app, app_id=self._app_id, user_id=user_id)
