"""Messages, and how far everybody has read."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from kernel.clock import rfc3339
from tests.convergence.base import Base, Kind, Reading, channels, users
from tests.convergence.reducer import Json

_HISTORY = "/v1/channels/{}/messages?limit=100"
which = st.integers(0, 30)


async def _messages(reading: Reading) -> Any:
    pages = await reading.each_channel(_HISTORY)
    return {id: {message["id"]: message for message in page["messages"]} for id, page in pages.items()}


async def _pins(reading: Reading) -> Any:
    lists = await reading.each_channel("/v1/channels/{}/pins")
    return {
        id: {
            pin["message_id"]: {name: value for name, value in pin.items() if name != "message"}
            for pin in found["pins"]
        }
        for id, found in lists.items()
    }


async def _recounted(reading: Reading) -> Any:
    """Unread messages, counted one by one in the history."""
    pages, found = await reading.each_channel(_HISTORY), await reading.channels()
    return {
        id: sum(
            not message["silent"] and message["number"] > channel["membership"]["read_number"]
            for message in pages[id]["messages"]
        )
        for id, channel in found.items()
        if channel["membership"] is not None
    }


async def _unread(reading: Reading) -> Any:
    sums = await reading.get("/v1/unread")
    return {name: sums[name] for name in ("total", "channels_unread", "mentions", "thread_replies", "threads_unread")}


KINDS = (
    Kind("totals of what is unread", _unread, lambda state: state.unread()),
    Kind("messages", _messages, lambda state: state.messages),
    Kind("what is pinned", _pins, lambda state: state.pinned(rfc3339(datetime.now(UTC)))),
    Kind(
        "unread messages, recounted",
        _recounted,
        lambda state: {
            id: state.channel(id)["membership"]["unread"]
            for id, channel in state.channels.items()
            if channel["membership"] is not None
        },
    ),
)


class Messages(Base):
    """Rules."""

    @rule(user=users, channel=channels, silent=st.booleans())
    def send(self, user: str, channel: str, silent: bool) -> None:
        self.run(self._send(user, channel, silent))

    @rule(first=users, second=users, channel=channels, size=st.integers(2, 6))
    def send_at_once(self, first: str, second: str, channel: str, size: int) -> None:
        async def burst() -> None:
            await asyncio.gather(*(self._send((first, second)[n % 2], channel, n % 3 == 2) for n in range(size)))

        self.run(burst())

    async def _send(self, user: str, channel: str, silent: bool, **beside: Any) -> None:
        body = {"text": "Hello", "silent": silent, **beside}
        path = f"/v1/channels/{channel}/messages"
        answer = await self.ask(user, "message.send", {"channel_id": channel, **body}, "POST", path, body)
        if "message" in answer:
            self.sent.append(answer["message"]["id"])

    @rule(user=users, channel=channels, which=which, kind=st.sampled_from(("thread", "both", "quote", "mention")))
    def answer(self, user: str, channel: str, which: int, kind: str) -> None:
        """Refused where the message is of another channel, or a reply itself."""
        if not self.sent:
            return
        id = self.sent[which % len(self.sent)]
        beside: dict[str, Any] = {
            "thread": {"thread_id": id},
            "both": {"thread_id": id, "also_in_channel": True},
            "quote": {"quoted_id": id},
            "mention": {"mentions": {"users": [user], "channel": True}},
        }[kind]
        self.run(self._send(user, channel, False, **beside))

    @rule(
        user=users, which=which, emoji=st.sampled_from(("👍", "ok")), mode=st.sampled_from(("add", "unique", "remove"))
    )
    def react(self, user: str, which: int, emoji: str, mode: str) -> None:
        if not self.sent:
            return
        id = self.sent[which % len(self.sent)]
        path, packet = f"/v1/messages/{id}/reactions/{emoji}", {"message_id": id, "emoji": emoji}
        if mode == "remove":
            self.run(self.ask(user, "reaction.remove", packet, "DELETE", path))
        else:
            body = {"unique": mode == "unique"}
            self.run(self.ask(user, "reaction.add", {**packet, **body}, "PUT", path, body))

    @rule(user=users, which=which, mode=st.sampled_from(("for good", "for a century", "for a moment", "no more")))
    def pin(self, user: str, which: int, mode: str) -> None:
        if self.sent:
            self.run(self._pin(user, self.sent[which % len(self.sent)], mode))

    async def _pin(self, user: str, id: str, mode: str) -> Json:
        path, packet = f"/v1/messages/{id}/pin", {"message_id": id}
        if mode == "no more":
            return await self.ask(user, "message.unpin", packet, "DELETE", path)
        moment = rfc3339(datetime.now(UTC) + timedelta(seconds=0.3))
        until = {"for good": None, "for a century": "2126-01-01T00:00:00Z", "for a moment": moment}[mode]
        body = {"expires_at": until}
        answer = await self.ask(user, "message.pin", {**packet, **body}, "PUT", path, body, late=until == moment)
        if until == moment and "pin" in answer:
            await self.settle()
            while rfc3339(datetime.now(UTC)) < moment:
                await asyncio.sleep(0.02)
        return answer

    @rule(user=users, which=which, text=st.sampled_from(("Hello!", "Good bye")))
    def edit(self, user: str, which: int, text: str) -> None:
        if self.sent:
            id = self.sent[which % len(self.sent)]
            change = {"text": text}
            self.run(self.ask(user, "message.update", {"id": id, **change}, "PATCH", f"/v1/messages/{id}", change))

    @rule(user=users, which=which, fields=st.sampled_from(({"set": {"a": 1}}, {"set": {"b": 2}, "unset": ["a"]})))
    def edit_fields(self, user: str, which: int, fields: dict[str, Any]) -> None:
        if self.sent:
            id = self.sent[which % len(self.sent)]
            self.run(self.ask(user, "message.update", {"id": id, **fields}, "PATCH", f"/v1/messages/{id}", fields))

    @rule(user=users, which=which, hard=st.booleans())
    def take_back(self, user: str, which: int, hard: bool) -> None:
        """For good only where the user may: in a channel of its own."""
        if self.sent:
            id = self.sent[which % len(self.sent)]
            path = f"/v1/messages/{id}" + ("?hard=true" if hard else "")
            self.run(self.ask(user, "message.delete", {"id": id, "hard": hard}, "DELETE", path))

    @rule(user=users, which=which)
    def restore(self, user: str, which: int) -> None:
        """Refused where somebody else has deleted it, but to moderators."""
        if self.sent:
            id = self.sent[which % len(self.sent)]
            self.run(self.ask(user, "message.restore", {"id": id}, "POST", f"/v1/messages/{id}/restore"))

    @rule(user=users, which=which)
    def hide(self, user: str, which: int) -> None:
        if self.sent:
            id = self.sent[which % len(self.sent)]
            self.run(self.ask(user, "message.hide", {"id": id}, "POST", f"/v1/messages/{id}/hide"))

    @rule(user=users, channel=channels, number=st.none() | st.integers(0, 5))
    def read(self, user: str, channel: str, number: int | None) -> None:
        body = {} if number is None else {"number": number}
        path = f"/v1/channels/{channel}/read"
        self.run(self.ask(user, "receipt.read", {"channel_id": channel, **body}, "POST", path, body))

    @rule(user=users, channel=channels, number=st.integers(0, 5))
    def mark_unread(self, user: str, channel: str, number: int) -> None:
        packet, path = {"channel_id": channel, "number": number}, f"/v1/channels/{channel}/unread"
        self.run(self.ask(user, "unread.mark", packet, "POST", path, {"number": number}))

    @rule(user=users, which=which)
    def read_thread(self, user: str, which: int) -> None:
        if self.sent:
            id = self.sent[which % len(self.sent)]
            self.run(self.ask(user, "thread.read", {"message_id": id}, "PUT", f"/v1/messages/{id}/thread/read", {}))

    @rule(user=users, type=st.sampled_from((None, "group", "team")))
    def read_all(self, user: str, type: str | None) -> None:
        body = {} if type is None else {"type": type}
        self.run(self.ask(user, "receipt.read_all", body, "POST", "/v1/read", body))
