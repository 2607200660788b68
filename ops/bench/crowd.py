"""A channel of a hundred thousand members beside one of ninety-nine, with as many connected to either: what is dearer?

Everything is asked of both in turn, one thing after another, and reported as `p50` and `p99` (of few calls the
greatest) in milliseconds, with the large channel's median over the small one's in `ratios`:

- `connect`, `watch`: a member connects; it begins to watch, which gives presence, watchers and receipts whole
- `send`, `delivered`: a send until its acknowledgement, and until a member hears it; `mention_channel`, `mention_here`,
  `mention_role`: the acknowledgement of a send with such a mention
- `read`: a member marks the channel read; `read_all_at_once`: all who are connected do, until the last is answered
- `read_told`, `presence_told`, `typing_told`: from what a member does until another hears of it, by name or as a number
  (numbers come at most once a second, so half a second is their median)
- `unread`, `message_receipts`, `receipts`, `watchers`: what `GET` says of them; `members`: a page of 100 members;
  `members_by_role`, `members_by_joined`: queries that an index answers; `members_by_custom`: one that none does, and
  that finds nothing, so that all members are read; `channel`, `channels`, `channels_query`: as a member sees them
- `member_add`, `member_remove`, `channel_update`, `pin`, `reaction`, `truncate`: changes
- `sync`: what a member missed who was away; `history`: a page of messages
- `herd`: all who are connected come back at once and watch, until the last has its answer
- `delete`: the channel is deleted; `gone`: until its last membership is; `beside`: sends to another channel meanwhile,
  of which `usual` is the measure
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

import asyncpg
import httpx

from kernel.ids import parse_id
from ops.bench.bulk import load_members
from ops.bench.lab import Lab, lab, make_users, resident_bytes, tokens_for
from ops.bench.line import PATIENCE, Line
from ops.bench.load import percentiles
from ops.bench.send import TEXT

SELDOM: Final = 8
"""Calls of what is told at most once a second, or happens seldom."""
EXTRA: Final = 3
"""Members with tokens who are not connected all the while."""

OFTEN: Final = (
    "connect", "send", "delivered", "mention_channel", "mention_here", "mention_role", "read", "unread", "members",
    "channel", "channels", "history", "sync", "pin", "reaction",
)  # fmt: skip
"""What clients do all day; the dearest of it is the benchmark's `ratio`."""

Took = dict[str, float]
"""Seconds, by name."""


@dataclass
class Room:
    """One of the channels, and who is in it: users named by the channel and a number."""

    id: str
    size: int
    url: str
    server: httpx.AsyncClient
    tokens: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    message: str = ""
    cursor: str = ""
    added: int = 0

    async def ask(self, method: str, path: str, body: Any = None, *, member: int | None = None) -> Any:
        """One REST call, as a member or as the server."""
        headers = {} if member is None else {"authorization": f"Bearer {self.tokens[member]}"}
        answer = await self.server.request(method, path.format(self), json=body, headers=headers)
        return answer.raise_for_status().json() if answer.content else None

    async def say(self, **more: Any) -> str:
        """Send over the first line; returns the message's id."""
        told = await self.lines[0].call("message.send", channel_id=self.id, text=TEXT, **more)
        self.message = told["message"]["id"]
        return self.message


async def bench_crowd(*, members: int, few: int, watching: int, calls: int) -> dict[str, Any]:
    """Milliseconds in a channel of `members` and in one of `few`, `watching` of whom are connected to either."""
    watching = min(watching, few - EXTRA)
    async with lab() as here, here.api() as api:
        rooms = [Room("small", few, here.urls[0], api), Room("large", members, here.urls[0], api)]
        began = time.perf_counter()
        for room in rooms:
            await _fill(here, room, watching)
        loaded = time.perf_counter() - began
        for room in rooms:
            await _enter(room)
        took: dict[str, dict[str, list[float]]] = {room.id: {} for room in rooms}
        for measure, times in _MEASURES:
            for _ in range(min(calls, times)):
                for room in rooms:
                    for name, seconds in (await measure(room)).items():
                        took[room.id].setdefault(name, []).append(seconds)
        held = resident_bytes(here.node_pids[0])
        for room in rooms:
            for name, values in (await _end(here, room)).items():
                took[room.id][name] = values
    report = {name: {what: _summary(values) for what, values in each.items()} for name, each in took.items()}
    ratios = {
        what: round(median(took["large"][what]) / max(median(took["small"][what]), 1e-5), 2) for what in took["small"]
    }
    return {
        "benchmark": "crowd", "members": members, "few": few, "watching": watching, "load_seconds": round(loaded, 1),
        "resident_bytes": held, "ms": report, "ratios": ratios, "ratio": max(ratios[what] for what in OFTEN),
    }  # fmt: skip


def _summary(values: Sequence[float]) -> dict[str, float]:
    if len(values) > SELDOM:
        return percentiles(list(values))
    return {"p50": round(median(values) * 1000, 2), "p99": round(max(values) * 1000, 2)}


async def _fill(here: Lab, room: Room, watching: int) -> None:
    await room.ask("POST", "/v1/channels", {"id": room.id, "type": "group"})
    app_id = parse_id("app", here.tenant["app_id"])
    await load_members(here.database_url, app_id, channel=room.id, prefix=f"{room.id}-", count=room.size)
    room.tokens = await tokens_for(room.server, [f"{room.id}-{n}" for n in range(watching + EXTRA)])


async def _enter(room: Room) -> None:
    room.lines = [(await Line.open(room.url, token))[0] for token in room.tokens[:-EXTRA]]
    for line in room.lines:
        await line.call("channel.watch", channel_id=room.id)
    for line in room.lines[4:]:
        line.idle = True
    away, ready = await Line.open(room.url, room.tokens[-1])
    room.cursor = ready["cursor"]
    away.close()
    await room.say()


@asynccontextmanager
async def _timed(took: Took, name: str) -> AsyncIterator[None]:
    began = time.perf_counter()
    yield
    took[name] = time.perf_counter() - began


# -- what is measured ------------------------------------------------------------------------------------------------


async def _connect(room: Room) -> Took:
    took: Took = {}
    async with _timed(took, "connect"):
        line, _ = await Line.open(room.url, room.tokens[-2])
    async with _timed(took, "watch"):
        await line.call("channel.watch", channel_id=room.id)
    line.close()
    return took


async def _send(room: Room) -> Took:
    took: Took = {}
    heard = room.lines[1].hears("message.created")
    began = time.perf_counter()
    async with _timed(took, "send"):
        await room.say()
    took["delivered"] = (await heard)[0] - began
    for name, mentions in (
        ("mention_channel", {"channel": True}),
        ("mention_here", {"here": True}),
        ("mention_role", {"roles": ["moderator"]}),
    ):
        async with _timed(took, name):
            await room.say(mentions=mentions)
    async with _timed(took, "read"):
        await room.lines[2].call("receipt.read", channel_id=room.id)
    return took


async def _told(room: Room) -> Took:
    """At a moment of its own each time, as people do things."""
    took: Took = {}
    ear = room.lines[1]
    await room.say()
    await asyncio.sleep(1.3 + 0.17 * (room.added % 7))
    heard, began = _either(ear, "receipts.read", "receipts.read"), time.perf_counter()
    await room.lines[2].call("receipt.read", channel_id=room.id)
    took["read_told"] = (await heard)[0] - began
    heard, began = _either(ear, "typing.started", "typing.counted"), time.perf_counter()
    await room.lines[2].call("typing.start", channel_id=room.id)
    took["typing_told"] = (await heard)[0] - began
    await room.lines[2].call("typing.stop", channel_id=room.id)
    heard, began = _either(ear, "presence.changed", "presence.counted"), time.perf_counter()
    line, _ = await Line.open(room.url, room.tokens[-3])
    took["presence_told"] = (await heard)[0] - began
    gone = _either(ear, "presence.changed", "presence.counted")
    line.close()
    await gone
    room.added += 1
    return took


def _either(ear: Line, one: str, other: str) -> "asyncio.Future[tuple[float, Any]]":
    both = {ear.hears(one), ear.hears(other)}

    async def first() -> tuple[float, Any]:
        done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED, timeout=PATIENCE)
        return done.pop().result()

    return asyncio.ensure_future(first())


_LOOKS: Final[tuple[tuple[str, str, str, Any], ...]] = (
    ("unread", "GET", "/v1/unread", None),
    ("message_receipts", "GET", "/v1/messages/{0.message}/receipts", None),
    ("receipts", "GET", "/v1/channels/{0.id}/receipts?limit=100", None),
    ("watchers", "GET", "/v1/channels/{0.id}/watchers", None),
    ("members", "GET", "/v1/channels/{0.id}/members?limit=100", None),
    ("members_by_role", "POST", "/v1/channels/{0.id}/members/query", {"filter": {"role": "member"}, "limit": 100}),
    ("members_by_joined", "POST", "/v1/channels/{0.id}/members/query", {"sort": ["-joined_at"], "limit": 100}),
    ("members_by_custom", "POST", "/v1/channels/{0.id}/members/query", {"filter": {"custom.shift": "night"}}),
    ("channel", "GET", "/v1/channels/{0.id}", None),
    ("channels", "GET", "/v1/channels", None),
    ("channels_query", "POST", "/v1/channels/query", {}),
    ("history", "GET", "/v1/channels/{0.id}/messages?limit=50", None),
    ("sync", "GET", "/v1/sync?cursor={0.cursor}&limit=100", None),
)


async def _look(room: Room) -> Took:
    took: Took = {}
    for name, method, path, body in _LOOKS:
        async with _timed(took, name):
            await room.ask(method, path, body, member=-1)
    return took


async def _change(room: Room) -> Took:
    took: Took = {}
    room.added += 1
    user = f"{room.id}-new-{room.added}"
    await make_users(room.server, [user])
    path = "/v1/channels/{0.id}/members/" + user
    for name, method, target, body in (
        ("member_add", "PUT", path, {}),
        ("member_remove", "DELETE", path, None),
        ("channel_update", "PATCH", "/v1/channels/{0.id}", {"name": f"Name {room.added}"}),
        ("pin", "PUT", "/v1/messages/{0.message}/pin", {"user_id": f"{room.id}-0"}),
        ("reaction", "PUT", "/v1/messages/{0.message}/reactions/%F0%9F%91%8D", {"user_id": f"{room.id}-0"}),
    ):
        async with _timed(took, name):
            await room.ask(method, target, body)
    await room.say()
    return took


async def _truncate(room: Room) -> Took:
    took: Took = {}
    async with _timed(took, "truncate"):
        await room.ask("POST", "/v1/channels/{0.id}/truncate", {})
    await room.say()
    return took


async def _all_at_once(room: Room) -> Took:
    took: Took = {}
    for line in room.lines:
        line.close()
    await asyncio.sleep(1)

    async def back(token: str) -> Line:
        line, _ = await Line.open(room.url, token)
        await line.call("channel.watch", channel_id=room.id)
        return line

    async with _timed(took, "herd"):
        room.lines = await asyncio.gather(*map(back, room.tokens[:-EXTRA]))
    await room.say()
    async with _timed(took, "read_all_at_once"):
        await asyncio.gather(*(line.call("receipt.read", channel_id=room.id) for line in room.lines))
    return took


_MEASURES: Final[tuple[tuple[Callable[[Room], Awaitable[Took]], int], ...]] = (
    (_connect, 1_000),
    (_send, 1_000),
    (_look, 1_000),
    (_change, 40),  # a channel has at most 50 pins
    (_told, SELDOM),
    (_truncate, SELDOM),
    (_all_at_once, SELDOM),
)


async def _end(here: Lab, room: Room) -> dict[str, list[float]]:
    """Delete the channel, and send elsewhere until it is gone."""
    other = Room(f"beside-{room.id}", 2, room.url, room.server)
    names = [f"{other.id}-{n}" for n in range(2)]
    await make_users(room.server, names)
    await other.ask("POST", "/v1/channels", {"id": other.id, "type": "group", "members": names})
    other.tokens = await tokens_for(room.server, names)
    other.lines = [(await Line.open(room.url, token))[0] for token in other.tokens]
    usual = [(await _one_send(other)) for _ in range(100)]
    took: Took = {}
    connection = await asyncpg.connect(here.database_url)
    try:
        async with _timed(took, "gone"):
            async with _timed(took, "delete"):
                await room.ask("DELETE", "/v1/channels/{0.id}")
            beside = [await _one_send(other)]
            while await connection.fetchval("select exists (select from chat.members where channel_id = $1)", room.id):
                beside.append(await _one_send(other))
                await asyncio.sleep(0.01)
    finally:
        await connection.close()
    for line in (*room.lines, *other.lines):
        line.close()
    return {"delete": [took["delete"]], "gone": [took["gone"]], "usual": usual, "beside": beside}


async def _one_send(room: Room) -> float:
    took: Took = {}
    async with _timed(took, "send"):
        await room.say()
    return took["send"]
