"""A first conversation for an empty channel of the demo, so that there is something to see and to answer.

The portal says it as the app's own two users, by the SDK and over the API, as a customer's server would.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from kernel.errors import Conflict, Unavailable
from natter import APIError, AsyncNatter, NatterError, Retry
from portal.apps.demo.tokens import USERS

TIMEOUT: Final = httpx.Timeout(5.0, connect=2.0)
PATIENCE: Final = Retry(attempts=3, total=6)
"""Somebody waits before the page."""


class ChannelNotEmpty(Conflict):
    """Somebody has written there already."""

    code = "channel_not_empty"
    title = "The channel has messages already"


class NodeSilent(Unavailable):
    """The portal cannot reach the app's node. The page, which goes another way, may."""

    code = "node_silent"
    title = "The node does not answer the portal"


class NodeRefused(Conflict):
    """The node refuses what was to be said; `detail` has its own words, `reason` its code."""

    code = "node_refused"
    title = "The node refuses it"


@dataclass(frozen=True, slots=True)
class Speaker:
    """One of the two: a client that is this user."""

    natter: AsyncNatter
    user_id: str
    name: str


async def begin(node: str, tokens: Mapping[str, str], channel_id: str) -> int:
    """Have the two talk in a channel where both are and nobody has written; answers how many messages were sent.

    `tokens`: one for each of `USERS`. Raises `ChannelNotEmpty`, `NodeSilent`, `NodeRefused`.
    """
    async with AsyncNatter(None, url=node, timeout=TIMEOUT, retry=PATIENCE, user_agent="natter-portal") as natter:
        try:
            ada, grace = (Speaker(natter.with_token(tokens[user]), user, name) for user, name in USERS.items())
            return await _talk(ada, grace, channel_id)
        except APIError as refusal:
            raise NodeRefused(refusal.detail, reason=refusal.code or str(refusal.status)) from refusal
        except NatterError as error:
            said = f"The portal itself cannot reach {node}. This page can, so write the first message yourself."
            raise NodeSilent(said) from error


async def _talk(ada: Speaker, grace: Speaker, channel_id: str) -> int:
    if (await ada.natter.messages.list(channel_id, limit=1)).messages:
        raise ChannelNotEmpty("There are messages in this channel already.")
    sent = 0

    async def say(who: Speaker, text: str, **more: Any) -> str:
        nonlocal sent
        sent += 1
        return (await who.natter.messages.send(channel_id, text=text, **more)).id

    plan = await say(ada, "Version 2 goes out on Thursday. Whatever belongs to it goes in this channel.")
    await ada.natter.pins.add(plan)
    asked = await say(grace, "Has the mobile build passed?")
    green = f"It has, @{grace.name}, all green."
    passed = await say(ada, green, quoted_id=asked, mentions={"users": [grace.user_id]})
    await grace.natter.reactions.add(passed, "🎉")
    await say(grace, "Who writes the release notes?", thread_id=plan)
    await say(ada, "I do, they are half done.", thread_id=plan)
    last = await say(grace, f"Then Thursday it is, @{ada.name}.", mentions={"users": [ada.user_id]})
    await grace.natter.messages.edit(last, text=f"Then Thursday at ten it is, @{ada.name}.")
    return sent
