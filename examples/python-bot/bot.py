"""A bot that counts what is said in its channels, and says so when asked.

NATTER_URL=… NATTER_SECRET_KEY=sk_… python bot.py general
"""

import asyncio
import collections
import os
import sys

from natter import AsyncNatter
from natter.realtime import RealtimeClient, RealtimeEvent

BOT = "counter"


class Counter:
    """How much each person has said, by channel."""

    def __init__(self) -> None:
        self._said: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)

    def hear(self, event: RealtimeEvent) -> str | None:
        """Count a message; the answer where one is wanted."""
        message = event.message
        if message.user_id == BOT or message.system:
            return None
        said = self._said[message.channel_id]
        if message.text.strip() != "!count":
            said[message.user_id] += 1
            return None
        return ", ".join(f"{user_id} {count}" for user_id, count in said.most_common(5)) or "nobody yet"


async def run(chat: RealtimeClient) -> None:
    """Until it is stopped."""
    counter = Counter()
    async for event in chat.events():
        if event.type == "connection.ready":
            print("ready", flush=True)
        elif event.type == "message.created" and (answer := counter.hear(event)):
            await chat.send(event.message.channel_id, text=answer, quoted_id=event.message.id)


async def main(channels: list[str]) -> None:
    """Make the bot a user and a member, then let it listen."""
    async with AsyncNatter(os.environ["NATTER_SECRET_KEY"], url=os.environ["NATTER_URL"]) as natter:
        await natter.users.upsert([{"id": BOT, "name": "Counter", "role": "user"}])
        for channel_id in channels:
            await natter.members.add(channel_id, user_ids=[BOT])
        async with natter.for_user(BOT).realtime() as chat:
            await run(chat)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
