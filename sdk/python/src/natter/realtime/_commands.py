"""What a bot says, by name. Each is one event of the reference."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from .. import params
from .._given import NOT_GIVEN, NotGiven
from .._ids import new_message_id
from ..models import Mentions, Message


class _Commands(ABC):
    """Calls that are answered when they are committed."""

    @abstractmethod
    async def call(
        self, event: str, payload: Mapping[str, Any] | None = None, *, timeout: float | None = None
    ) -> Mapping[str, Any]:
        """Send an event and give its acknowledgement."""

    async def send(
        self,
        channel_id: str,
        *,
        text: str | None = None,
        id: str | None = None,
        attachments: Sequence[Mapping[str, Any]] | None = None,
        custom: Mapping[str, Any] | None = None,
        silent: bool = False,
        thread_id: str | None = None,
        also_in_channel: bool = False,
        quoted_id: str | None = None,
        mentions: params.Mentions | Mentions | None = None,
    ) -> Message:
        """Send a message; answered when it is committed. Sent again with the same id if need be, it is there once."""
        payload = {
            "channel_id": channel_id,
            "id": id or new_message_id(),
            "text": text,
            "attachments": attachments,
            "custom": custom,
            "silent": silent,
            "thread_id": thread_id,
            "also_in_channel": also_in_channel,
            "quoted_id": quoted_id,
            "mentions": mentions,
        }
        return await self._message("message.send", {name: said for name, said in payload.items() if said is not None})

    async def edit(
        self,
        message_id: str,
        *,
        text: str | NotGiven = NOT_GIVEN,
        attachments: Sequence[Mapping[str, Any]] | NotGiven = NOT_GIVEN,
        custom: Mapping[str, Any] | NotGiven = NOT_GIVEN,
    ) -> Message:
        """Replace parts of a message's content; what is left out stays."""
        payload = {"id": message_id, "text": text, "attachments": attachments, "custom": custom}
        given = {name: said for name, said in payload.items() if said is not NOT_GIVEN}
        return await self._message("message.update", given)

    async def delete(self, message_id: str) -> Message:
        """Delete a message: its place and number stay, its content is gone."""
        return await self._message("message.delete", {"id": message_id})

    async def react(self, message_id: str, emoji: str) -> Message:
        """React to a message with an emoji."""
        return await self._message("reaction.add", {"message_id": message_id, "emoji": emoji})

    async def unreact(self, message_id: str, emoji: str) -> Message:
        """Take one's reaction back."""
        return await self._message("reaction.remove", {"message_id": message_id, "emoji": emoji})

    async def mark_read(self, channel_id: str, *, message_id: str | None = None) -> None:
        """Mark a channel read up to a message, or entirely."""
        up_to = {"message_id": message_id} if message_id else {}
        await self.call("receipt.read", {"channel_id": channel_id, **up_to})

    async def start_typing(self, channel_id: str) -> None:
        """Show that the bot types. It means nothing any more after 6 s without another."""
        await self.call("typing.start", {"channel_id": channel_id})

    async def stop_typing(self, channel_id: str) -> None:
        """Show that it has stopped."""
        await self.call("typing.stop", {"channel_id": channel_id})

    async def _message(self, event: str, payload: Mapping[str, Any]) -> Message:
        answer = await self.call(event, payload)
        return Message.from_dict(answer["message"])
